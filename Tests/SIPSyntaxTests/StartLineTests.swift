import SIPSyntax
import Testing

@Suite("RFC 3261 §7.1 and §7.2: start line")
struct StartLineTests {
  @Test("a request's parts are found where they stand")  // E1
  func requestParts() throws {
    let bytes = request(adding: ["Content-Length: 4"], body: "v=0\n")
    var parsed = SIPMessage()
    guard case .wellFormed = parsed.parse(bytes.span) else {
      Issue.record("not well-formed: \(verdict(bytes))")
      return
    }
    #expect(parsed.isRequest == true)
    #expect(parsed.method == .invite)
    #expect(text(bytes, parsed.requestURI) == "sip:bob@biloxi.example")
    #expect(text(bytes, parsed.startLine) == "INVITE sip:bob@biloxi.example SIP/2.0\r\n")
    #expect(parsed.fieldCount == 7)
    #expect(text(bytes, parsed.callID) == "a84b4c76e66710")
    #expect(parsed.cSeq.number == 314159)
    #expect(text(bytes, parsed.from.tag) == "1928301774")
    #expect(parsed.to.hasTag == false)
    #expect(parsed.maxForwards == .value(70))
    #expect(text(bytes, parsed.topVia.host) == "192.0.2.4")
    #expect(parsed.topVia.port == 5060)
    #expect(parsed.topVia.hasMagicCookie == true)
    #expect(text(bytes, parsed.body) == "v=0\n")
  }

  @Test(
    "a start line that is not exactly one is answered 400, or not at all when it is not SIP",
    arguments: [
      ("INVITE  sip:bob@biloxi.example SIP/2.0", "400 Malformed Request-Line"),  // E4
      ("INVITE sip:bob@biloxi.example SIP/2.0 ", "400 Malformed Request-Line"),
      ("INVITE sip:bob@biloxi.example\tSIP/2.0", "400 Malformed Request-Line"),
      ("INVITE <sip:bob@biloxi.example> SIP/2.0", "400 Malformed Request-URI"),  // E5
      ("INVITE sip:bob@biloxi.example; lr SIP/2.0", "400 Malformed Request-URI"),
      ("INVITE sip:bob@biloxi.example?Route=x SIP/2.0", "400 Header Fields in Request-URI"),  // E6
      ("INVITE sip:bob@2001:db8::1 SIP/2.0", "400 Malformed Request-URI"),  // D59
      ("INVITE bob SIP/2.0", "400 Malformed Request-URI"),
      ("INVITE sip:bob@biloxi.example SIP/7.0", "505 Version Not Supported"),  // E3
      ("INVITE sip:bob@biloxi.example SIP/x", "400 Malformed Request-Line"),
      ("INVITE sip:bob@biloxi.example sip/2.0", "well-formed"),  // E1
      ("INVITE soap.beep://192.0.2.103:3002 SIP/2.0", "well-formed"),  // 416 is not the parser's (B11)
      ("FROB-!%*_+`'~. sip:bob@biloxi.example SIP/2.0", "well-formed"),  // E2
      ("INVITE sip:bob@biloxi.example", "unrecognisable"),
      ("GET / HTTP/1.1", "unrecognisable"),
      ("(INVITE) sip:bob@biloxi.example SIP/2.0", "unrecognisable"),
    ])
  func requestLines(line: String, expected: String) { #expect(verdict(request(line)) == expected) }
}
