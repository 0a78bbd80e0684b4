import ProxyCore
import SIPSyntax
import ServerLocation
import Timekeeping

/// The core and its outbox, in one value so that a batch enters them once.
struct Engine: ~Copyable {
  /// The core.
  var proxy: Proxy
  /// The place among other workers; nil without others.
  let station: Station?
  /// What it wants sent.
  var outbox = Outbox()
  /// Requests that the system refused to send in this flush.
  var refused: [RefusedSend] = []
  /// Workers that messages have been handed to.
  private var sleepers = Sleepers()
  /// What the core wants to know since the last time it was taken.
  private var questions: [DNSQuestion] = []

  /// A core with nothing to send.
  init(proxy: consuming Proxy, station: Station?) {
    self.proxy = proxy
    self.station = station
  }

  /// Takes the datagrams of a batch.
  mutating func receive(
    _ batch: DatagramBatch, from transport: UDPTransport, listener: UInt16, at now: MonotonicInstant
  ) {
    for index in 0..<batch.count {
      if batch.isTruncated(index) {
        proxy.counters.add(to: .receiveTruncated)
        continue
      }
      let (remote, local) = batch.addresses(of: index)
      let flow = transport.flow(listener: listener, remote: remote, local: local)
      batch.withDatagram(index) { datagram in
        if let station,
          station.handsOver(
            datagram, over: flow, counting: proxy.counters, waking: &sleepers)
        {
          return
        }
        proxy.receive(datagram, over: flow, at: now, into: &outbox)
      }
    }
  }

  /// Takes up to `most` messages of a connection; fewer come when no whole one is left.
  mutating func receive(
    from connection: StreamConnection, atMost most: Int, at now: MonotonicInstant
  ) -> Int {
    connection.readMessages(most) { message, isWhole in
      // What cannot be framed is answered at once, because the connection closes behind the answer.
      if let station, isWhole,
        station.handsOver(
          message, over: connection.flow, counting: proxy.counters, waking: &sleepers)
      {
        return
      }
      proxy.receive(message, over: connection.flow, at: now, into: &outbox)
    }
  }

  /// Takes news of connections.
  mutating func notice(_ notices: [ConnectionNotice], at now: MonotonicInstant) {
    for notice in notices {
      switch notice {
      case .opened(let flow, let byPeer):
        proxy.connectionOpened(flow, byPeer: byPeer)
        station?.tellOthers(.opened(flow, byPeer: byPeer))
      case .closed(let connection):
        proxy.connectionClosed(connection)
        station?.tellOthers(.closed(connection))
      case .failed(let ticket):
        let refusal = RefusedSend(ticket: ticket, isLocal: false)
        if station?.handsBack(refusal) != true { proxy.sendFailed(ticket, at: now, into: &outbox) }
      }
    }
  }

  /// Does what a letter of another worker asks for, but tasks; messages to send go over `transports`.
  mutating func open(
    _ letter: Letter, of octets: borrowing OutputBuffer, over transports: [ListeningTransport],
    at now: MonotonicInstant
  ) {
    switch letter {
    case .message(let range, let flow):
      proxy.receive(
        octets.bytes.span.extracting(range.lowerBound..<range.upperBound), over: flow, at: now, into: &outbox)
    case .send(let send):
      Engine.send(
        [send][...], of: octets.bytes, over: transports, counting: proxy.counters, refused: &refused)
    case .quotation(let range):
      proxy.destinationUnreachable(
        quoting: octets.bytes.span.extracting(range.lowerBound..<range.upperBound), at: now, into: &outbox)
    case .opened(let flow, let byPeer): proxy.connectionOpened(flow, byPeer: byPeer)
    case .closed(let connection): proxy.connectionClosed(connection)
    case .failed(let refusal):
      proxy.sendFailed(refusal.ticket, isLocal: refusal.isLocal, at: now, into: &outbox)
    case .task: break
    }
  }

  /// Fires timers that are due.
  mutating func advance(to now: MonotonicInstant) {
    proxy.advance(to: now, into: &outbox)
  }

  /// Starts the core.
  mutating func begin(at now: MonotonicInstant) { proxy.begin(at: now, into: &outbox) }

  /// Takes an answer of the DNS.
  mutating func answered(_ question: DNSQuestion, with answer: DNSAnswer, at now: MonotonicInstant) {
    proxy.answered(question, with: answer, at: now, into: &outbox)
  }

  /// What the DNS is to be asked since the last time.
  mutating func takeQuestions() -> [DNSQuestion] {
    guard !questions.isEmpty else { return [] }
    defer { questions = [] }
    return questions
  }

  /// Sends the outbox and clears it.
  mutating func flush(
    over transports: [ListeningTransport], counting counters: Counters, at now: MonotonicInstant
  ) {
    wakeOthers()
    // A function of its own, so that its references are gone and clearing keeps the memory.
    send(over: transports, counting: counters)
    clearOutbox()
    // What the core sends because of a refusal goes elsewhere, and a refused response is only counted (B94):
    // this ends.
    while !refused.isEmpty || transports.contains(where: \.hasQuotations) {
      for refusal in refused where station?.handsBack(refusal) != true {
        proxy.sendFailed(refusal.ticket, isLocal: refusal.isLocal, at: now, into: &outbox)
      }
      refused.removeAll(keepingCapacity: true)
      for case .udp(let datagrams) in transports where datagrams.errors.hasQuotations {
        for quotation in datagrams.errors.takeQuotations() {
          // Which worker's request it is shows in the branch only, and only to that worker.
          station?.tellOthers(quotation, counting: counters, waking: &sleepers)
          proxy.destinationUnreachable(quoting: quotation.span, at: now, into: &outbox)
        }
      }
      send(over: transports, counting: counters)
      clearOutbox()
    }
    wakeOthers()
  }

  /// Wakes the workers that messages were handed to, each once for all of them.
  private mutating func wakeOthers() {
    guard let station else { return }
    while let sleeper = sleepers.next() { station.mailbox(of: sleeper).wake() }
  }

  private mutating func clearOutbox() {
    if !outbox.questions.isEmpty { questions.append(contentsOf: outbox.questions) }
    outbox.removeAll()
  }

  /// Sends the outbox in its order, in runs of messages that leave by one socket.
  private mutating func send(over transports: [ListeningTransport], counting counters: Counters) {
    let sends = outbox.sends
    var start = 0
    while start < sends.count {
      let first = sends[start].flow
      if let station, let owner = station.otherOwner(of: first.connection) {
        handOver(sends[start], to: owner, by: station, counting: counters)
        start += 1
        continue
      }
      var end = start + 1
      while end < sends.count, sends[end].flow.listener == first.listener,
        station?.otherOwner(of: sends[end].flow.connection) == nil
      { end += 1 }
      Engine.send(
        sends[start..<end], of: outbox.bytes.bytes, over: transports, counting: counters, refused: &refused)
      start = end
    }
  }

  /// Gives a message to the worker whose connection it leaves by.
  private mutating func handOver(
    _ send: Send, to owner: Int, by station: Station, counting counters: Counters
  ) {
    if station.handsOver(send, of: outbox.bytes.bytes, to: owner, waking: &sleepers) { return }
    counters.add(to: .sendBlocked)
    if let ticket = send.ticket { refused.append(RefusedSend(ticket: ticket, isLocal: true)) }
  }

  /// Sends messages that leave by one socket.
  private static func send(
    _ run: ArraySlice<Send>, of bytes: [UInt8], over transports: [ListeningTransport],
    counting counters: Counters, refused: inout [RefusedSend]
  ) {
    guard let listener = run.first.map({ Int($0.flow.listener) }), listener < transports.count else {
      return counters.add(UInt64(run.count), to: .sendErrors)
    }
    switch transports[listener] {
    case .udp(let datagrams): datagrams.send(run, of: bytes, counting: counters, refused: &refused)
    case .stream(let stream): stream.send(run, of: bytes, counting: counters, refused: &refused)
    }
  }
}
