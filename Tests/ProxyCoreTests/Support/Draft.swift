import ProxySimulation

/// Where the parties of the test calls are.
enum Place {
  static let alice = "203.0.113.5:5062"
  static let bob = "198.51.100.2:5070"
  static let carol = "198.51.100.3:5060"
}

/// One of the two ends of a test call.
enum Person {
  case alice, bob

  var address: String { self == .alice ? Place.alice : Place.bob }
  var contact: String { "<sip:\(self)@\(address)>" }
  var target: String { "sip:\(self)@\(address)" }
  var other: Person { self == .alice ? .bob : .alice }
  var tag: String { self == .alice ? "a" : "b" }
}

/// A message being written: start line, rows and body, changed as a test needs it.
struct Draft {
  var startLine: String
  var rows: [String]
  var body: [UInt8] = []

  /// A request outside a dialog, or inside one when `toTag` is given; the shortest that RFC 3261 allows, with a Contact.
  static func request(
    _ method: String = "INVITE", _ uri: String? = nil, by party: Person = .alice,
    branch: String = "z9hG4bKa1",
    cSeq: Int = 1, toTag: String? = nil, callID: String = "call@203.0.113.5"
  ) -> Draft {
    let other = party.other
    return Draft(
      startLine: "\(method) \(uri ?? other.target) SIP/2.0",
      rows: [
        "Via: SIP/2.0/UDP \(party.address);branch=\(branch)",
        "Max-Forwards: 70",
        "From: <sip:\(party)@example.com>;tag=\(party.tag)",
        "To: <sip:\(other)@example.com>" + (toTag.map { ";tag=\($0)" } ?? ""),
        "Call-ID: \(callID)",
        "CSeq: \(cSeq) \(method)",
        "Contact: \(party.contact)",
        "Content-Length: 0",
      ])
  }

  /// The answer a user agent gives to a request it received: Via, Record-Route, From, To, Call-ID and CSeq are copied.
  static func answer(_ status: Int, to request: SentMessage, tag: String? = "b") -> Draft {
    var rows = request.values("Via").map { "Via: \($0)" }
    rows += request.values("Record-Route").map { "Record-Route: \($0)" }
    rows.append("From: \(request.value("From") ?? "")")
    let to = request.value("To") ?? ""
    rows.append("To: " + (to.contains(";tag=") ? to : to + (tag.map { ";tag=\($0)" } ?? "")))
    rows.append("Call-ID: \(request.value("Call-ID") ?? "")")
    rows.append("CSeq: \(request.value("CSeq") ?? "")")
    if (101..<300).contains(status) { rows.append("Contact: \(Person.bob.contact)") }
    rows.append("Content-Length: 0")
    return Draft(startLine: "SIP/2.0 \(status) Said", rows: rows)
  }

  /// With rows added at the end of the header section.
  func with(_ added: String...) -> Draft {
    var draft = self
    draft.rows += added
    return draft
  }

  /// With rows added in front of all others.
  func preceded(by added: String...) -> Draft {
    var draft = self
    draft.rows = added + rows
    return draft
  }

  /// With the rows of one name replaced by one row where the first stood, or removed when `value` is nil.
  func setting(_ name: String, _ value: String?) -> Draft {
    var draft = self
    let place = rows.firstIndex { $0.lowercased().hasPrefix(name.lowercased() + ":") }
    draft.rows.removeAll { $0.lowercased().hasPrefix(name.lowercased() + ":") }
    if let value { draft.rows.insert("\(name): \(value)", at: place ?? draft.rows.count) }
    return draft
  }

  /// With a body and the Content-Length for it.
  func with(body: [UInt8]) -> Draft {
    var draft = setting("Content-Length", "\(body.count)")
    draft.body = body
    return draft
  }

  /// The octets on the wire.
  var bytes: [UInt8] {
    Array((([startLine] + rows).joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
  }
}
