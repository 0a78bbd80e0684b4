import ProxyCore
import SIPSyntax
import Timekeeping

/// What may leave as a request, and how it may differ from what entered (RFC 3261 §16.6).
extension ForwardingWitness {
  mutating func faultOfRequest(
    _ message: WireMessage, to destination: Place, at now: MonotonicInstant
  ) -> String? {
    guard let method = message.method, let ours = message.branches.first else {
      return "a request without a branch left"
    }
    let key = Self.key(method, ours)
    if let earlier = outgoing[key] {
      outgoing[key]?.count += 1
      return faultOfRepetition(message, of: earlier, to: destination)
    }
    defer { outgoing[key] = Outgoing(message: message, destination: destination, leftAt: now) }
    guard message.branches.count > 1 else {
      return faultOfOwnRequest(message, method, ours, to: destination, at: now)
    }
    let origin = Self.key(method, message.branches[1])
    guard let request = requests[origin] else { return "a request left that never entered" }
    let isStateless = method == "ACK" || method == "CANCEL"
    if !isStateless, let earlier = request.branch, !request.isExempt,
      !mayGoElsewhere(message, request, after: earlier, at: now)
    {
      return "a request left on two branches"
    }
    if request.isAnswered, !request.isExempt { return "a request left after its final response" }
    requests[origin]?.branch = ours
    let expected = expectedPlaces(of: message)
    if !expected.isEmpty, !expected.contains(where: destination.leads) {
      return "a request for \(expected[0]) left for \(destination.address)"
    }
    return changeOfRequest(from: request, to: message)
  }

  /// C5, C37: at most eleven times in 64*T1, always the same octets to the same place.
  private func faultOfRepetition(
    _ message: WireMessage, of earlier: Outgoing, to destination: Place
  ) -> String? {
    // Without a transaction a copy is made anew, and a client may have another connection by now (B107).
    let isStateless = message.branches.count > 1 && ["ACK", "CANCEL"].contains(message.method)
    if earlier.message.bytes != message.bytes, !isStateless { return "a repeated request has other octets" }
    if earlier.destination != destination, !isStateless { return "a repeated request goes somewhere else" }
    if destination.isStream, message.method != "ACK", message.method != "CANCEL" {
      return "a request was repeated over a stream (C1, C37)"
    }
    let isBounded = message.method != "ACK" && message.branches.count > 1 && message.method != "CANCEL"
    return isBounded && earlier.count > 11 ? "a request was repeated \(earlier.count) times" : nil
  }

  /// Where the first Route or the Request-URI of a copy leads (B60); empty when it does not say.
  private func expectedPlaces(of copy: WireMessage) -> [SocketAddress] {
    let words = copy.startLine.utf8.split(separator: 32)
    guard words.count > 1 else { return [] }
    let target = copy.value("route") ?? String(Substring(words[1]))
    let uri = String(Substring(target.utf8.drop { $0 == 60 }.prefix { $0 != 62 }))
    return knownPlaces[uri] ?? Simulation.address(inRoute: uri).map { [$0] } ?? []
  }

  /// Whether there is more than one place a copy could go to.
  func hasSeveralPlaces(_ copy: WireMessage) -> Bool { expectedPlaces(of: copy).count > 1 }

  /// D55: the place before has failed: refused, answered 503, or silent for 64*T1.
  private func mayGoElsewhere(
    _ copy: WireMessage, _ request: Request, after earlier: String, at now: MonotonicInstant
  ) -> Bool {
    guard hasSeveralPlaces(copy), let left = outgoing[Self.key(copy.method ?? "", earlier)] else {
      return false
    }
    return request.mayFail || !left.wasHeard && now >= left.leftAt + .milliseconds(31_990)
  }

  /// The proxy may cancel what was cancelled or rings too long (B90, B96), and acknowledge a refusal (C22);
  /// both go the INVITE's way (B97).
  private func faultOfOwnRequest(
    _ message: WireMessage, _ method: String, _ ours: String, to destination: Place,
    at now: MonotonicInstant
  ) -> String? {
    guard let invite = outgoing[Self.key("INVITE", ours)] else {
      return "a \(method) left that belongs to no INVITE"
    }
    let copied = ["via", "route", "from", "call-id"]
    for name in copied {
      let texts = invite.message.rows(name).map(\.text)
      let expected = name == "via" ? Array(texts.prefix(1)) : texts
      if message.rows(name).map(\.text) != expected { return "\(name) of a \(method) is not its INVITE's" }
    }
    let uris = [message, invite.message].map { $0.startLine.utf8.split(separator: 32).dropFirst().first }
    if uris[0].map(String.init) != uris[1].map(String.init) || message.cSeq != invite.message.cSeq
      || destination != invite.destination
    {
      return "a \(method) does not go its INVITE's way"
    }
    switch method {
    case "ACK":
      return invite.wasRefused ? nil : "an ACK left for an INVITE that nobody refused"
    case "CANCEL":
      if !invite.wasHeard { return "a CANCEL left before any provisional response (B96)" }
      let wasCancelled = requests[Self.key("CANCEL", invite.message.branches[1])] != nil
      let ringsLong = now >= invite.leftAt + .seconds(180)
      return wasCancelled || ringsLong ? nil : "a CANCEL left that nobody sent"
    default:
      return "the proxy made a \(method)"
    }
  }

  // MARK: The copy

  private func changeOfRequest(from request: Request, to copy: WireMessage) -> String? {
    let origin = request.message
    if origin.startLine != copy.startLine { return "the request line changed" }
    if origin.body != copy.body { return "the body changed" }
    if let fault = changeOfVia(from: request, to: copy) { return fault }
    if copy.rows("route").map(\.value) != expectedRoutes(of: request) {
      return "other Route values than the proxy's own changed"
    }
    if let fault = changeOfRecordRoute(from: request, to: copy) { return fault }
    if (copy.number("max-forwards") ?? 0) != (origin.number("max-forwards") ?? 71) - 1 {
      return "Max-Forwards is not one less"
    }
    if copy.rows("max-breadth").count != 1 { return "Max-Breadth is not there once (B46)" }
    var changeable: Set = ["via", "route", "record-route", "max-forwards", "max-breadth"]
    if origin.method == "INVITE" || origin.method == "UPDATE" {
      changeable.formUnion(["session-expires", "min-se"])
    }
    if origin.method == "REGISTER" { changeable.insert("path") }
    return Self.changedRow(from: origin, to: copy, besides: changeable)
  }

  /// Ours on top, the topmost received one with `received` and `rport` filled in, the others as they were.
  private func changeOfVia(from request: Request, to copy: WireMessage) -> String? {
    let before = request.message.rows("via").map(\.text)
    let after = copy.rows("via").map(\.text)
    guard after.count == before.count + 1, after.dropFirst(2) == before.dropFirst(),
      Self.unstamped(after[1]) == Self.unstamped(before[0])
    else { return "the Via rows below ours changed" }
    let parameters = after[1].utf8.split(separator: 59).map { String(Substring($0)) }
    let wasAsked = before[0].utf8.split(separator: 59).contains { String(Substring($0)) == "rport" }
    if wasAsked, !parameters.contains("rport=\(request.source.port)") {
      return "rport is not filled in (D17)"
    }
    return nil
  }

  /// A Via row without what a server adds to it.
  static func unstamped(_ row: String) -> [String] {
    row.utf8.split(separator: 59).map { String(Substring($0)) }.filter {
      !$0.utf8.starts(with: "received=".utf8) && !$0.utf8.starts(with: "rport".utf8)
    }
  }

  /// The received Route values without the proxy's own; a configured next hop where none is left (B31, B59).
  private func expectedRoutes(of request: Request) -> [String] {
    let origin = request.message
    var routes = origin.rows("route").map(\.value)
    // Two where the transport changes (B32, B54).
    for _ in 0..<2 {
      if let first = routes.first, Simulation.address(inRoute: first) == Simulation.proxyAddress {
        routes.removeFirst()
      }
    }
    if let hop = configuration.nextHop, routes.isEmpty, origin.toTag.isEmpty, origin.method != "ACK",
      !hop.addresses.contains(request.source)
    {
      routes = ["<\(String(decoding: hop.uri, as: UTF8.self))>"]
    }
    return routes
  }

  /// One value of ours before the others, in what can form or refresh a dialog (B49), two where the transport
  /// changes (B54).
  private func changeOfRecordRoute(from request: Request, to copy: WireMessage) -> String? {
    let origin = request.message
    let before = origin.rows("record-route").map(\.text)
    let after = copy.rows("record-route")
    let unrouted = ["ACK", "BYE", "CANCEL", "OPTIONS", "PRACK", "MESSAGE", "INFO", "PUBLISH", "REGISTER"]
    let transports = Set([origin, copy].map { Self.transport(of: $0) })
    let wanted = unrouted.contains(origin.method ?? "") ? 0...0 : transports.count > 1 ? 2...2 : 1...1
    let ours = after.count - before.count
    // Two connections of clients may need a value each.
    let hasTwoFlows = wanted == 1...1 && ours == 2 && transports == ["SIP/2.0/TCP"]
    guard wanted.contains(ours) || hasTwoFlows, Array(after.dropFirst(ours).map(\.text)) == before,
      after.prefix(ours).allSatisfy({ Simulation.address(inRoute: $0.value) == Simulation.proxyAddress })
    else { return "Record-Route is not as it should be (B49, B50)" }
    return nil
  }

  private static func transport(of message: WireMessage) -> String {
    String(Substring((message.value("via") ?? "").utf8.prefix { $0 != 32 }))
  }

  static func changedRow(
    from origin: WireMessage, to copy: WireMessage, besides changeable: Set<String>
  ) -> String? {
    let before = origin.rows.filter { !changeable.contains($0.name) }.map(\.text)
    let after = copy.rows.filter { !changeable.contains($0.name) }.map(\.text)
    if before == after { return nil }
    let place =
      zip(before, after).enumerated().first { $1.0 != $1.1 }?.offset ?? min(before.count, after.count)
    return "header field changed: \(place < before.count ? before[place] : "one was added")"
  }
}
