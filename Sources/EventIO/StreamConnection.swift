// RFC 3261 §18 and RFC 5626 §4.4.1: one connection, from its first octet to its last.
//
// Left open by the RFCs, and chosen here: a peer that closes its side and has asked for something still gets the
// answer on this connection (TCP only); the proxy is told at once that the connection is gone, so that no request is
// sent there. When framing is lost the answer goes out, then our side is closed, and what still comes is thrown away
// for a moment: closing at once would reset the connection and take the answer with it.

import ProxyCore
import SIPSyntax
import Timekeeping

/// One connection of TCP or TLS, accepted or opened by us.
///
/// Its table owns it. It calls the table back only from the loop, never out of `send`, `readMessages` or `finish`.
final class StreamConnection {
  /// How far it is; what it still does grows less from case to case.
  enum State {
    /// Connecting, or in its handshake; what is sent waits.
    case establishing
    /// Everything goes both ways.
    case open
    /// The other side has closed its half: responses still leave.
    case halfClosed
    /// Framing was lost: responses still leave, and then it closes.
    case finishing
    /// Our last octet has left; waits for the other side to close.
    case parting
    /// Over.
    case closed
  }

  /// Its name, its listener, and both its ends.
  let flow: Flow
  /// What leads to it; nil for one that was accepted.
  let route: ConnectionRoute?
  /// How far it is.
  private(set) var state: State
  /// When an octet last moved, or it came to be.
  private(set) var lastUse: MonotonicInstant
  /// When the incomplete message at the front of what was received began.
  private var partialSince: MonotonicInstant?

  /// Whom the other side of a TLS connection of ours proved to be.
  private var identities: CertificateIdentities?
  private unowned let table: ConnectionTable
  private var socket: BufferedSocket?
  private var framer: StreamFramer
  private var tickets = TicketRing()
  private var exchanges = OpenExchanges()
  private var stateSince: MonotonicInstant
  /// Octets that the table counts for us: received ones of an incomplete message, and those to send.
  private var counted = (input: 0, output: 0)
  /// The incomplete message is given up, and why.
  private var surrender: ConnectionEnd?

  /// What it begins as.
  @safe
  enum Start {
    /// A bufferevent, connected or connecting.
    case bufferevent(OpaquePointer)
    /// A socket that was accepted for TLS.
    case accepted(Int32, TLSContext)
  }

  /// Takes over what it begins as, and begins to listen to it.
  init(
    _ start: Start, tls: TLSContext?, flow: Flow, route: ConnectionRoute?, in table: ConnectionTable
  ) {
    self.flow = flow
    self.route = route
    self.table = table
    // Behind a plain accept there is nothing more to come.
    state = route == nil && tls == nil ? .open : .establishing
    framer = StreamFramer(limits: table.limits.message)
    lastUse = MonotonicClock.now
    stateSince = lastUse
    let body: (BufferedSocket.Event) -> Void = { [unowned self] event in handle(event) }
    switch start {
    case .bufferevent(let bufferevent):
      socket = unsafe BufferedSocket(bufferevent, of: table.loop, tls: tls, body)
    case .accepted(let accepted, let tls):
      socket = BufferedSocket(
        accepted: accepted, of: table.loop, tls: tls, turns: table.handshakes, body)
    }
  }

  /// Whether a message may be sent: a request only while an answer could come back.
  func takes(request isRequest: Bool) -> Bool {
    switch state {
    case .establishing, .open: true
    case .halfClosed, .finishing: !isRequest
    case .parting, .closed: false
    }
  }

  /// Octets of an incomplete message that are kept.
  var partialBytes: Int { partialSince == nil ? 0 : counted.input }

  /// Whether the other side has proved to be `domain` (G29).
  func proves(_ domain: [UInt8]) -> Bool { identities?.match(domain) ?? false }

  /// Whether no octet has moved for a while and none is due (D40).
  func isReclaimable(at now: MonotonicInstant) -> Bool {
    let idle = now.duration(since: lastUse)
    switch state {
    case .establishing: return false
    case .open:
      return idle >= table.limits.reclaimableTime && (exchanges.isEmpty || idle >= table.limits.exchangeTime)
    // These end soon of themselves; until then an answer may be due.
    case .halfClosed, .finishing: return exchanges.owed == 0 && !hasOutput
    case .parting, .closed: return true
    }
  }

  /// Whether octets wait to be sent.
  private var hasOutput: Bool { socket.map { $0.outputCount > 0 } ?? false }

  // MARK: Sending

  /// Queues a message; false when it cannot be, and its ticket is then the caller's to report.
  func send(_ message: Span<UInt8>, ticket: SendTicket?) -> Bool {
    guard let socket, table.hasRoom(for: message.count, behind: socket.outputCount), socket.write(message)
    else {
      return false
    }
    exchanges.sent(message)
    if let ticket { tickets.append(ticket) }
    touch()
    account()
    return true
  }

  // MARK: Receiving

  /// Gives up to `most` complete messages to `body`, answers pings, and closes the connection when framing is
  /// lost: what could not be framed goes to `body` too, for the proxy's answer (D31, D35).
  ///
  /// Returns how many messages and pings there were; fewer than `most` when no whole one is left.
  func readMessages(_ most: Int, _ body: (_ message: Span<UInt8>, _ isWhole: Bool) -> Void) -> Int {
    guard state == .open else { return 0 }
    var count = 0
    socket?.read { bytes in
      guard surrender == nil else {
        body(bytes, false)
        return bytes.count
      }
      var consumed = 0
      while count < most {
        let front = bytes.extracting(droppingFirst: consumed)
        let (finding, used) = framer.next(front)
        consumed += used
        switch finding {
        case .incomplete: return consumed
        case .ping:
          count += 1
          answerPing()
        case .message(let range):
          count += 1
          partialSince = nil
          let message = front.extracting(range.lowerBound..<range.upperBound)
          exchanges.received(message)
          body(message, true)
        case .broken(let range, _):
          surrender = .framingLost
          body(front.extracting(range.lowerBound..<range.upperBound), false)
        case .overflow(let range, let defect):
          surrender = defect.field == .contentLength ? .bodyTooLarge : .headerTooLarge
          body(front.extracting(range.lowerBound..<range.upperBound), false)
        }
      }
      return consumed
    }
    touch()
    if let surrender {
      finish(because: surrender)
    } else {
      partialSince = framer.isInsideMessage ? partialSince ?? lastUse : nil
    }
    account()
    return count
  }

  /// RFC 5626 §4.4.1: one CRLF for two (D65). One that the queue has no room for is not missed.
  private func answerPing() {
    let pong: [UInt8] = [13, 10]
    guard let socket, table.hasRoom(for: pong.count, behind: socket.outputCount), socket.write(pong.span)
    else {
      return
    }
    table.counters.add(to: .pingsAnswered)
  }

  // MARK: Time

  /// Does what is due by `now`: gives up a slow message, closes what takes too long.
  func advance(to now: MonotonicInstant) {
    let limits = table.limits
    let inState = now.duration(since: stateSince)
    switch state {
    case .establishing:
      if inState >= limits.establishingTime { close(because: route == nil ? .unestablished : .failed) }
    case .open:
      if let partialSince, now.duration(since: partialSince) >= limits.messageTime {
        giveUpMessage(because: .tooSlow)
      } else if now.duration(since: lastUse) >= limits.idleTime {
        close(because: .idle)
      }
    case .halfClosed: if inState >= limits.halfClosedTime { close() }
    case .finishing, .parting: if inState >= limits.farewellTime { close() }
    case .closed: break
    }
    account()
  }

  /// Hands an incomplete message to the proxy as it is, for its answer, and closes.
  func giveUpMessage(because end: ConnectionEnd) {
    guard state == .open, surrender == nil else { return }
    surrender = end
    table.whenReadable(self)
  }

  // MARK: The end

  /// All responses that are due have been queued: closes as soon as they have left.
  func closeWhenDrained() {
    guard let socket, socket.outputCount == 0 else { return }
    switch state {
    case .finishing: part()
    case .halfClosed: if exchanges.owed == 0 { close() }
    case .establishing, .open, .parting, .closed: break
    }
  }

  /// Says that nothing more will be sent, and waits for the other side to close; what waits must have left.
  func part() {
    switch state {
    case .establishing: close()
    case .open, .halfClosed, .finishing:
      announceEnd(because: nil)
      socket?.endOutput()
      enter(.parting)
    case .parting, .closed: break
    }
  }

  /// Lets go of the socket and of the place in the table.
  func close(because end: ConnectionEnd? = nil) {
    guard state != .closed else { return }
    if state == .establishing { tellRefusal(end) }
    announceEnd(because: end)
    enter(.closed)
    socket?.close()
    socket = nil
    account()
    table.remove(self)
  }

  /// Tells why there will be no connection, if TLS is the reason.
  private func tellRefusal(_ end: ConnectionEnd?) {
    let names = end == .wrongIdentity ? identities?.description ?? "nobody" : nil
    guard let reason = names.map({ "its certificate names \($0)" }) ?? socket?.refusal else { return }
    table.whenHandshakeFails(HandshakeFailure(remote: flow.remote, wanted: route?.peer, reason: reason))
  }

  private func finish(because end: ConnectionEnd) {
    announceEnd(because: end)
    enter(.finishing)
    table.closeSoon(self)
  }

  /// Tells the proxy, once, that no request can use this connection any more.
  private func announceEnd(because end: ConnectionEnd?) {
    switch state {
    case .establishing, .open: table.ended(self, because: end, requests: tickets.takeAll())
    case .halfClosed, .finishing, .parting, .closed: break
    }
    partialSince = nil
  }

  // MARK: Events

  private func handle(_ event: BufferedSocket.Event) {
    switch (event, state) {
    case (.established, .establishing): establish()
    case (.readable, .open):
      table.whenReadable(self)
      table.boundPartialMessages()
    case (.readable, .finishing), (.readable, .parting): socket?.read { $0.count }
    case (.drained, .finishing), (.drained, .halfClosed): closeWhenDrained()
    case (.ended, .open) where (exchanges.owed > 0 || hasOutput) && socket?.endsByHalves == true,
      (.ended, .finishing) where hasOutput && socket?.endsByHalves == true:
      announceEnd(because: .byPeer)
      enter(.halfClosed)
    case (.ended, .establishing), (.broken, .establishing):
      close(because: route == nil ? .unestablished : .failed)
    case (.ended, _): close(because: .byPeer)
    case (.broken, _): close(because: .broken)
    case (.established, _), (.readable, _), (.drained, _): break
    }
    account()
    table.whenChanged()
  }

  private func establish() {
    // What waits has not left: libevent sends nothing before this returns.
    if let route, !route.peer.isEmpty {
      identities = socket?.identities
      guard proves(route.peer) else { return close(because: .wrongIdentity) }
    }
    enter(.open)
    table.established(self)
    readEarlyOctets()
  }

  /// Octets may be here before the news that the connection is: libevent does not tell of them twice.
  private func readEarlyOctets() {
    guard let socket, socket.inputCount > 0 else { return }
    // The proxy hears of the connection first.
    table.whenChanged()
    guard state == .open else { return }
    table.whenReadable(self)
    table.boundPartialMessages()
  }

  private func enter(_ state: State) {
    if self.state == .establishing { table.leavesEstablishing(self) }
    self.state = state
    stateSince = MonotonicClock.now
  }

  private func touch() {
    lastUse = MonotonicClock.now
    table.touch(self)
  }

  /// Keeps the table's sums of octets right.
  private func account() {
    let now = (input: socket?.inputCount ?? 0, output: socket?.outputCount ?? 0)
    table.account(input: now.input - counted.input, output: now.output - counted.output)
    counted = now
  }
}
