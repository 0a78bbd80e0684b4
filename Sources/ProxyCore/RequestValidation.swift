// RFC 3261 sections 16.3 and 16.5, RFC 5393 section 4.2: may this request be forwarded? (B9–B25, B37–B40)
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
    let scheme = plan.target.scheme
    // B11. tel has a meaning only where a next hop is configured to know it; sips needs TLS (G36).
    guard scheme == .sip || (scheme == .tel && configuration.nextHop != nil) else {
      return .unsupportedScheme
    }

    let isForUs = plan.nextRoute == nil && !plan.targetFromRoute && own.contains(plan.target, in: bytes)
    if isForUs, message.method == .options, !plan.target.hasUser {
      return isDraining ? .unavailable(retryAfter: 10) : .optionsAnswer
    }
    if case .value(0) = message.maxForwards { return .tooManyHops }  // B14
    if hasUnknownProxyRequire(message, bytes) { return .badExtension }  // B23
    switch pastOf(message, bytes, loop) {
    case .new: break
    case .loop: return .loopDetected  // B19
    case .tooManyHops: return .tooManyHops  // E42
    }
    if isForUs { return .notFound }  // B40
    return nil
  }

  /// B23: any tag but `timer`; a malformed field names nothing we understand.
  private func hasUnknownProxyRequire(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) -> Bool {
    guard message.first(.proxyRequire) != nil else { return false }
    var cursor = ListCursor(.proxyRequire, in: message)
    while let element = cursor.next(message, bytes) {
      if !bytes.equalsIgnoringCase(element.value, "timer") { return true }
    }
    return false
  }

  /// B20: depends on Request-URI, all Route values, Call-ID, From tag and CSeq number, never on the method.
  func loopPart(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) -> UInt64 {
    var hasher = KeyedHasher(key: processKey, output: .bits64)
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
      host: via.host, ip: via.hostAddress, port: via.port, defaultPort: 5060, transport: nil, in: bytes)
  }
}
