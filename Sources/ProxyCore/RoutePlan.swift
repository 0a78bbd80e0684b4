// RFC 3261 sections 16.4, 16.6 item 6 and 16.12; RFC 5658 section 5: which Route values are ours, what the
// Request-URI becomes, and what decides the next hop (B27–B36, B58).
//
// Left open: how a strict router upstream is recognised. Our Record-Route URIs carry the parameter `ck`,
// so a Request-URI that is us and has it was written by us, also before a restart (B28).

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
  /// Octets of Route rows to delete: at most our one or two values in front, a strict router and the last one.
  var removals = InlineArray<4, ByteRange>(repeating: .none)
  var removalCount = 0
  /// The verified token of our own Route value (B57); nil also when it did not verify.
  var token: RouteToken?

  /// The next Route has no `lr`: it takes the Request-URI's place (B58).
  var nextIsStrict: Bool { nextRoute.map { !$0.hasLR } ?? false }
  /// The URI whose address is the next hop (B60).
  var nextHop: SIPURI { nextRoute ?? target }

  fileprivate mutating func remove(_ range: ByteRange) {
    guard removalCount < 4 else { return }
    removals[removalCount] = range
    removalCount += 1
  }
}

/// Why a request cannot be routed at all.
enum RouteFault: Error {
  case malformedRequestURI, malformedRoute
}

/// The Route values a plan looks at: the first three and the last.
private struct RouteSurvey {
  var front = InlineArray<3, ListCursor.Element?>(repeating: nil)
  var last: ListCursor.Element?
  var count = 0

  init(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) throws(RouteFault) {
    var cursor = ListCursor(.route, in: message)
    while let element = cursor.next(message, bytes) {
      if count < 3 { front[count] = element }
      last = element
      count += 1
    }
    if cursor.failed { throw .malformedRoute }
  }
}

extension RoutePlan {
  /// Plans the route of a request. Cost: linear in its Route values, no allocation.
  init(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, own: OwnAddresses, tokens: RouteTokenCodec
  ) throws(RouteFault) {
    guard let requestURI = message.requestTarget else { throw .malformedRequestURI }
    target = requestURI
    stripOwnMaddr(bytes, own)
    guard message.first(.route) != nil else { return }
    let survey = try RouteSurvey(message, bytes)
    var remaining = survey.count
    if let last = survey.last, let written = requestURI.token, own.contains(requestURI, in: bytes) {
      // B27: the Request-URI is a value we put into Record-Route.
      target = try Self.uri(of: last, bytes)
      targetFromRoute = true
      stripsMaddr = false
      remaining -= 1
      token = tokens.verify(written, callID: message.callID, in: bytes)
    }
    let ours = try leadingOwnValues(survey, remaining, message, bytes, own, tokens)
    if ours < remaining, let next = survey.front[ours] { nextRoute = try Self.uri(of: next, bytes) }
    collectRemovals(survey, front: nextIsStrict ? ours + 1 : ours)
  }

  /// How many leading values are ours: none, one (B31), or the two of a double Record-Route (B32).
  private mutating func leadingOwnValues(
    _ survey: RouteSurvey, _ remaining: Int, _ message: borrowing SIPMessage, _ bytes: Span<UInt8>,
    _ own: OwnAddresses, _ tokens: RouteTokenCodec
  ) throws(RouteFault) -> Int {
    guard remaining > 0, let first = survey.front[0] else { return 0 }
    let firstURI = try Self.uri(of: first, bytes)
    guard own.contains(firstURI, in: bytes) else { return 0 }
    if let written = firstURI.token, token == nil {
      token = tokens.verify(written, callID: message.callID, in: bytes)
    }
    guard remaining > 1, let second = survey.front[1], firstURI.token != nil else { return 1 }
    let secondURI = try Self.uri(of: second, bytes)
    guard secondURI.token != nil, own.contains(secondURI, in: bytes),
      !bytes.equalIgnoringCase(firstURI.host, secondURI.host) || firstURI.port != secondURI.port
    else { return 1 }
    return 2
  }

  /// Our values in front, a strict router behind them (B58), and the last value when it is the target (B27).
  /// Neighbours in one row leave as one range, so that no empty row stays.
  private mutating func collectRemovals(_ survey: RouteSurvey, front: Int) {
    var position = 0
    while position < front, let first = survey.front[position] {
      var through = first
      position += 1
      while position < front, let next = survey.front[position], next.row == first.row {
        through = next
        position += 1
      }
      if targetFromRoute, position == survey.count - 1, let last = survey.last, last.row == first.row {
        remove(first.removal(through: last))
        return
      }
      remove(first.removal(through: through))
    }
    if targetFromRoute, let last = survey.last { remove(last.removal) }
  }

  /// B29: a Request-URI whose maddr is us, at a port and transport we serve, is read without them.
  /// B30: with a port or transport we do not serve it stays, and the request goes where it says.
  private mutating func stripOwnMaddr(_ bytes: Span<UInt8>, _ own: OwnAddresses) {
    guard let maddr = target.maddr, let ip = IPAddress(bytes, maddr) else { return }
    if let transport = target.transport, !bytes.equalsIgnoringCase(transport, "udp") { return }
    stripsMaddr = own.contains(
      host: maddr, ip: ip, port: target.port, defaultPort: 5060, transport: .udp, in: bytes)
  }

  private static func uri(of element: ListCursor.Element, _ bytes: Span<UInt8>) throws(RouteFault) -> SIPURI {
    guard let address = parseNameAddress(bytes, element.value), let uri = SIPURI(parsing: bytes, address.uri),
      !uri.host.isEmpty
    else { throw .malformedRoute }
    return uri
  }
}
