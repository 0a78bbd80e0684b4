import ProxyCore
import SIPSyntax
import Timekeeping

/// What may leave as a response, and how it may differ from what entered (RFC 3261 §16.7).
extension ForwardingWitness {
  mutating func faultOfResponse(
    _ message: WireMessage, to destination: Place, at now: MonotonicInstant
  ) -> String? {
    guard let top = message.branches.first else { return "a response without a branch left" }
    let key = Self.key(message.cSeqMethod, top)
    guard var request = requests[key] else { return "a response left for a request that never entered" }
    if !destination.leads(to: request.source) {
      return "a response to \(request.source) left for \(destination.address)"
    }
    let vias = [message, request.message].map { $0.rows("via").map { Self.unstamped($0.text) } }
    if vias[0] != vias[1] { return "the Via rows of a response are not its request's" }
    // A 100 is always the proxy's own (B71, C43).
    if message.status > 100, let origin = responses[Self.key(of: message, branch: top)] {
      if message.status == 503 { return "a 503 of a next hop went upstream (B80)" }
      if let change = Self.changeOfResponse(from: origin, to: message) { return change }
    } else if let fault = faultOfOwnResponse(message, to: request, at: now) {
      return fault
    }
    defer { requests[key] = request }
    if message.status >= 200 { request.answeredAt = min(request.answeredAt, now) }
    return Self.noteFinal(message, of: &request)
  }

  /// One final response to each request, or several 2xx to an INVITE.
  private static func noteFinal(_ message: WireMessage, of request: inout Request) -> String? {
    guard message.status >= 200 else { return nil }
    let isInvite = message.cSeqMethod == "INVITE"
    if !isInvite && message.status == 408 { return "a 408 to a non-INVITE left (B79)" }
    if isInvite && message.status < 300 {
      request.hasSucceeded = true
      return request.answer == nil || request.isExempt ? nil : "a 2xx left after another final response"
    }
    defer {
      request.answer = message.bytes
      request.answers += 1
    }
    if request.isExempt { return nil }
    if request.hasSucceeded { return "a final response left after a 2xx" }
    if let earlier = request.answer, earlier != message.bytes { return "two different final responses left" }
    // A final response to INVITE is repeated by Timer G, any other only when asked for (C33, C40).
    let isTooMany = !isInvite && request.answers >= request.arrivals
    return isTooMany ? "\(request.answers + 1) answers left to \(request.arrivals) requests" : nil
  }

  /// What a stateful proxy answers by itself, and when.
  private func faultOfOwnResponse(
    _ message: WireMessage, to request: Request, at now: MonotonicInstant
  ) -> String? {
    let isInvite = message.cSeqMethod == "INVITE"
    let isRefresh = isInvite || message.cSeqMethod == "UPDATE"
    let isAllowed =
      switch message.status {
      case 100: true
      case 200: message.cSeqMethod == "CANCEL"
      case 408: isInvite && now >= request.enteredAt + .seconds(32)
      case 430: isLost(request.message)
      case 422:
        isRefresh && request.message.number("session-expires") != nil
          && (request.branch == nil || request.isExempt)
      case 487: isInvite && requests[Self.key("CANCEL", message.branches[0])] != nil
      case 500: request.mayFail || isUnlocated(request)
      default: false
      }
    if !isAllowed { return "a response left that never entered" }
    for name in ["from", "call-id", "cseq"] {
      if message.value(name) != request.message.value(name) {
        return "\(name) of an answer is not its request's"
      }
    }
    return nil
  }

  /// Whether a request is for a host that lost a connection.
  private func isLost(_ request: WireMessage) -> Bool {
    let words = request.startLine.utf8.split(separator: 32)
    guard words.count > 1 else { return false }
    let uri = String(Substring(words[1]))
    let hosts = knownPlaces[uri] ?? Simulation.address(inRoute: uri).map { [$0] } ?? []
    return hosts.contains { brokenHosts.contains($0.ip) }
  }

  /// Whether the DNS may not have told where a request goes, or told it too late because time was out of joint.
  private func isUnlocated(_ request: Request) -> Bool {
    let words = request.message.startLine.utf8.split(separator: 32)
    let targets = [
      words.count > 1 ? String(Substring(words[1])) : "",
      configuration.nextHop.map { String(decoding: $0.uri, as: UTF8.self) } ?? "",
    ]
    return targets.contains { target in
      guard let hostPort = Simulation.hostPort(inRoute: target), SocketAddress(hostPort) == nil else {
        return false
      }
      return request.isExempt || troubledHosts.contains(String(Substring(hostPort.utf8.prefix { $0 != 58 })))
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
