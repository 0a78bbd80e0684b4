import ProxyCore
import SIPSyntax
import ServerLocation
import Timekeeping

/// The core and its outbox, in one value so that a batch enters them once.
struct Engine: ~Copyable {
  /// The core.
  var proxy: Proxy
  /// What it wants sent.
  var outbox = Outbox()
  /// Requests that the system refused to send in this flush.
  var refused: [RefusedSend] = []
  /// What the core wants to know since the last time it was taken.
  private var questions: [DNSQuestion] = []

  /// A core with nothing to send.
  init(proxy: consuming Proxy) { self.proxy = proxy }

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
        proxy.receive(datagram, over: flow, at: now, into: &outbox)
      }
    }
  }

  /// Takes up to `most` messages of a connection; fewer come when no whole one is left.
  mutating func receive(
    from connection: StreamConnection, atMost most: Int, at now: MonotonicInstant
  ) -> Int {
    connection.readMessages(most) { message in
      proxy.receive(message, over: connection.flow, at: now, into: &outbox)
    }
  }

  /// Takes news of connections.
  mutating func notice(_ notices: [ConnectionNotice], at now: MonotonicInstant) {
    for notice in notices {
      switch notice {
      case .opened(let flow, let byPeer): proxy.connectionOpened(flow, byPeer: byPeer)
      case .closed(let connection): proxy.connectionClosed(connection)
      case .failed(let ticket): proxy.sendFailed(ticket, at: now, into: &outbox)
      }
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
    // A function of its own, so that its references are gone and clearing keeps the memory.
    send(over: transports, counting: counters)
    clearOutbox()
    // What the core sends because of a refusal goes elsewhere, and a refused response is only counted (B94):
    // this ends.
    while !refused.isEmpty || transports.contains(where: \.hasQuotations) {
      for refusal in refused {
        proxy.sendFailed(refusal.ticket, isLocal: refusal.isLocal, at: now, into: &outbox)
      }
      refused.removeAll(keepingCapacity: true)
      for case .udp(let datagrams) in transports where datagrams.errors.hasQuotations {
        for quotation in datagrams.errors.takeQuotations() {
          proxy.destinationUnreachable(quoting: quotation.span, at: now, into: &outbox)
        }
      }
      send(over: transports, counting: counters)
      clearOutbox()
    }
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
      let listener = sends[start].flow.listener
      var end = start + 1
      while end < sends.count, sends[end].flow.listener == listener { end += 1 }
      let run = sends[start..<end]
      switch Int(listener) < transports.count ? transports[Int(listener)] : nil {
      case .udp(let datagrams):
        datagrams.send(run, of: outbox.bytes.bytes, counting: counters, refused: &refused)
      case .stream(let stream):
        stream.send(run, of: outbox.bytes.bytes, counting: counters, refused: &refused)
      case nil: counters.add(UInt64(run.count), to: .sendErrors)
      }
      start = end
    }
  }
}
