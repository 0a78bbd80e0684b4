// RFC 5626 sections 5.2 and 5.3: a request whose token names a flow goes over that flow (D69, D72).

import SIPSyntax

extension ProxyEngine {
  /// The flow a request's token leads to; nil when the token names none, or the request comes from its client.
  mutating func flowTarget(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ plan: RoutePlan
  ) -> Result<ForwardingTarget, RoutingRefusal>? {
    guard let token = plan.token, let named = token.flow, !isFromClient(message, bytes, token) else {
      return nil
    }
    guard own.hasListener(named.listener) else { return .failure(RoutingRefusal(answer: .flowFailed)) }
    let transport = own.transport(of: named.listener)
    // G9: to send to ourselves is to go round in circles.
    if own.contains(named.remote, over: transport) { return .failure(RoutingRefusal(answer: .loopDetected)) }
    guard let listener = own.listener(for: named.remote.ip, over: transport, preferring: named.listener),
      let flow = flow(to: named.remote, from: listener, at: arrival.now)
    else { return .failure(RoutingRefusal(answer: .nextHopUnreachable)) }
    return .success(ForwardingTarget(flow: flow))
  }

  /// Whether the client at the other end of a token's flow sent the request itself. Its From tag tells, for its
  /// address may have changed.
  private func isFromClient(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ token: RouteToken
  ) -> Bool {
    tokens.clientHash(message.from.tag, in: bytes) == token.client
  }
}
