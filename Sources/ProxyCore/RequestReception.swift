// RFC 3261 sections 16.1, 16.2, 17.2.3 and 18.2.1: a request arrives. It belongs to a transaction that is
// there, or it is validated, routed and forwarded as a new one (B1, B2).

import CallState
import PagedStorage
import SIPSyntax
import SIPTransactions
import Timekeeping

extension ProxyEngine {
  /// Takes one well-formed request.
  mutating func receiveRequest(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ bench: inout Workbench,
    into outbox: inout Outbox
  ) {
    counters.add(to: .requestsReceived)
    if own.isWildcard(arrival.flow.listener) { own.learn(arrival.flow.local) }
    if message.topVia.maddr != nil { counters.add(to: .ignoredMaddr) }
    let key = TransactionKey(of: message, bytes, key: processKey)
    switch message.method {
    case .ack:
      receiveAck(message, bytes, arrival, key, &bench, into: &outbox)
    case .cancel:
      receiveCancel(message, bytes, arrival, key, &bench, into: &outbox)
    default:
      if let server = servers.find(key.hash, methodHash: key.methodHash) {
        receiveRetransmission(of: server, arrival, &bench, into: &outbox)
      } else {
        receiveNewRequest(message, bytes, arrival, key, &bench, into: &outbox)
      }
    }
  }

  /// A request of a transaction that exists (C27, C29, C33, C40): never passed on.
  mutating func receiveRetransmission(
    of server: UInt32, _ arrival: Arrival, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    counters.add(to: .requestRetransmissionsReceived)
    switch servers.slab[server].machine {
    case .invite(var machine):
      let action = machine.receivedRetransmission(at: arrival.now)
      servers.slab[server].machine = .invite(machine)
      switch action {
      case .sendTrying, .resendProvisional: sendTrying(server, &bench, into: &outbox)
      case .resendFinal: resendResponse(of: server, into: &outbox)
      case .absorb: break
      }
    case .nonInvite(var machine):
      let action = machine.receivedRetransmission(at: arrival.now)
      servers.slab[server].machine = .nonInvite(machine)
      switch action {
      case .resendProvisional: sendTrying(server, &bench, into: &outbox)
      case .resendFinal: resendResponse(of: server, into: &outbox)
      case .absorb: break
      }
    }
    servers.rearm(server)
  }

  /// A malformed request gets one stateless answer naming the field, an ACK none (B9, B108, E19).
  mutating func receiveMalformedRequest(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ defect: Defect, _ arrival: Arrival,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    guard message.method != .ack else {
      counters.add(to: .droppedMalformedAck)
      return
    }
    answerStatelessly(
      message, bytes, arrival, OwnResponse(defect.status, defect.reason), &bench, into: &outbox)
  }

  /// A request that belongs to no transaction: refused, answered or forwarded.
  mutating func receiveNewRequest(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ key: TransactionKey,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    let plan: RoutePlan
    do {
      plan = try RoutePlan(message, bytes, own: own, tokens: tokens)
    } catch {
      let reason: StaticString =
        error == .malformedRoute ? "Malformed Route" : "Malformed Request-URI"
      answerStatelessly(message, bytes, arrival, OwnResponse(400, reason), &bench, into: &outbox)
      return
    }
    if let refusal = refusalWithoutState(message, bytes, arrival, key, plan) {
      answerStatelessly(message, bytes, arrival, refusal, &bench, into: &outbox)
      return
    }
    let loop = loopPart(message, bytes, arrival, plan)
    if let answer = validate(message, bytes, plan, loop) {
      answerStatefully(message, bytes, arrival, key, answer, &bench, into: &outbox)
      return
    }
    forward(message, bytes, arrival, key, plan, loop, &bench, into: &outbox)
  }

  /// What is refused before anything is remembered: strangers, and new work beyond a limit (G1, C56, F36).
  private mutating func refusalWithoutState(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ key: TransactionKey,
    _ plan: RoutePlan
  ) -> OwnResponse? {
    guard mayUseProxy(message, bytes, arrival, plan) else { return .forbidden }
    guard let refusal = refusal(message, arrival, key) else { return nil }
    if message.method == .invite, !message.to.hasTag {
      let second = dialogs.second(of: arrival.now)
      refusals.append(.refusal(refusal, second: second), callID: callIDHash(message, bytes))
    }
    switch refusal {
    case .draining:
      counters.add(to: .refusedWhileDraining)
      return .unavailable(retryAfter: 10)
    case .transactionLimit:
      counters.add(to: .transactionLimitReached)
      return .unavailable(retryAfter: 5)
    case .dialogLimit:
      counters.add(to: .dialogLimitReached)
      return .unavailable(retryAfter: 30)
    }
  }

  /// Which limit a request meets, if any.
  private func refusal(
    _ message: borrowing SIPMessage, _ arrival: Arrival, _ key: TransactionKey
  ) -> CallRefusal? {
    let isNewCall = !message.to.hasTag
    if isDraining && isNewCall { return .draining }
    guard hasRoom(for: arrival.flow.remote.ip, isNewCall: isNewCall), !servers.isCrowded(key.hash) else {
      return .transactionLimit
    }
    return isNewCall && message.method == .invite && dialogs.isFull ? .dialogLimit : nil
  }

  /// C56: room for one more transaction, in number, in octets kept, and in this source's share of both. The last
  /// twentieth is for the calls that are up: new work is refused first (G10).
  private func hasRoom(for source: IPAddress, isNewCall: Bool) -> Bool {
    let limit = configuration.maxTransactions
    guard limit > 0 else { return true }
    if isNewCall, servers.count >= limit - limit / 20 { return false }
    return arena.storedBytes / Self.octetsPerTransaction < limit
      && shares.admits(source, total: servers.count, limit: limit)
  }

  /// Octets that a transaction may keep on average when all that are allowed exist.
  private static var octetsPerTransaction: Int { 4096 }

  /// Whether a CANCEL or ACK may act on a transaction: it comes from where the request came, or from an allowed
  /// source. Everybody downstream knows the branch; that alone must not end another's call.
  func mayActOn(_ server: UInt32, _ arrival: Arrival) -> Bool {
    let source = arrival.flow.remote.ip.canonical
    return servers.slab[server].replies.remote.ip.canonical == source
      || configuration.allowed.contains { $0.contains(source) }
  }

  /// G1, G2: in a dialog a token of ours, a dialog we know or an allowed source; outside an allowed source, or
  /// the token of a registration, which opens the way to its client alone.
  func mayUseProxy(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ plan: RoutePlan
  ) -> Bool {
    if plan.token?.kind == .registration, clientFlow(in: plan, arrival) != nil { return true }
    if message.to.hasTag || message.method == .ack || message.method == .cancel {
      if plan.hasCallToken { return true }
      if message.to.hasTag, findDialog(message, bytes) != nil { return true }
    }
    let source = arrival.flow.remote.ip.canonical
    return configuration.allowed.contains { $0.contains(source) }
  }
}
