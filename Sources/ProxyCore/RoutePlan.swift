// RFC 3261 sections 16.4, 16.6 item 6 and 16.12; RFC 5658 section 5: which Route values are ours, what the
// Request-URI becomes, and what decides the next hop (B27–B36, B58).
//
// Left open: how a strict router upstream is recognised. Our Record-Route URIs carry the parameter `ck`,
// so a Request-URI that is us and has it was written by us, also before a restart (B28). And how many values
// leave at once: all that we wrote and that follow each other, two for each time the call went through us,
// because a copy sent to ourselves would do the same one by one.

import SIPSyntax

/// What route preprocessing found out; ranges refer to the request as received.
struct RoutePlan {
  /// The Request-URI to forward to: the received one, or the last Route's after a strict router.
  var target: SIPURI
  /// The Request-URI was ours and `target` comes from the last Route (B27).
  var targetFromRoute = false
  /// The target's maddr named us and leaves, with its port and transport (B29).
  var stripsMaddr = false
  /// The first Route value that stays; it decides the next hop (B60).
  var nextRoute: SIPURI?
  /// Octets of Route rows to delete: our values in front, a strict router and the last one.
  var removals = InlineArray<12, ByteRange>(repeating: .none)
  var removalCount = 0
  /// What our own Route values prove and where they lead (B57); nil also when none verified. One that leads this
  /// request to a flow wins.
  var token: RouteToken?
  /// One of the tokens of ours in it is of this very call (G2).
  var hasCallToken = false

  /// The next Route has no `lr`: it takes the Request-URI's place (B58).
  var nextIsStrict: Bool { nextRoute.map { !$0.hasLR } ?? false }
  /// The URI whose address is the next hop (B60).
  var nextHop: SIPURI { nextRoute ?? target }
  /// Only TLS may carry the request: its Request-URI or its next Route is a sips URI (B60, G36).
  var isSecure: Bool { target.scheme == .sips || nextRoute?.scheme == .sips }

  fileprivate mutating func remove(_ range: ByteRange) {
    guard removalCount < removals.count else { return }
    removals[removalCount] = range
    removalCount += 1
  }
}

/// Why a request cannot be routed at all.
enum RouteFault: Error {
  case malformedRequestURI, malformedRoute
}

extension RoutePlan {
  /// Plans the route of a request. Cost: linear in its Route values, no allocation.
  init(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, own: OwnAddresses, tokens: RouteTokenCodec
  ) throws(RouteFault) {
    guard let requestURI = message.requestTarget else { throw .malformedRequestURI }
    target = requestURI
    // B29: a Request-URI whose maddr is us, at a port and transport we serve, is read without them.
    // B30: with a port or transport we do not serve it stays, and the request goes where it says.
    stripsMaddr = target.maddr.map { IPAddress(bytes, $0) != nil } ?? false && own.contains(target, in: bytes)
    guard message.first(.route) != nil else { return }
    // B27: the Request-URI is a value we put into Record-Route.
    targetFromRoute = requestURI.token != nil && own.contains(requestURI, in: bytes)
    if targetFromRoute { _ = verify(requestURI, message, bytes, tokens) }
    var walk = RouteWalk()
    var cursor = ListCursor(.route, in: message)
    var last = cursor.next(message, bytes)
    while let element = cursor.next(message, bytes) {
      if let before = last { try take(before, &walk, message, bytes, own, tokens) }
      last = element
    }
    guard !cursor.failed, let last else { throw .malformedRoute }
    if targetFromRoute {
      target = try Self.uri(of: last, bytes)
      stripsMaddr = false
      walk.remove(last, from: &self)
    } else {
      try take(last, &walk, message, bytes, own, tokens)
    }
    walk.finish(&self)
  }

  /// Looks at the next value: one of ours that leaves (B31, B32), or the first that stays.
  private mutating func take(
    _ element: ListCursor.Element, _ walk: inout RouteWalk, _ message: borrowing SIPMessage,
    _ bytes: Span<UInt8>, _ own: OwnAddresses, _ tokens: RouteTokenCodec
  ) throws(RouteFault) {
    defer { walk.position += 1 }
    guard nextRoute == nil else { return }
    let uri = try Self.uri(of: element, bytes)
    if walk.ownCount < RouteWalk.ownLimit, own.contains(uri, in: bytes) {
      let isVerified = verify(uri, message, bytes, tokens)
      if walk.continues(with: uri, isVerified, bytes) {
        walk.remove(element, from: &self)
        return
      }
    }
    nextRoute = uri
    if !uri.hasLR { walk.remove(element, from: &self) }  // B58
  }

  /// Reads the token of a URI of ours; whether it verified.
  private mutating func verify(
    _ uri: SIPURI, _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ tokens: RouteTokenCodec
  ) -> Bool {
    guard let text = uri.token,
      let found = tokens.verify(text, callID: message.callID, fromTag: message.from.tag, in: bytes)
    else { return false }
    if found.kind == .call { hasCallToken = true }
    if token?.flow == nil { token = found }
    return true
  }

  private static func uri(of element: ListCursor.Element, _ bytes: Span<UInt8>) throws(RouteFault) -> SIPURI {
    guard let address = parseNameAddress(bytes, element.value), let uri = SIPURI(parsing: bytes, address.uri),
      !uri.host.isEmpty
    else { throw .malformedRoute }
    return uri
  }
}

/// Goes over the Route values and gathers those that leave. Neighbours in one row leave as one range, so that no
/// empty row stays.
private struct RouteWalk {
  /// Values of ours that leave at most: those of four passes of the call through us.
  static var ownLimit: Int { 8 }

  /// How many values came before the one at hand.
  var position = 0
  private(set) var ownCount = 0
  private var latestOwn = ByteRange.none
  private var latestHadToken = false
  private var first: ListCursor.Element?
  private var through: ListCursor.Element?
  private var throughPosition = 0

  /// Whether a value that is us is one more of the same visit. The first always is. Each further one must have been
  /// written by us, and be of this call or unlike the one before: the same once more goes round in circles.
  mutating func continues(with uri: SIPURI, _ isVerified: Bool, _ bytes: Span<UInt8>) -> Bool {
    if ownCount > 0 {
      guard latestHadToken, uri.token != nil, isVerified || !bytes.equalIgnoringCase(latestOwn, uri.range)
      else { return false }
    }
    latestOwn = uri.range
    latestHadToken = uri.token != nil
    ownCount += 1
    return true
  }

  mutating func remove(_ element: ListCursor.Element, from plan: inout RoutePlan) {
    if let through, through.row == element.row, throughPosition + 1 == position {
      self.through = element
    } else {
      finish(&plan)
      first = element
      through = element
    }
    throughPosition = position
  }

  mutating func finish(_ plan: inout RoutePlan) {
    if let first, let through { plan.remove(first.removal(through: through)) }
    first = nil
    through = nil
  }
}
