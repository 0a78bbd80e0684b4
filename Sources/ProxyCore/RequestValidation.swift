// RFC 3261 sections 16.3 and 16.5, RFC 5393 section 4.2, RFC 5630 section 5.3: may this request be forwarded?
// (B9–B25, B37–B40, G38)
//
// Left open: what answers an OPTIONS that reached its end here. One addressed to us without a user part is
// answered 200, also with Max-Forwards 0; anything else for us has no such resource: 404.

import PagedStorage
import SIPSyntax

extension ProxyEngine {
  /// The answer the proxy gives itself, or nil when the request is to be forwarded.
  mutating func validate(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ plan: RoutePlan, _ loop: UInt64
  ) -> OwnResponse? {
    guard understands(plan.target.scheme) else { return .unsupportedScheme }  // B11
    if usesSIPSInconsistently(message, bytes, plan) { return OwnResponse(400, "SIPS With A SIP Contact") }

    let isForUs = isForProxy(plan, bytes)
    if isForUs, message.method == .options, !plan.target.hasUser {
      return isDraining ? .unavailable(retryAfter: 10) : .optionsAnswer
    }
    if case .value(0) = message.maxForwards { return .tooManyHops }  // B14
    switch proxyRequire(message, bytes) {  // B23
    case .understood: break
    case .unknown: return .badExtension
    case .malformed: return OwnResponse(400, "Malformed Proxy-Require")
    }
    switch pastOf(message, bytes, loop) {
    case .new: break
    case .loop: return .loopDetected  // B19
    case .tooManyHops: return .tooManyHops  // E42
    }
    if isForUs { return .notFound }  // B40
    return nil
  }

  /// B11. sips asks for TLS on every hop, so it is understood where we speak TLS (G36); tel has a meaning only where
  /// a next hop is configured to know it.
  private func understands(_ scheme: URIScheme) -> Bool {
    switch scheme {
    case .sip: true
    case .sips: own.speaks(.tls)
    case .tel: configuration.nextHop != nil
    case .other: false
    }
  }

  /// G38: a request for a sips URI whose sender wants to be reached without TLS. In a dialog that is no fault of
  /// the sender: our own sips Record-Route may have led the other side to a sips Contact.
  private func usesSIPSInconsistently(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ plan: RoutePlan
  ) -> Bool {
    guard plan.target.scheme == .sips, !message.to.hasTag, message.method != .register else { return false }
    return firstContact(message, bytes)?.uri.scheme == .sip
  }

  /// Whether a request ends here: no Route sends it on, and its Request-URI, without a maddr that named us (B29),
  /// is one of ours.
  func isForProxy(_ plan: RoutePlan, _ bytes: Span<UInt8>) -> Bool {
    guard plan.nextRoute == nil, !plan.targetFromRoute else { return false }
    guard plan.stripsMaddr else { return own.contains(plan.target, in: bytes) }
    return own.contains(
      host: plan.target.host, ip: plan.target.hostAddress, port: nil,
      transport: plan.target.scheme == .sips ? .tls : nil, in: bytes)
  }

  /// What Proxy-Require asks for.
  private enum ProxyRequirement { case understood, unknown, malformed }

  /// B23: we understand `timer` and nothing else.
  private func proxyRequire(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) -> ProxyRequirement {
    guard message.first(.proxyRequire) != nil else { return .understood }
    var cursor = ListCursor(.proxyRequire, in: message)
    var requirement = ProxyRequirement.understood
    while let element = cursor.next(message, bytes) {
      if !bytes.equalsIgnoringCase(element.value, "timer") { requirement = .unknown }
    }
    return cursor.failed ? .malformed : requirement
  }

  /// B20: depends on Request-URI, all Route values, Call-ID, From tag, CSeq number and whether the next hop is
  /// pushed or a flow is taken, never on the method.
  func loopPart(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ plan: RoutePlan
  ) -> UInt64 {
    var hasher = KeyedHasher(key: processKey, output: .bits64)
    let takesFlow = clientFlow(in: plan, arrival) != nil
    hasher.append(UInt8(takesFlow ? 2 : pushesNextHop(message, bytes, arrival, plan) ? 1 : 0))
    hasher.appendField(bytes, message.requestURI)
    hasher.appendField(bytes, message.callID)
    hasher.appendField(bytes, message.from.tag)
    hasher.append(UInt64(message.cSeq.number))
    var route = message.first(.route)
    while let row = route {
      hasher.appendField(bytes, message[field: row].value)
      route = message.next(after: row)
    }
    return hasher.finish64()
  }

  /// What the Via values of a request tell about where it has been.
  private enum Past { case new, loop, tooManyHops }

  /// Via values a request may have: every hop that Max-Forwards allows by default, and a margin (E42).
  private static var viaLimit: Int { 80 }

  /// B19: a Via of ours whose loop part equals the one computed now. Cost: linear in the Via values.
  private func pastOf(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ loop: UInt64) -> Past {
    if isOwnVia(message.topVia, bytes), let branch = message.topVia.branch,
      branches.hasLoopPart(loop, branch, in: bytes)
    {
      return .loop
    }
    var cursor = ListCursor(.via, in: message)
    var count = cursor.next(message, bytes) == nil ? 0 : 1
    while let element = cursor.next(message, bytes) {
      count += 1
      if count > Self.viaLimit { return .tooManyHops }
      // B22: a Via below the top may hold anything.
      guard let via = parseVia(bytes, element.value), let branch = via.branch else { continue }
      if branches.hasLoopPart(loop, branch, in: bytes), isOwnVia(via, bytes) { return .loop }
    }
    return .new
  }

  /// Whether a Via's sent-by is one we write.
  func isOwnVia(_ via: ViaValue, _ bytes: Span<UInt8>) -> Bool {
    own.contains(
      host: via.host, ip: via.hostAddress, port: via.port,
      transport: TransportProtocol(bytes, via.transport), in: bytes)
  }
}
