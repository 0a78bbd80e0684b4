import SIPSyntax
import Testing

/// A small generator with a seed, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Reads everything there is to read, well-formed or not.
private func readEverything(_ bytes: [UInt8], _ parsed: inout SIPMessage) {
  let span = bytes.span
  for datagram in [true, false] { _ = parsed.parse(span, datagram: datagram) }
  for index in 0..<parsed.fieldCount {
    let value = parsed[field: index].value
    _ = parseVia(span, value)
    _ = parseNameAddress(span, value)
    _ = SIPURI(parsing: span, value)
    _ = IPAddress(span, value)
    _ = DeltaSeconds(span, value)
    check(parsed[field: index].row.upperBound <= bytes.count)
    check(value.lowerBound >= parsed[field: index].row.lowerBound)
  }
  for name in FieldName.allCases {
    var cursor = ListCursor(name, in: parsed)
    while let element = cursor.next(parsed, span) {
      #expect(element.removal.upperBound <= bytes.count)
      if let address = parseNameAddress(span, element.value), let uri = SIPURI(parsing: span, address.uri) {
        if let target = parsed.requestTarget { _ = SIPURI.areEquivalent(uri, span, target, span) }
        // more parameters than are compared make a URI differ even from itself
        _ = SIPURI.areEquivalent(uri, span, uri, span)
      }
    }
    _ = containsOption(.timer, in: name, parsed, span)
  }
  _ = readSessionExpires(parsed, span)
  _ = readMinSE(parsed, span)
  check(parsed.messageEnd <= bytes.count && parsed.headersEnd <= bytes.count)
}

@Suite("RFC 4475: no byte stops the parser")
struct RobustnessTests {
  static let sample = request(
    "INVITE sip:b;x=1%41@[2001:db8::1]:5060;transport=udp;lr SIP/2.0",
    adding: [
      "Via: SIP/2.0/TCP [2001:db8::2]:5062;branch=z9hG4bKx;received=192.0.2.9;rport=5060, SIP / 2.0 / UDP h;x=\"a,b\"",
      "Route: \"R, 1\" <sip:192.0.2.1;lr>, <sip:p2.example:5070;lr>",
      "m: <sip:a@h?a=b&c=d>;q=0.1\r\n ,sip:c@d",
      "Record-Route: <sip:[::ffff:192.0.2.1];lr;ck=abc>", "x: 1800;refresher=uac", "Min-SE: 0090;a=\"\\\"\"",
      "k: timer, 100rel", "Require: a,b", "Subject: folded\r\n\ttwice\r\n  over", "l: 6",
    ], body: "v=0\r\n\0")

  @Test("a message cut at any byte is read without harm")
  func truncated() {
    var parsed = SIPMessage()
    for length in 0...RobustnessTests.sample.count {
      readEverything(Array(RobustnessTests.sample[..<length]), &parsed)
    }
  }

  @Test("a message that starts at any byte is read without harm")
  func beheaded() {
    var parsed = SIPMessage()
    for start in 0...RobustnessTests.sample.count {
      readEverything(Array(RobustnessTests.sample[start...]), &parsed)
    }
  }

  @Test("mutated messages are read without harm", arguments: [UInt64(1), 2, 3, 4, 5])
  func mutated(seed: UInt64) {
    print("mutation seed \(seed)")
    let alphabet = Array("\r\n\t ,;:<>\"\\()[]@?&=%/*+-._0123456789aAzZvVxX\0\u{7F}".utf8) + [0x80, 0xFF]
    var random = SplitMix(state: seed)
    var parsed = SIPMessage(rowLimit: 16)
    for _ in 0..<4_000 {
      var bytes = RobustnessTests.sample
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let position = Int.random(in: 0..<bytes.count, using: &random)
        let byte = alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[position] = byte
        case 1: bytes.insert(byte, at: position)
        case 2: bytes.remove(at: position)
        case 3:
          let end = min(bytes.count, position + Int.random(in: 1...40, using: &random))
          bytes.replaceSubrange(position..<end, with: [])
        default:
          let end = min(bytes.count, position + Int.random(in: 1...40, using: &random))
          bytes.insert(contentsOf: bytes[position..<end], at: Int.random(in: 0...bytes.count, using: &random))
        }
        if bytes.isEmpty { bytes = [byte] }
      }
      readEverything(bytes, &parsed)
    }
  }

  @Test("ranges that no message has are read without harm")
  func foreignRanges() {
    let bytes = Array("sip:a@b;tag=1".utf8)
    for (start, end) in [(0, 99), (50, 99), (9, 3), (13, 13), (0, Int(UInt32.max)), (Int(UInt32.max), 4)] {
      let range = ByteRange(start, end)
      _ = parseVia(bytes.span, range)
      _ = parseNameAddress(bytes.span, range)
      _ = SIPURI(parsing: bytes.span, range)
      _ = IPAddress(bytes.span, range)
      check(bytes.span.equals(range, "x") == false)
      check(bytes.span.equalsIgnoringCase(range, "x") == false)
      check(bytes.span.equal(range, range))
    }
  }

  @Test("a list over 500 rows, or of thousands of commas, is walked once")  // E42
  func longLists() {
    let rows = (0..<500).map { "Route: <sip:p\($0);lr>" }
    let bytes = request(adding: rows)
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    var cursor = ListCursor(.route, in: parsed)
    var count = 0
    while cursor.next(parsed, bytes.span) != nil { count += 1 }
    #expect(count == 500)
    let dense = request(adding: ["Supported: " + String(repeating: "a,", count: 4_000) + "timer"])
    _ = parsed.parse(dense.span)
    check(containsOption(.timer, in: .supported, parsed, dense.span))
  }
}
