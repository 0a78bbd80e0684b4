import Testing

@testable import AdminHTTP

@Suite("RFC 8259: the JSON writer")
struct JSONWriterTests {
  static let texts: [(bytes: [UInt8], json: String)] = [
    (Array("plain".utf8), #""plain""#),
    (Array("a\"b\\c".utf8), #""a\"b\\c""#),
    (Array("line\r\n\tend".utf8), #""line\r\n\tend""#),
    ([0x00, 0x1F, 0x7F], #""\u0000\u001f\u007f""#),
    (Array("Zoë 電話 📞".utf8), "\"Zoë 電話 📞\""),
    // Not UTF-8: a lone byte, a cut sequence, an overlong form, a surrogate, beyond U+10FFFF.
    ([0x41, 0xE9, 0x42], #""A\u00e9B""#),
    ([0xE2, 0x82], #""\u00e2\u0082""#),
    ([0xC0, 0xAF], #""\u00c0\u00af""#),
    ([0xED, 0xA0, 0x80], #""\u00ed\u00a0\u0080""#),
    ([0xF4, 0x90, 0x80, 0x80], #""\u00f4\u0090\u0080\u0080""#),
    ([0xF5], #""\u00f5""#),
  ]

  @Test(
    "Whole numbers are written in decimal, whatever their size",
    arguments: [0, 7, 10, 99, 100, 1_000_000_000, 4_294_967_295, 4_294_967_296, -1, .max, .min] as [Int64])
  func numbers(_ number: Int64) {
    var json = JSONWriter()
    json.object { $0.field("n", number) }
    #expect(String(decoding: json.bytes, as: UTF8.self) == "{\"n\":\(number)}")
  }

  @Test("Any bytes become valid JSON text", arguments: texts)
  func escapes(_ row: (bytes: [UInt8], json: String)) {
    var writer = JSONWriter()
    writer.object { $0.field("v", row.bytes) }
    #expect(String(decoding: writer.bytes, as: UTF8.self) == "{\"v\":\(row.json)}")
  }

  @Test("Commas stand between fields and elements, never before the first")
  func separates() {
    var writer = JSONWriter()
    writer.object { json in
      json.field("a", 1)
      json.array("b") { json in
        json.object { $0.field("c", true) }
        json.object { $0.field("d", nil as Int?) }
      }
      json.array("e") { _ in }
      json.object("f") { $0.field("g", "h") }
      json.field("i", -2)
    }
    #expect(
      String(decoding: writer.bytes, as: UTF8.self)
        == #"{"a":1,"b":[{"c":true},{"d":null}],"e":[],"f":{"g":"h"},"i":-2}"#)
  }

  @Test("Every single byte value gives text that is valid UTF-8 without control characters")
  func allBytes() {
    for byte in UInt8.min...UInt8.max {
      var text: [UInt8] = []
      appendEscaped([byte], to: &text)
      #expect(text.allSatisfy { (0x20..<0x7F).contains($0) })
    }
  }
}
