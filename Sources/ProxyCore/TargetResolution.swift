// RFC 3261 sections 16.5 and 16.6 items 6 and 7, RFC 3263 section 4: where a request goes next.
//
// Left open: in what order. A flow token leads to its flow unless the flow's own client sent the request; then a
// configured next hop for requests outside a dialog that no Route sends elsewhere (B35, B59); then the
// first Route, then the Request-URI (B60).

import SIPSyntax
import ServerLocation
import Timekeeping

/// Where a request can go.
enum TargetSet {
  /// One place, and no other if that fails.
  case one(ForwardingTarget)
  /// Several, in the order to try them (B61).
  case several([ServerTarget], pushesNextHop: Bool)
  /// The DNS has been asked.
  case pending(LocationID)
  /// A name that leads to nobody but us: the request has to be looked at again with that known (B33).
  case ours(DNSName)
  case refused(OwnResponse)
}

extension ProxyEngine {
  /// Finds the next hop, or the several addresses that it has. Without a name to look up it allocates nothing.
  mutating func resolveTargets(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ plan: RoutePlan,
    cannotWait: Bool = false, asking questions: inout [DNSQuestion]
  ) -> TargetSet {
    if let found = flowTarget(arrival, plan) { return found }
    let pushes = pushesNextHop(message, bytes, arrival, plan)
    let resolution =
      pushes
      ? (plan.isSecure ? nextHop.secureResolution : nextHop.resolution)
      : Resolution(
        plan.nextHop, bytes, isSecure: plan.isSecure,
        ignoringMaddr: plan.stripsMaddr && plan.nextRoute == nil, own: own)
    switch resolution {
    case .address(let address, let transport):
      return reach(address, transport, arrival, pushesNextHop: pushes)
    case .addresses(let targets):
      return choose(among: targets, arrival, pushesNextHop: pushes)
    case .name(let destination):
      let found = locator.locate(
        destination, for: arrival.flow.remote.ip, asksForProxy: pushes, grace: cannotWait ? Self.grace : nil,
        seed: callIDHash(message, bytes), at: arrival.now, asking: &questions)
      return targetSet(of: found, for: destination, arrival, pushesNextHop: pushes)
    case .unsupportedTransport:
      return .refused(.nextHopUnreachable)
    case .forbidden:
      counters.add(to: .droppedForbiddenDestination)
      return .refused(.forbidden)
    }
  }

  /// How long an answer of the DNS serves requests that cannot wait for another, whatever its time to live: a call's
  /// ACK must find what its INVITE found a moment ago.
  private static var grace: TimeSpan { .seconds(5) }

  /// The one target of a request that is forwarded without a transaction: the first of several, none while the DNS
  /// is being asked (B106, B107). The answer of the DNS is there when the request is repeated.
  mutating func resolveTarget(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ plan: RoutePlan,
    asking questions: inout [DNSQuestion]
  ) -> ForwardingTarget? {
    switch resolveTargets(message, bytes, arrival, plan, cannotWait: true, asking: &questions) {
    case .one(let target): return target
    case .several(let targets, let pushes):
      for target in targets {
        if case .one(let found) = reach(target.address, target.transport, arrival, pushesNextHop: pushes) {
          return found
        }
      }
      return nil
    case .ours(let name):
      own.learn(name, at: arrival.now)
      return nil
    case .pending, .refused: return nil
    }
  }

  private mutating func targetSet(
    of found: LocationResult, for destination: Destination, _ arrival: Arrival, pushesNextHop: Bool
  ) -> TargetSet {
    switch found {
    case .targets(let targets):
      if pushesNextHop {
        nextHop.learn(targets)
      } else if targets.allSatisfy({ own.contains($0.address, over: $0.transport) }) {
        // Known as ours and resolved all the same: it goes round in circles.
        return own.knows(destination.host) ? .refused(.loopDetected) : .ours(destination.host)
      }
      return choose(among: targets, arrival, pushesNextHop: pushesNextHop)
    case .pending(let location):
      return .pending(location)
    case .failed(let failure):
      counters.add(to: .nextHopsNotLocated)
      if failure == .overShare { counters.add(to: .lookupsRefusedBySourceLimit) }
      return .refused(.nextHopNotFound)
    }
  }

  /// One target needs no list. Addresses that failed a moment ago come last.
  private mutating func choose(
    among targets: [ServerTarget], _ arrival: Arrival, pushesNextHop: Bool
  ) -> TargetSet {
    if targets.count == 1, let only = targets.first {
      return reach(only.address, only.transport, arrival, pushesNextHop: pushesNextHop)
    }
    return .several(deadHops.sorted(targets, at: arrival.now), pushesNextHop: pushesNextHop)
  }

  /// B59: whether a request goes to the configured next hop: it is in no dialog, no Route sends it elsewhere, no
  /// flow waits for it, and it does not come from there.
  func pushesNextHop(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ plan: RoutePlan
  ) -> Bool {
    guard nextHop.exists, plan.nextRoute == nil, !message.to.hasTag, message.method != .ack,
      plan.token?.flow == nil
    else { return false }
    return !nextHop.sent(
      from: arrival.flow.remote, over: own.transport(of: arrival.flow.listener), message.topVia)
  }

  /// The socket and flow toward an address, when one of ours can reach it.
  mutating func reach(
    _ address: SocketAddress, _ transport: TransportProtocol, preferring preferred: UInt16,
    at now: MonotonicInstant, pushesNextHop: Bool
  ) -> TargetSet {
    // G9: so could a name lead where no address may.
    guard case .address = Resolution(address, transport) else {
      counters.add(to: .droppedForbiddenDestination)
      return .refused(.forbidden)
    }
    // To send to ourselves is to go round in circles.
    if own.contains(address, over: transport) { return .refused(.loopDetected) }
    guard let listener = own.listener(for: address.ip, over: transport, preferring: preferred),
      let flow = flow(to: address, from: listener, at: now)
    else { return .refused(.nextHopUnreachable) }
    return .one(ForwardingTarget(flow: flow, pushesNextHop: pushesNextHop))
  }

  /// The same, by the listener that the request came to if that can.
  mutating func reach(
    _ address: SocketAddress, _ transport: TransportProtocol, _ arrival: Arrival, pushesNextHop: Bool
  ) -> TargetSet {
    reach(
      address, transport, preferring: arrival.flow.listener, at: arrival.now, pushesNextHop: pushesNextHop)
  }

  /// The flow from a listener to a peer; a wildcard listener asks which local address leads there.
  private mutating func flow(
    to address: SocketAddress, from listener: UInt16, at now: MonotonicInstant
  ) -> Flow? {
    let any = address.ip.family == .v4 ? IPAddress(v4: 0) : IPAddress(v6High: 0, v6Low: 0)
    guard own.isWildcard(listener) else { return Flow(listener: listener, remote: address, local: any) }
    guard let local = sources.local(toward: address.ip, at: now) else { return nil }
    own.learn(local)
    return Flow(listener: listener, remote: address, local: local)
  }
}
