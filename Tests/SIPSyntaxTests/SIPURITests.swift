import SIPSyntax
import Testing

@Suite("RFC 3261 §19.1: SIP and SIPS URIs")
struct SIPURITests {
  @Test(
    "user, host and port are found",
    arguments: [
      ("sip:alice@atlanta.example", "alice|atlanta.example|-"),
      ("SIPS:atlanta.example:5061", "-|atlanta.example|5061"),
      ("sip:user;par=u%40example.net@example.com", "user;par=u%40example.net|example.com|-"),  // E35
      (
        "sip:1_u~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
        "1_u~(to-be!sure)&isn't+it$/crazy?,/;;*|example.com|-"
      ),
      ("sip:a:b@[2001:db8::1]:5070;lr", "a|[2001:db8::1]|5070"), ("sip:%00@h", "%00|h|-"),  // E37
      ("sip:*99#@h", "*99#|h|-"), ("sip:[2001:db8::10:5070]", "-|[2001:db8::10:5070]|-"),  // D60
    ])
  func parts(uri: String, expected: String) {
    let bytes = Array(uri.utf8)
    guard let parsed = SIPURI(parsing: bytes.span, ByteRange(0, bytes.count)) else {
      Issue.record("malformed")
      return
    }
    let user = parsed.hasUser ? text(bytes, parsed.user) : "-"
    #expect("\(user)|\(text(bytes, parsed.host))|\(parsed.port.map { "\($0)" } ?? "-")" == expected)
  }

  @Test(
    "a broken URI is refused",
    arguments: [
      "", "sip", "sip:", ":a", "sip:@h", "sip:a@", "sip:a@b@c", "sip:a b@c", "sip:a%4@h", "sip:a%zz@h",
      "sip:h:",  // E40
      // E23, D59
      "sip:h:0", "sip:h:65536", "sip:h:a", "sip:h;", "sip:h;;lr", "sip:h;=x", "sip:h?", "sip:2001:db8::1",
      "sip:[2001:db8::1", "sip:[::1]x", "sip:h;transport=udp;transport=tcp", "sip:h;maddr", "<sip:h>",
      "9sip:h",  // E21
      "tel:+1 2",
    ])
  func broken(uri: String) {
    let bytes = Array(uri.utf8)
    let parsed = SIPURI(parsing: bytes.span, ByteRange(0, bytes.count))
    #expect(parsed == nil)
  }

  @Test("parameters that routing uses are found, others ignored")  // E38, E39
  func parameters() throws {
    let bytes = Array(
      "sip:h;x;LR=on;transport=TCP;maddr=239.0.0.1;ttl=1;method=BYE;user=phone;ob;ck=T0k?a=b".utf8)
    let parsed = SIPURI(parsing: bytes.span, ByteRange(0, bytes.count))
    let uri = try #require(parsed)
    #expect(uri.hasLR && uri.hasOB)
    #expect(text(bytes, uri.transport) == "TCP")
    #expect(text(bytes, uri.transportParameter) == ";transport=TCP")
    #expect(text(bytes, uri.maddr) == "239.0.0.1")
    #expect(text(bytes, uri.ttl) == "1")
    #expect(text(bytes, uri.method) == "BYE")
    #expect(text(bytes, uri.userParameter) == "phone")
    #expect(text(bytes, uri.token) == "T0k")
    #expect(text(bytes, uri.headers) == "?a=b")
  }
}

@Suite("RFC 3261 §19.1.4 and RFC 5954 §4.2: URI comparison (E36, D63)")
struct URIComparisonTests {
  private func equivalent(_ left: String, _ right: String) -> Bool? {
    let first = Array(left.utf8)
    let second = Array(right.utf8)
    guard let a = SIPURI(parsing: first.span, ByteRange(0, first.count)),
      let b = SIPURI(parsing: second.span, ByteRange(0, second.count))
    else { return nil }
    let answer = SIPURI.areEquivalent(a, first.span, b, second.span)
    return answer == SIPURI.areEquivalent(b, second.span, a, first.span) ? answer : nil
  }

  @Test(
    "equivalent URIs are found so, from either side",
    arguments: [
      ("sip:%61lice@Home.example;transport=TCP", "sip:alice@hOME.example;Transport=tcp"),
      ("sip:carol@home.example", "sip:carol@home.example;newparam=5"),
      ("sip:carol@home.example;security=on", "sip:carol@home.example;newparam=5"),
      (
        "sip:h.example;transport=tcp;method=REGISTER?to=a&subject=b",
        "sip:h.example;method=REGISTER;transport=tcp?subject=b&to=a"
      ),
      ("sip:a@[2001:DB8:0::1]", "sip:a@[2001:db8::1]"), ("sip:[::ffff:192.0.2.1]", "sip:192.0.2.1"),  // D63
      ("sip:[2001:db8::192.0.2.1]", "sip:[2001:db8::c000:0201]"), ("TEL:+1-2", "tel:+1-2"),
      ("sip:a%2Fb@h", "sip:a%2fb@h"),
    ])
  func same(left: String, right: String) { #expect(equivalent(left, right) == true) }

  @Test(
    "different URIs are found so, from either side",
    arguments: [
      ("sip:ALICE@home.example", "sip:alice@home.example"), ("sip:bob@h", "sip:bob@h:5060"),
      ("sip:h", "sips:h"),
      ("sip:bob@h", "sip:bob@h;transport=udp"), ("sip:bob@h", "sip:bob@h;user=phone"),
      ("sip:h;x=1", "sip:h;x=2"),
      ("sip:h", "sip:h;ttl=1"), ("sip:h", "sip:h;maddr=1.2.3.4"), ("sip:h", "sip:h;method=BYE"),
      ("sip:h", "sip:h?Subject=next"), ("sip:h?a=1&a=1&b=2", "sip:h?a=1&b=2&c=3"), ("sip:h?a=1", "sip:h?a=2"),
      ("sip:h?a=1", "sip:h?a=1&b=1"),
      ("sip:h", "sip:a@h"),
      ("sip:a:p@h", "sip:a@h"), ("sip:a%2Fb@h", "sip:a/b@h"), ("sip:192.0.2.1", "sip:192.0.2.2"),
      ("sip:192.0.2.1", "sip:h"),
      ("tel:1", "tel:2"), ("sip:%00@h", "sip:%01@h"),
    ])
  func different(left: String, right: String) { #expect(equivalent(left, right) == false) }
}
