// RFC 5922 section 7.3, RFC 3261 section 26.3.2: the domain that a TLS connection must prove (G29, G33). It is the
// input to RFC 3263: the host of the URI that was resolved, never a name the DNS gave.

import SIPSyntax

extension ProxyEngine {
  /// Adds the domain of a request's next hop to the message that was just finished, for a new TLS connection.
  func namePeer(
    of target: ForwardingTarget, _ plan: RoutePlan, _ bytes: Span<UInt8>, in outbox: inout Outbox
  ) {
    guard needsPeerName(target.flow) else { return }
    if target.pushesNextHop {
      outbox.namePeer(nextHop.host, in: nextHop.uri.span)
    } else {
      let isStripped = plan.stripsMaddr && plan.nextRoute == nil
      let maddr = isStripped ? nil : plan.nextHop.maddr
      outbox.namePeer(maddr ?? plan.nextHop.host, in: bytes)
    }
  }

  /// The same for a CANCEL or ACK, from the request it belongs to as it was sent: its first Route decides (B60).
  func namePeer(
    of sent: borrowing SIPMessage, _ bytes: Span<UInt8>, over flow: Flow, in outbox: inout Outbox
  ) {
    guard needsPeerName(flow) else { return }
    var routes = ListCursor(.route, in: sent)
    if let element = routes.next(sent, bytes), let route = parseNameAddress(bytes, element.value),
      let uri = SIPURI(parsing: bytes, route.uri)
    {
      outbox.namePeer(uri.maddr ?? uri.host, in: bytes)
    } else if let uri = sent.requestTarget {
      outbox.namePeer(uri.maddr ?? uri.host, in: bytes)
    }
  }

  private func needsPeerName(_ flow: Flow) -> Bool {
    own.transport(of: flow.listener) == .tls && !flow.isExclusive
  }
}
