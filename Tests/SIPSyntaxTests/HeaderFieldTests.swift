import SIPSyntax
import Testing

@Suite("RFC 3261 §7.3.1 and §7.3.3: header field format")
struct HeaderFieldTests {
  @Test(
    "a name is known long and compact, in any letter case, with blanks before the colon",
    arguments: [
      ("Call-ID: x", FieldName.callID), ("i: x", .callID), ("I: x", .callID), ("CALL-id: x", .callID),
      ("Via \t : x", .via), ("v:x", .via), ("Session-Expires:x", .sessionExpires), ("X: x", .sessionExpires),
      ("Min-SE: x", .minSE), ("k: x", .supported), ("l: 0", .contentLength), ("m: x", .contact),
      ("c: x", .contentType), ("e: x", .contentEncoding), ("s: x", .subject),
      ("Proxy-Authorization: x", .proxyAuthorization),
      ("proxy-authorizatioM: x", .other), ("Call_ID: x", .other), ("Via-: x", .other), ("y: x", .other),
      ("C%6Fntact: x", .other), ("Max-Forwards\r: 1", .other),
    ])
  func names(row: String, expected: FieldName) {  // E8, E9, A11
    let bytes = message(["OPTIONS sip:a@b SIP/2.0", row])
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    #expect((parsed.fieldCount > 0 ? parsed[field: 0].name : .other) == expected)
  }

  @Test("every long and compact name of the table finds its field")
  func table() {
    for name in FieldName.allCases where name != .other {
      let bytes = message(["OPTIONS sip:a@b SIP/2.0", "\(name.text): x"])
      var parsed = SIPMessage()
      _ = parsed.parse(bytes.span)
      #expect(parsed.first(name) == 0, "\(name)")
    }
  }

  @Test("a folded line belongs to the row it continues")  // E10
  func folding() {
    let bytes = request(adding: ["Subject:\r\n\tone\r\n  two \r\n three", "Server: x"])
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    #expect(verdict(bytes) == "well-formed")
    let row = parsed.first(.subject).map { parsed[field: $0] }
    #expect(text(bytes, row?.value) == "one\r\n  two \r\n three")
    #expect(text(bytes, row?.row) == "Subject:\r\n\tone\r\n  two \r\n three\r\n")
    #expect(parsed.first(.server) == parsed.fieldCount - 1)
  }

  @Test("rows of one name are chained in their order")  // E17
  func chains() {
    let bytes = request(adding: ["Route: <sip:a;lr>", "Foo: x", "ROUTE: <sip:b;lr>", "route : <sip:c;lr>"])
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    var values: [String] = []
    var row = parsed.first(.route)
    while let index = row {
      values.append(text(bytes, parsed[field: index].value))
      row = parsed.next(after: index)
    }
    #expect(values == ["<sip:a;lr>", "<sip:b;lr>", "<sip:c;lr>"])
    #expect(parsed.count(.route) == 3)
    #expect(text(bytes, ByteRange(parsed.headersEnd, bytes.count)) == "\r\n")
  }

  @Test("rows that tile the section leave no byte between them")  // E15, E16
  func tiling() {
    let bytes = request(adding: ["Foo : \r\n bar", "Empty:", "Bar:   baz  "])
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    var end = parsed.startLine.upperBound
    for index in 0..<parsed.fieldCount {
      #expect(parsed[field: index].row.lowerBound == end)
      end = parsed[field: index].row.upperBound
    }
    #expect(parsed.headersEnd == end)
  }

  @Test(
    "a line break that is not CRLF is a defect, and the fields are found all the same",
    arguments: [
      (["Foo: a\nBar: b"], "400 Bare Line Feed"), (["Foo: a\rBar: b"], "400 Lone Carriage Return"),
      (["Foo: a\n b"], "400 Bare Line Feed"), (["Foo bar"], "400 Malformed Header Field"),
      ([": x"], "400 Malformed Header Field"), (["F@o: x"], "400 Malformed Header Field"),
    ])
  func lineBreaks(rows: [String], expected: String) {  // E43, E19
    let bytes = request(adding: rows + ["Server: last"])
    #expect(verdict(bytes) == expected)
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    #expect(parsed.first(.server) != nil)
    #expect(text(bytes, parsed.callID) == "a84b4c76e66710")
  }

  @Test("a request with bare LF only can still be answered")  // E43, E19
  func bareFeeds() {
    let bytes = request().filter { $0 != 13 }
    var parsed = SIPMessage()
    guard case .malformed(let defect) = parsed.parse(bytes.span) else {
      Issue.record("accepted")
      return
    }
    #expect(defect.status == 400)
    #expect(parsed.hasTopVia == true)
    #expect(text(bytes, parsed.from.tag) == "1928301774")
  }

  @Test(
    "what must be there exactly once is named when it is missing or repeated",
    arguments: [
      ("Via", [], "400 Missing Via"), ("To", [], "400 Missing To"), ("From", [], "400 Missing From"),
      ("Call-ID", [], "400 Missing Call-ID"), ("CSeq", [], "400 Missing CSeq"),
      ("Max-Forwards", [], "well-formed"),
      ("To", ["To: <sip:a@b>", "t: <sip:a@b>"], "400 Repeated To"),
      ("From", ["From: <sip:a@b>", "f: <sip:a@b>"], "400 Repeated From"),
      ("Call-ID", ["Call-ID: a", "i: a"], "400 Repeated Call-ID"),
      ("CSeq", ["CSeq: 1 INVITE", "CSeq: 1 INVITE"], "400 Repeated CSeq"),
      ("Max-Forwards", ["Max-Forwards: 1", "Max-Forwards: 1"], "400 Repeated Max-Forwards"),
      ("Call-ID", ["Call-ID:"], "400 Malformed Call-ID"),
      ("Call-ID", ["Call-ID: a b"], "400 Malformed Call-ID"),
      ("Call-ID", ["Call-ID: ()<>:\\/\"[]?{}@x"], "well-formed"),  // E25
      ("Max-Forwards", ["Max-Forwards: -1"], "400 Malformed Max-Forwards"),
      ("Max-Forwards", ["Max-Forwards: 0068"], "well-formed"),  // E28
      ("Max-Forwards", ["Max-Forwards: 99999999999999999999999"], "well-formed"),  // B16
      ("CSeq", ["CSeq: 0009\r\n  INVITE"], "well-formed"),
      ("CSeq", ["CSeq: 4294967295 INVITE"], "well-formed"),
      ("CSeq", ["CSeq: 4294967296 INVITE"], "400 Malformed CSeq"),
      ("CSeq", ["CSeq: INVITE"], "400 Malformed CSeq"),
      ("CSeq", ["CSeq: 1INVITE"], "400 Malformed CSeq"), ("CSeq", ["CSeq: 1 INVITE x"], "400 Malformed CSeq"),
      ("CSeq", ["CSeq: 1 BYE"], "400 CSeq Method Mismatch"),
      ("CSeq", ["CSeq: 1 invite"], "400 CSeq Method Mismatch"),
    ])
  func required(name: String, rows: [String], expected: String) {  // E18, E27
    #expect(verdict(request(replacing: [name: rows])) == expected)
  }

  @Test("an unknown method that CSeq does not repeat is 501")  // E27
  func unknownMethodMismatch() {
    let bytes = request("FROB sip:a@b SIP/2.0", replacing: ["CSeq": ["CSeq: 1 INVITE"]])
    #expect(verdict(bytes) == "501 CSeq Method Mismatch")
    #expect(verdict(request("FROB sip:a@b SIP/2.0")) == "well-formed")
  }

  @Test("Max-Forwards above 255 is told apart, and ignored in a response")  // B16, E24
  func maxForwards() {
    var parsed = SIPMessage()
    _ = parsed.parse(request(replacing: ["Max-Forwards": ["Max-Forwards: 256"]]).span)
    #expect(parsed.maxForwards == .tooLarge)
    let bytes = request(
      "SIP/2.0 200 OK", replacing: ["Max-Forwards": ["Max-Forwards: x"], "CSeq": ["CSeq: 1 BYE"]])
    #expect(verdict(bytes) == "well-formed")
  }

  @Test("limits end the reading with a defect, not the process")  // E42
  func limits() {
    let long = String(repeating: "a", count: 8_193)
    #expect(verdict(request(adding: ["Foo: " + long])) == "400 Header Field Too Large")
    #expect(verdict(request("INVITE sip:\(long)@h SIP/2.0")) == "414 Request-URI Too Long")
    let rows = (0..<600).map { "X-\($0): y" }
    #expect(verdict(request(adding: rows)) == "400 Too Many Header Fields")
    let wide = (0..<20).map { "X-\($0): " + String(repeating: "b", count: 4_000) }
    #expect(verdict(request(adding: wide)) == "400 Header Section Too Large")
  }

  @Test(
    "a response that is not exactly one is refused",
    arguments: [
      ("SIP/2.0 200 OK", "well-formed"), ("SIP/2.0 100 ", "well-formed"),
      ("sip/2.0 699 \u{4F60}", "well-formed"),
      ("SIP/2.0 700 No", "400 Malformed Status-Code"), ("SIP/2.0 99 No", "400 Malformed Status-Code"),
      ("SIP/2.0 4294967301 No", "400 Malformed Status-Code"), ("SIP/2.0 200OK", "400 Malformed Status-Line"),
      ("SIP/3.0 200 OK", "505 Version Not Supported"), ("SIP/2.0", "unrecognisable"),
    ])
  func responses(line: String, expected: String) {  // E7, E20
    #expect(verdict(request(line, replacing: ["CSeq": ["CSeq: 1 FROB"]])) == expected)
  }

  @Test(
    "nothing but line breaks and NUL is a keep-alive",
    arguments: ["", "\r\n\r\n", "\0\0\0\0", "\r\n"])
  func keepAlive(text: String) { #expect(verdict(Array(text.utf8)) == "keep-alive") }  // D68

  @Test("empty lines before the start line are skipped")
  func leadingLineBreaks() {
    let bytes = Array("\r\n\r\n".utf8) + request()
    #expect(verdict(bytes) == "well-formed")
  }
}

@Suite("RFC 3261 §18.3: framing of the body")
struct BodyFramingTests {
  @Test(
    "a datagram's body follows Content-Length as far as it can",
    arguments: [
      (["Content-Length: 3"], "abcdef", "well-formed", "abc"), (["l : 0"], "abc", "well-formed", ""),  // D28
      (["Content-Length: 7"], "abc", "400 Content-Length Too Large", "abc"),  // D29
      ([], "abc", "well-formed", "abc"),  // D30
      (["Content-Length: -1"], "abc", "400 Malformed Content-Length", "abc"),  // D31
      (["Content-Length: 1, 1"], "abc", "400 Malformed Content-Length", "abc"),
      (["Content-Length: 99999999999999999999999999"], "abc", "400 Content-Length Too Large", "abc"),
      (["Content-Length:"], "abc", "400 Malformed Content-Length", "abc"),
      (["Content-Length: 3", "l: 3"], "abc", "400 Repeated Content-Length", "abc"),  // D32
    ])
  func datagrams(rows: [String], body: String, expected: String, kept: String) {
    let bytes = request(adding: rows, body: body)
    #expect(verdict(bytes) == expected)
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    #expect(text(bytes, parsed.body) == kept)
  }

  @Test("on a stream Content-Length is required")  // D31
  func streams() {
    #expect(verdict(request(), datagram: false) == "400 Missing Content-Length")
    #expect(verdict(request(adding: ["l: 0"]), datagram: false) == "well-formed")
  }
}
