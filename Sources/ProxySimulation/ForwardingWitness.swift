import SIPSyntax
import Timekeeping

/// Watches that the proxy passes messages on and does nothing else: RFC 3261 §16, RFC 4028 §8.3, B66, A87.
///
/// * A request that leaves has entered before, but for the proxy's own CANCEL and ACK, and these belong to an
///   INVITE that left, one that was cancelled (or rang for three minutes) or refused.
/// * A response that leaves has entered before, or is one of the few a proxy makes itself.
/// * Bodies, and header fields that B66 does not name, are the same octets on both sides.
/// * A request gets one final response, repeated at most as often as the request itself.
struct ForwardingWitness {
  private struct Request {
    let message: WireMessage
    var arrivals = 0
    /// What went back: the final response that is not a 2xx to INVITE, and how often.
    var answer: [UInt8]?
    var answers = 0
    var hasSucceeded = false
  }

  private struct Branch {
    let request: WireMessage
    let leftAt: MonotonicInstant
    var wasRefused = false
  }

  /// Requests that entered, by method and branch of the user agent.
  private var requests: [String: Request] = [:]
  /// INVITEs that left, by the proxy's branch.
  private var branches: [String: Branch] = [:]
  /// Responses that entered, by what makes them one of a kind.
  private var responses: [String: WireMessage] = [:]

  /// A datagram enters the proxy.
  mutating func entered(_ message: WireMessage, at now: MonotonicInstant) {
    guard let top = message.branches.first else { return }
    if let method = message.method {
      let key = Self.key(method, top)
      requests[key, default: Request(message: message)].arrivals += 1
    } else {
      guard message.branches.count > 1 else { return }
      responses[Self.key(of: message, branch: message.branches[1])] = message
      if message.cSeqMethod == "INVITE", message.status >= 300 { branches[top]?.wasRefused = true }
    }
  }

  /// A datagram left the proxy.
  mutating func left(
    _ message: WireMessage, to destination: SocketAddress, at now: MonotonicInstant
  ) -> Violation? {
    let fault = message.method == nil ? faultOfResponse(message) : faultOfRequest(message, at: now)
    return fault.map { Violation("\($0)\n\(Self.text(message))", call: message.callID) }
  }

  private static func key(_ method: String, _ branch: String) -> String { "\(method) \(branch)" }

  private static func key(of response: WireMessage, branch: String) -> String {
    "\(response.status) \(response.cSeqMethod) \(response.toTag) \(branch)"
  }

  private static func text(_ message: WireMessage) -> String {
    ([message.startLine] + message.rows.map(\.text)).joined(separator: "\n")
  }

  // MARK: Requests

  private mutating func faultOfRequest(_ message: WireMessage, at now: MonotonicInstant) -> String? {
    guard let method = message.method, let ours = message.branches.first else {
      return "a request without a branch left"
    }
    guard message.branches.count > 1 else { return faultOfOwnRequest(message, method, ours, at: now) }
    guard let origin = requests[Self.key(method, message.branches[1])]?.message else {
      return "a request left that never entered"
    }
    if method == "INVITE", branches[ours] == nil { branches[ours] = Branch(request: message, leftAt: now) }
    return Self.changeOfRequest(from: origin, to: message)
  }

  /// The proxy may cancel what was cancelled or rings too long (B90, B96), and acknowledge a refusal (C22).
  private func faultOfOwnRequest(
    _ message: WireMessage, _ method: String, _ ours: String, at now: MonotonicInstant
  ) -> String? {
    guard let branch = branches[ours] else { return "a \(method) left that belongs to no INVITE" }
    switch method {
    case "ACK":
      return branch.wasRefused ? nil : "an ACK left for an INVITE that nobody refused"
    case "CANCEL":
      let wasCancelled = requests[Self.key("CANCEL", branch.request.branches[1])] != nil
      let ringsLong = now >= branch.leftAt + .seconds(180)
      return wasCancelled || ringsLong ? nil : "a CANCEL left that nobody sent"
    default:
      return "the proxy made a \(method)"
    }
  }

  private static func changeOfRequest(from origin: WireMessage, to copy: WireMessage) -> String? {
    if origin.startLine != copy.startLine { return "the request line changed" }
    if origin.body != copy.body { return "the body changed" }
    if Array(copy.branches.dropFirst()) != origin.branches { return "the Via rows below ours changed" }
    let routes = origin.rows("route").map(\.text)
    let expectedRoutes = origin.uri(in: "route").map { $0.hasPrefix("sip:192.0.2.10") } ?? false
    if copy.rows("route").map(\.text) != Array(routes.dropFirst(expectedRoutes ? 1 : 0)) {
      return "other Route values than the proxy's own changed"
    }
    if (copy.number("max-forwards") ?? 0) != (origin.number("max-forwards") ?? 71) - 1 {
      return "Max-Forwards is not one less"
    }
    if copy.rows("max-breadth").count != 1 { return "Max-Breadth is not there once (B46)" }
    var changeable: Set = ["via", "route", "record-route", "max-forwards", "max-breadth"]
    if origin.method == "INVITE" || origin.method == "UPDATE" {
      changeable.formUnion(["session-expires", "min-se"])
    }
    if origin.method == "REGISTER" { changeable.insert("path") }
    return changedRow(from: origin, to: copy, besides: changeable)
  }

  private static func changedRow(
    from origin: WireMessage, to copy: WireMessage, besides changeable: Set<String>
  ) -> String? {
    let before = origin.rows.filter { !changeable.contains($0.name) }.map(\.text)
    let after = copy.rows.filter { !changeable.contains($0.name) }.map(\.text)
    if before == after { return nil }
    let place =
      zip(before, after).enumerated().first { $1.0 != $1.1 }?.offset ?? min(before.count, after.count)
    return "header field changed: \(place < before.count ? before[place] : "one was added")"
  }

  // MARK: Responses

  private mutating func faultOfResponse(_ message: WireMessage) -> String? {
    guard let top = message.branches.first, var request = requests[Self.key(message.cSeqMethod, top)] else {
      return "a response left for a request that never entered"
    }
    let isInvite = message.cSeqMethod == "INVITE"
    if let origin = responses[Self.key(of: message, branch: top)] {
      if let change = Self.changeOfResponse(from: origin, to: message) { return change }
    } else if !Self.isOwn(message.status, isInvite: isInvite, method: message.cSeqMethod) {
      return "a response left that never entered"
    }
    defer { requests[Self.key(message.cSeqMethod, top)] = request }
    guard message.status >= 200 else { return nil }
    if !isInvite && message.status == 408 { return "a 408 to a non-INVITE left (B79)" }
    if isInvite && message.status < 300 {
      request.hasSucceeded = true
      return request.answer == nil ? nil : "a 2xx left after another final response"
    }
    if request.hasSucceeded { return "a final response left after a 2xx" }
    if let earlier = request.answer, earlier != message.bytes { return "two different final responses left" }
    request.answer = message.bytes
    request.answers += 1
    // A final response to INVITE is repeated by Timer G, any other only when asked for (C33, C40).
    let isTooMany = !isInvite && request.answers > request.arrivals
    return isTooMany ? "\(request.answers) answers left to \(request.arrivals) requests" : nil
  }

  /// What a stateful proxy answers by itself.
  private static func isOwn(_ status: Int, isInvite: Bool, method: String) -> Bool {
    switch status {
    case 100, 422, 500: true
    case 408, 487: isInvite
    case 200: method == "CANCEL"
    default: false
    }
  }

  private static func changeOfResponse(from origin: WireMessage, to copy: WireMessage) -> String? {
    if origin.startLine != copy.startLine { return "the status line changed" }
    if origin.body != copy.body { return "the body changed" }
    if Array(origin.rows("via").map(\.text).dropFirst()) != copy.rows("via").map(\.text) {
      return "the Via rows below ours changed"
    }
    var changeable: Set = ["via"]
    let isRefresh = origin.cSeqMethod == "INVITE" || origin.cSeqMethod == "UPDATE"
    // A64, A71: added where there is none, never changed where there is one.
    if isRefresh, origin.status / 100 == 2, origin.value("session-expires") == nil {
      changeable.formUnion(["session-expires", "require"])
    }
    return changedRow(from: origin, to: copy, besides: changeable)
  }
}
