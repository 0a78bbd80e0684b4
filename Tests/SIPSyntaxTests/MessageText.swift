import SIPSyntax
import Testing

/// A message written as lines: joined by CRLF, an empty line and the body behind it.
func message(_ lines: [String], body: String = "") -> [UInt8] {
  Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8)
}

/// The rows a request needs, so that a test names only what it is about.
func request(
  _ startLine: String = "INVITE sip:bob@biloxi.example SIP/2.0",
  replacing replacements: [String: [String]] = [:], adding rows: [String] = [], body: String = ""
) -> [UInt8] {
  let method = startLine.split(separator: " ").first.map(String.init) ?? "INVITE"
  let base: [(String, String)] = [
    ("Via", "Via: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bKnashds8"),
    ("Max-Forwards", "Max-Forwards: 70"),
    ("To", "To: Bob <sip:bob@biloxi.example>"),
    ("From", "From: Alice <sip:alice@atlanta.example>;tag=1928301774"),
    ("Call-ID", "Call-ID: a84b4c76e66710"),
    ("CSeq", "CSeq: 314159 \(method)"),
  ]
  var lines = [startLine]
  for (name, row) in base { lines += replacements[name] ?? [row] }
  return message(lines + rows, body: body)
}

/// The text that `range` names.
func text(_ bytes: [UInt8], _ range: ByteRange?) -> String {
  guard let range, range.upperBound <= bytes.count else { return "(none)" }
  return String(decoding: bytes[range.lowerBound..<max(range.lowerBound, range.upperBound)], as: UTF8.self)
}

/// Status and reason phrase of a defect, or the name of another outcome.
func verdict(_ bytes: [UInt8], datagram: Bool = true) -> String {
  var parsed = SIPMessage()
  switch parsed.parse(bytes.span, datagram: datagram) {
  case .wellFormed: return "well-formed"
  case .malformed(let defect): return "\(defect.status) \(defect.reason)"
  case .unrecognisable: return "unrecognisable"
  case .keepAlive: return "keep-alive"
  }
}

/// `#expect` for conditions over spans and messages, which its macro cannot take apart.
func check(_ condition: Bool, _ location: SourceLocation = #_sourceLocation) {
  if !condition { Issue.record("condition is false", sourceLocation: location) }
}
