// RFC 3261 sections 16.5 and 16.6 items 6 and 7, RFC 5626 section 5.3: where a request goes next.
//
// Left open: in what order. A flow token leads to its flow unless the flow's own client sent the request; then a
// configured next hop for requests outside a dialog that no Route sends elsewhere (B35, B59); then the
// first Route, then the Request-URI (B60).

import SIPSyntax
import Timekeeping

/// Why a request cannot be sent anywhere, with the answer it gets.
struct RoutingRefusal: Error {
  let answer: OwnResponse
}

extension ProxyEngine {
  /// Finds the next hop and the socket toward it.
  mutating func resolveTarget(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ plan: RoutePlan
  ) -> Result<ForwardingTarget, RoutingRefusal> {
    if let target = flowTarget(message, bytes, arrival, plan) { return target }
    if pushesNextHop(message, bytes, arrival, plan), let first = configuration.nextHop?.addresses.first {
      return reach(first, .udp, arrival, preferring: arrival.flow.listener, pushesNextHop: true)
    }
    switch Resolution(plan.nextHop, bytes, ignoringMaddr: plan.stripsMaddr && plan.nextRoute == nil) {
    case .address(let address, let transport):
      return reach(address, transport, arrival, preferring: arrival.flow.listener, pushesNextHop: false)
    case .name:
      return .failure(RoutingRefusal(answer: .nextHopNotResolvable))
    case .unsupportedTransport:
      return .failure(RoutingRefusal(answer: .nextHopUnreachable))
    case .forbidden:
      counters.add(to: .droppedForbiddenDestination)
      return .failure(RoutingRefusal(answer: .forbidden))
    }
  }

  /// B59: whether a request goes to the configured next hop: it is in no dialog, no Route sends it elsewhere, no
  /// flow waits for it, and it does not come from there.
  func pushesNextHop(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ plan: RoutePlan
  ) -> Bool {
    guard let nextHop = configuration.nextHop, plan.nextRoute == nil, !message.to.hasTag,
      message.method != .ack, plan.token?.flow == nil
    else { return false }
    let source = arrival.flow.remote
    let via = message.topVia
    return !nextHop.addresses.contains { address in
      // Hosts behind one NAT, or on one machine, share an address: the port decides, of the packet or of Via.
      address.ip.canonical == source.ip.canonical
        && (address.port == source.port || address.port == via.port ?? 5060)
    }
  }

  private mutating func reach(
    _ address: SocketAddress, _ transport: TransportProtocol, _ arrival: Arrival,
    preferring preferred: UInt16, pushesNextHop: Bool
  ) -> Result<ForwardingTarget, RoutingRefusal> {
    // G9: to send to ourselves is to go round in circles.
    if own.contains(address, over: transport) { return .failure(RoutingRefusal(answer: .loopDetected)) }
    guard let listener = own.listener(for: address.ip, over: transport, preferring: preferred),
      let flow = flow(to: address, from: listener, at: arrival.now)
    else { return .failure(RoutingRefusal(answer: .nextHopUnreachable)) }
    return .success(ForwardingTarget(flow: flow, pushesNextHop: pushesNextHop))
  }

  /// The flow from a listener to a peer; a wildcard listener asks which local address leads there.
  mutating func flow(
    to address: SocketAddress, from listener: UInt16, at now: MonotonicInstant
  ) -> Flow? {
    let any = address.ip.family == .v4 ? IPAddress(v4: 0) : IPAddress(v6High: 0, v6Low: 0)
    guard own.isWildcard(listener) else { return Flow(listener: listener, remote: address, local: any) }
    guard let local = sources.local(toward: address.ip, at: now) else { return nil }
    own.learn(local)
    return Flow(listener: listener, remote: address, local: local)
  }
}
