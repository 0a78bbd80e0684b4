// RFC 3261 section 16.7 as changed by RFC 6026 and RFC 4320: a response goes upstream (B69–B89).
//
// Left open: what becomes of a lone 503. A 500 of our own goes upstream (B80), with no Retry-After, because
// what is down is one next hop and not this proxy.

import CallState
import PagedStorage
import SIPSyntax
import SIPTransactions
import SessionTimers
import Timekeeping

extension ProxyEngine {
  /// 101–199 to an INVITE: forwarded at once while there is no final response (B73, B75).
  mutating func forwardProvisional(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ server: UInt32, _ now: MonotonicInstant,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    guard case .invite(var machine) = servers.slab[server].machine,
      case .send = machine.sendProvisional(at: now)
    else {
      counters.add(to: .droppedLateResponse)
      return
    }
    servers.slab[server].machine = .invite(machine)
    servers.rearm(server)
    guard let start = sendUpstream(message, bytes, server, nil, &bench, into: &outbox) else { return }
    keepResponse(of: server, outbox.bytes.bytes.span, from: start)
    trackProvisional(message, bytes, of: server, at: now)
  }

  /// Every 2xx to an INVITE: forwarded at once, each judged on its own (B73, B74, C21, C30, A74, A75).
  mutating func forwardSuccess(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ client: UInt32, _ now: MonotonicInstant,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    guard let server = server(of: client) else {
      counters.add(to: .droppedLateResponse)  // B85
      return
    }
    guard case .invite(var machine) = servers.slab[server].machine, case .send = machine.sendSuccess(at: now)
    else {
      counters.add(to: .droppedLateResponse)
      return
    }
    servers.slab[server].machine = .invite(machine)
    servers.rearm(server)
    let decision = decideRefreshResponse(message, bytes, of: server)
    guard sendUpstream(message, bytes, server, decision, &bench, into: &outbox) != nil else { return }
    // A request in a dialog has one 2xx; what follows are copies, which say nothing new (A75, A76).
    let isCopy = servers.slab[server].flags.isSuperset(of: [.inDialog, .succeeded])
    servers.slab[server].flags.insert(.succeeded)
    conclude(server)
    if !isCopy { trackSuccess(message, bytes, decision, of: server, at: now) }
    releaseRefresh(of: server, at: now)
    // Answered: nobody can ask for the request or a provisional response again.
    forgetResponse(of: server)
    clients.slab[client].flags.insert(.concluded)
    forgetRequest(of: client)
  }

  /// The final response of a branch that is not a 2xx to INVITE. With one branch it is the best one (B77, B78).
  mutating func takeFinal(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ client: UInt32, _ server: UInt32,
    _ now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    guard !servers.slab[server].flags.contains(.concluded) else {
      counters.add(to: .droppedLateResponse)
      return
    }
    let isInvite = servers.slab[server].method == .invite
    if message.status == 408, !isInvite {  // C47: the 408 ends here.
      counters.add(to: .droppedTimeoutOfNonInvite)
      abandon(server, at: now)
      return
    }
    let isRefresh = servers.slab[server].flags.contains(.refresh)
    if message.status == 503 {  // B80, D55
      if !failOver(from: client, timedOut: false, at: now, &bench, into: &outbox) {
        answerFailure(of: server, at: now, &bench, into: &outbox)
      }
      return
    }
    let decision = isRefresh ? decideRefreshResponse(message, bytes, of: server) : nil
    settle(server, status: message.status, at: now)
    if let start = sendUpstream(message, bytes, server, decision, &bench, into: &outbox) {
      rememberAnswerTag(message, bytes, of: server)
      keepResponse(of: server, outbox.bytes.bytes.span, from: start)
      if let decision, message.status < 300 {
        trackSuccess(message, bytes, decision, of: server, at: now)
      }
    }
    conclude(server)
    trackFinal(status: message.status, of: server, at: now)
    if isInvite { endEarlyDialogs(of: server, cause: .setupFailed, at: now) }
    releaseRefresh(of: server, at: now)
    servers.rearm(server)
  }

  /// A non-INVITE that got no answer: nothing goes upstream (B79, C39). Its transaction absorbs
  /// retransmissions until the machine ends it.
  mutating func abandon(_ server: UInt32, at now: MonotonicInstant) {
    trackFinal(status: 408, of: server, at: now)
    conclude(server)
    releaseRefresh(of: server, at: now)
  }

  /// Writes the response without our Via and addresses it as the server transaction says (B69, B84, G4).
  /// Nil when it is too large.
  private mutating func sendUpstream(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ server: UInt32, _ decision: ResponseDecision?,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) -> Int? {
    bench.edits.removeAll()
    bench.edits.delete(bench.ownVia)
    addVersion(message, to: &bench.edits)
    let replies = servers.slab[server].replies
    addContentLength(message, over: replies, to: &bench.edits)
    if let decision { addSessionTimerEdits(decision, message, bytes, to: &bench.edits) }
    let start = outbox.bytes.count
    copy(message, bytes, bench.edits, into: &outbox)
    let fits = outbox.bytes.count - start <= Self.largestDatagram
    guard fits || own.transport(of: replies.listener).isReliable else {
      outbox.bytes.truncate(to: start)
      counters.add(to: .droppedUnsendableResponse)
      return nil
    }
    outbox.finish(from: start, over: replies)
    counters.add(to: .responsesForwarded)
    return start
  }

  /// Whether a Via is left for the next hop upstream (B69), and names no broadcast, multicast or unspecified
  /// address (B89). Asked before the response counts for anything: one that cannot be passed on never came. `ownVia`
  /// becomes what is deleted then.
  func canGoUpstream(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, ownVia: inout ByteRange
  ) -> Bool {
    var vias = ListCursor(.via, in: message)
    guard let ours = vias.next(message, bytes), let next = vias.next(message, bytes) else { return false }
    ownVia = ours.removal
    guard let ip = readSentByAddress(bytes, next.value), ip.isBroadcast || ip.isMulticast || ip.isUnspecified
    else { return true }
    // Behind a `received` the host is only what the client wrote; answers go to what was observed.
    return parseVia(bytes, next.value)?.received != nil
  }
}
