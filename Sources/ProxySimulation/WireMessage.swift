/// A datagram as the simulation's own, deliberately simple parser reads it: rows of text and a body.
///
/// It shares no code with the proxy's parser, so that a fault there does not hide itself.
final class WireMessage {
  /// One header field row with its folded lines.
  struct Row {
    /// The long form of the name, in lower case.
    let name: String
    /// The whole row as it was sent, without its final line end.
    let text: String

    /// What stands behind the colon, without blanks around it.
    var value: String {
      guard let colon = text.utf8.firstIndex(of: 58) else { return "" }
      return trimmed(text.utf8[text.utf8.index(after: colon)...])
    }
  }

  let bytes: [UInt8]
  let startLine: String
  let rows: [Row]
  let body: [UInt8]
  /// The method of a request; nil for a response.
  let method: String?
  /// The status of a response; 0 for a request.
  let status: Int

  let callID: String
  let fromTag: String
  let toTag: String
  let cSeq: Int
  let cSeqMethod: String
  /// The branch parameters, topmost first.
  let branches: [String]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    let (lines, end) = Self.lines(of: bytes)
    body = end < bytes.count ? Array(bytes[end...]) : []
    startLine = lines.first ?? ""
    let rows = lines.dropFirst().map { Row(name: Self.longName(of: $0), text: $0) }
    self.rows = rows
    let words = startLine.utf8.split(separator: 32, maxSplits: 2).map { String(Substring($0)) }
    let isResponse = words.first == "SIP/2.0"
    method = isResponse ? nil : words.first
    status = isResponse && words.count > 1 ? Int(words[1]) ?? 0 : 0

    func value(_ name: String) -> String { rows.first { $0.name == name }?.value ?? "" }
    callID = value("call-id")
    fromTag = Self.parameter("tag", of: value("from"))
    toTag = Self.parameter("tag", of: value("to"))
    let sequence = value("cseq").utf8.split(separator: 32).map { String(Substring($0)) }
    cSeq = Int(sequence.first ?? "") ?? 0
    cSeqMethod = sequence.last ?? ""
    branches = rows.filter { $0.name == "via" }.map { Self.parameter("branch", of: $0.value) }
  }

  /// The value of the first row with this name.
  func value(_ name: String) -> String? { rows.first { $0.name == name }?.value }

  /// The rows with this name.
  func rows(_ name: String) -> [Row] { rows.filter { $0.name == name } }

  /// The message with its topmost Via row taken off.
  func withoutTopVia() -> [UInt8] {
    var rows = rows
    if let top = rows.firstIndex(where: { $0.name == "via" }) { rows.remove(at: top) }
    return Self.octets([startLine] + rows.map(\.text), body)
  }

  /// The octets of a message of these lines and this body.
  static func octets(_ lines: [String], _ body: [UInt8]) -> [UInt8] {
    Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
  }

  /// The URI between the angle brackets of a Contact, a Route or the like.
  func uri(in name: String) -> String? {
    guard let value = value(name), let start = value.utf8.firstIndex(of: 60),
      let end = value.utf8.firstIndex(of: 62), start < end
    else { return nil }
    return String(value[value.utf8.index(after: start)..<end])
  }

  /// Whether an option tag stands in the rows with this name.
  func lists(_ option: String, in name: String) -> Bool {
    rows(name).contains { row in row.value.utf8.split(separator: 44).contains { trimmed($0) == option } }
  }

  /// The number at the front of a value, as in Session-Expires.
  func number(_ name: String) -> Int? {
    value(name).flatMap { value in Int(trimmed(value.utf8.prefix { $0 != 59 })) }
  }

  /// A parameter of the first row with this name.
  func parameter(_ parameter: String, of name: String) -> String? {
    guard let value = value(name) else { return nil }
    let found = Self.parameter(parameter, of: value)
    return found.isEmpty ? nil : found
  }

  private static func parameter(_ name: String, of value: String) -> String {
    // Parameters of the header field stand behind the angle brackets, if there are any.
    let end = value.utf8.lastIndex(of: 62) ?? value.utf8.startIndex
    for part in value.utf8[end...].split(separator: 59).dropFirst() {
      let pair = part.split(separator: 61, maxSplits: 1)
      guard pair.count == 2, trimmed(pair[0]) == name else { continue }
      return trimmed(pair[1])
    }
    return ""
  }

  private static func longName(of row: String) -> String {
    let name = trimmed(row.utf8.prefix { $0 != 58 }).lowercased()
    return compactForms[name] ?? name
  }

  private static let compactForms = [
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "k": "supported",
    "x": "session-expires", "l": "content-length", "s": "subject", "c": "content-type",
  ]

  /// The logical lines of the header section, and where the body begins.
  private static func lines(of bytes: [UInt8]) -> (lines: [String], bodyStart: Int) {
    var lines: [String] = []
    var start = 0
    var position = 0
    while position + 1 < bytes.count {
      guard bytes[position] == 13, bytes[position + 1] == 10 else {
        position += 1
        continue
      }
      if position == start { return (lines, position + 2) }
      let next = position + 2 < bytes.count ? bytes[position + 2] : 0
      if next != 32 && next != 9 {
        lines.append(String(decoding: bytes[start..<position], as: UTF8.self))
        start = position + 2
      }
      position += 2
    }
    return (lines, bytes.count)
  }
}

/// Text without blanks, tabs and line ends around it.
private func trimmed(_ text: Substring.UTF8View) -> String {
  var rest = text
  while let first = rest.first, first == 32 || first == 9 || first == 13 || first == 10 { rest.removeFirst() }
  while let last = rest.last, last == 32 || last == 9 || last == 13 || last == 10 { rest.removeLast() }
  return String(Substring(rest))
}
