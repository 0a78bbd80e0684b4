// RFC 5626 sections 5.1 and 5.3: which flow of a client a later request needs, and the way over it (D42, D69, D72).
//
// Left open: when a flow is worth a token. A connection always is, for it is how a client behind NAT, or one without
// a certificate, can be reached; a client on UDP when its Contact is not where it sends from, or `ob` asks for it.
// A connection that is gone is not replaced by a new one (430), for nobody knows who would be at its end.

import SIPSyntax

extension ProxyEngine {
  /// The flow a request's token leads to; nil when the token names none, or the request comes from its client.
  mutating func flowTarget(_ arrival: Arrival, _ plan: RoutePlan) -> TargetSet? {
    guard let named = clientFlow(in: plan, arrival) else { return nil }
    guard own.hasListener(named.listener) else { return .refused(.flowFailed) }
    let transport = own.transport(of: named.listener)
    // RFC 5630 §5.3: who registered without sips is not reached with it (G36, G37).
    guard !plan.isSecure || transport == .tls else { return .refused(.sipsNotAllowed) }
    let isOpen =
      transport.isReliable ? connections.contains(named.connection) : named.connection.isNone
    guard isOpen else { return .refused(.flowFailed) }
    let reached = reach(
      named.remote, transport, preferring: named.listener, at: arrival.now, pushesNextHop: false)
    guard case .one(var target) = reached else { return reached }
    target.flow.connection = named.connection
    target.flow.isExclusive = transport.isReliable
    target.ignoresSize = true
    return .one(target)
  }

  /// The client's flow that a request is for. A registration's token means nothing on a request that comes from that
  /// flow itself (RFC 5626 §5.3).
  func clientFlow(in plan: RoutePlan, _ arrival: Arrival) -> Flow? {
    guard let token = plan.token, let flow = token.flow else { return nil }
    guard token.kind == .registration, flow.listener == arrival.flow.listener else { return flow }
    let isItself =
      flow.connection.isNone
      ? flow.remote.port == arrival.flow.remote.port
        && flow.remote.ip.canonical == arrival.flow.remote.ip.canonical
      : flow.connection == arrival.flow.connection
    return isItself ? nil : flow
  }

  /// The flow on which a later request finds the client that sent this one, or nil when its Contact is good enough.
  func clientFlow(
    of message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival
  ) -> Flow? {
    guard isFirstHop(message, bytes) else { return nil }
    if own.transport(of: arrival.flow.listener).isReliable {
      return arrival.isFromClient ?? connections.isOpenedByPeer(arrival.flow.connection) ? arrival.flow : nil
    }
    guard let uri = firstContact(message, bytes)?.uri else { return nil }
    if uri.hasOB { return arrival.flow }
    let source = arrival.flow.remote
    guard uri.hostAddress?.canonical == source.ip.canonical else { return arrival.flow }
    // A client that sends from a port it does not listen on does not ask for `rport`.
    let listensElsewhere = message.topVia.rport == .absent || uri.port ?? 5060 == source.port
    return listensElsewhere ? nil : arrival.flow
  }

  /// Whether nobody but the client itself had the request before us.
  func isFirstHop(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) -> Bool {
    var vias = ListCursor(.via, in: message)
    _ = vias.next(message, bytes)
    return vias.next(message, bytes) == nil
  }

  /// The first Contact and its URI; nil when there is none that parses.
  func firstContact(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>
  ) -> (value: NameAddress, uri: SIPURI)? {
    var contacts = ListCursor(.contact, in: message)
    guard let element = contacts.next(message, bytes), let value = parseNameAddress(bytes, element.value),
      let uri = SIPURI(parsing: bytes, value.uri)
    else { return nil }
    return (value, uri)
  }
}
