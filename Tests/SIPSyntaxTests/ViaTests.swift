import SIPSyntax
import Testing

@Suite("RFC 3261 §20.42 and RFC 3581: Via")
struct ViaTests {
  private func read(_ value: String) -> (via: ViaValue?, bytes: [UInt8]) {
    let bytes = Array(value.utf8)
    return (parseVia(bytes.span, ByteRange(0, bytes.count)), bytes)
  }

  @Test(
    "the parts of a value are found",
    arguments: [
      ("SIP/2.0/UDP h.example", "UDP|h.example|-|-"), ("SIP / 2.0 / TCP  h:5062", "TCP|h|5062|-"),  // E33
      ("SIP/2.0/UDP h : 5062 ; branch = z9hG4bKx", "UDP|h|5062|z9hG4bKx"),
      ("SIP/2.0/SCTP [2001:db8::1]:5061;branch=1", "SCTP|[2001:db8::1]|5061|1"),  // D59
      ("SIP/2.0/UDP [2001:db8::10:5070];branch=1", "UDP|[2001:db8::10:5070]|-|1"),  // D60
      ("SIP/2.0/UDP\r\n h;branch=a;hidden;x=\"a;b,c\\\"d\"", "UDP|h|-|a"),  // E10, E22
      ("SIP/2.0/UDP h (old, comment);branch=a", "UDP|h|-|a"), ("XIP/9.9/UNKNOWN h", "UNKNOWN|h|-|-"),  // D16
    ])
  func parts(value: String, expected: String) {
    let (via, bytes) = read(value)
    guard let via else {
      Issue.record("malformed: \(value)")
      return
    }
    let port = via.port.map { "\($0)" } ?? "-"
    let branch = via.branch.map { text(bytes, $0) } ?? "-"
    #expect("\(text(bytes, via.transport))|\(text(bytes, via.host))|\(port)|\(branch)" == expected)
  }

  @Test(
    "a broken value is refused",
    arguments: [
      "", "SIP/2.0 h", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/2.0/UDP h;;branch=1", "SIP/2.0/UDP h;",  // E23
      // E21
      "SIP/2.0/UDP h;branch=1;branch=1", "SIP/2.0/UDP h;received=1;received=1", "SIP/2.0/UDP h;rport;RPORT",
      "SIP/2.0/UDP h;branch", "SIP/2.0/UDP h;branch=\"x\"", "SIP/2.0/UDP h;x=\"open", "SIP/2.0/UDP h:",
      "SIP/2.0/UDP h:0", "SIP/2.0/UDP h:65536", "SIP/2.0/UDP 2001:db8::1", "SIP/2.0/UDP [2001:db8::1",
      "SIP/2.0/UDP [nonsense]", "SIP/2.0/UDP h;rport=x", "SIP/2.0/UDP h;rport=65536",
      "SIP/2.0/UDP h, SIP/2.0/UDP i",
      "SIP/2.0/UDP h i", "SIP/2.0/UDP h (open",
    ])
  func broken(value: String) { #expect(read(value).via == nil) }

  @Test("received is read bare and in brackets, and found with its semicolon")  // D13, D14
  func received() throws {
    for address in ["2001:db8::9:255", "[2001:db8::9:255]", "192.0.2.7"] {
      let (via, bytes) = read("SIP/2.0/UDP h ;received=\(address);rport=5099;branch=b")
      let value = try #require(via)
      #expect(text(bytes, value.received) == address)
      #expect(text(bytes, value.receivedParameter) == ";received=\(address)")
      #expect(text(bytes, value.rportParameter) == ";rport=5099")
      #expect(value.rport == .value(5099))
    }
    #expect(read("SIP/2.0/UDP h;rport").via?.rport == .empty)  // D12
    #expect(read("SIP/2.0/UDP h").via?.rport == .absent)
  }

  // Found by fuzzing: the comment became part of the port that we fill in, and the Via of our answer could not be read.
  @Test("a comment right behind a parameter ends it, also when rport has been filled in")  // D12, E45
  func commentBehindParameter() throws {
    let (via, bytes) = read("SIP/2.0/UDP h;branch=a(x);rport(y);received=192.0.2.1(z)")
    let value = try #require(via)
    #expect(text(bytes, value.branch) == "a")
    #expect(text(bytes, value.received) == "192.0.2.1")
    #expect(value.rport == .empty)
    #expect(read("SIP/2.0/UDP h;branch=a(x);rport=5061(y);received=192.0.2.1(z)").via?.rport == .value(5061))
  }

  @Test("the cookie is seen in any letter case, and seen when it is all there is")  // C49, C53, E34
  func cookie() {
    #expect(read("SIP/2.0/UDP h;branch=z9hG4bKabc").via?.hasMagicCookie == true)
    #expect(read("SIP/2.0/UDP h;branch=Z9HG4BKabc").via?.hasMagicCookie == true)
    #expect(read("SIP/2.0/UDP h;branch=z9hG4b").via?.hasMagicCookie == false)
    #expect(read("SIP/2.0/UDP h;branch=z9hG4bK").via?.isBareCookie == true)
    #expect(read("SIP/2.0/UDP h;branch=z9hG4bKx").via?.isBareCookie == false)
  }

  @Test("a malformed top value gives what was read before the fault")  // E19
  func partial() {
    let bytes = request(replacing: ["Via": ["Via: SIP/2.0/UDP 192.0.2.15:5070;;,;"]])
    #expect(verdict(bytes) == "400 Malformed Via")
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    #expect(parsed.hasTopVia == true)
    #expect(text(bytes, parsed.topVia.host) == "192.0.2.15")
    #expect(parsed.topVia.port == 5070)
  }

  @Test("only the top value is judged; its end is where a parameter can be added")
  func topOnly() {
    let bytes = request(replacing: ["Via": ["v: SIP/2.0/UDP h;branch=z9hG4bKa , nonsense", "Via: more"]])
    #expect(verdict(bytes) == "well-formed")  // B10
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    #expect(text(bytes, parsed.topVia.value) == "SIP/2.0/UDP h;branch=z9hG4bKa")
    #expect(parsed.topVia.end == parsed.topVia.value.upperBound)
  }
}

@Suite("RFC 3261 §20.10 and §20.20: name-addr and addr-spec")
struct NameAddressTests {
  private func read(_ value: String) -> String {
    let bytes = Array(value.utf8)
    guard let address = parseNameAddress(bytes.span, ByteRange(0, bytes.count)) else { return "malformed" }
    return "\(text(bytes, address.uri))|\(address.hasTag ? text(bytes, address.tag) : "-")"
  }

  @Test(
    "URI and tag are found",
    arguments: [
      // E29, E30
      ("<sip:a@b>;tag=1", "sip:a@b|1"), ("sip:a@b;tag=1", "sip:a@b|1"), ("caller<sip:a@b>", "sip:a@b|-"),
      ("\"A. \\\"B\\\" <sip:x@y>;tag=2\" <sip:a@b> ; x ; TAG = 3", "sip:a@b|3"),
      ("<sip:a@b;tag=1>", "sip:a@b;tag=1|-"),
      ("  Jane  Q~.  <sips:a,b;c?d@e>\r\n ;tag=t", "sips:a,b;c?d@e|t"), ("tel:+1234;tag=9", "tel:+1234|9"),
      ("\"\"<isbn:2983792873>", "isbn:2983792873|-"), ("\"a\\\u{0}b\" <sip:x@y>", "sip:x@y|-"),  // E14
    ])
  func legal(value: String, expected: String) { #expect(read(value) == expected) }

  @Test(
    "text that can be taken in two ways is refused",
    arguments: [
      // E31
      "", "<sip:a@b", "sip:a@b>", "\"open <sip:a@b>", "Watson, T <sip:a@b>", "a@b <sip:a@b>", "< sip:a@b >",
      // E21, E23
      "<sip:a@b>;;tag=1", "<sip:a@b>;", "<sip:a@b>;tag=1;tag=2", "<sip:a@b>;tag=", "<sip:a@b>;tag=\"1\"",
      "sip:a,b@c", "sip:a@b?x=y", "<>", "<a@b>", "*", "<sip:a@b> x", "<sip:a@b>, <sip:c@d>", "<sip:a<b@c>",
      "sip:",
    ])
  func refused(value: String) { #expect(read(value) == "malformed") }

  @Test("a From without tag is accepted as an empty tag")  // E32
  func noTag() {
    #expect(verdict(request(replacing: ["From": ["From: <sip:a@b>"]])) == "well-formed")
  }
}
