import SIPSyntax
import Testing

@Suite("RFC 5954 and RFC 5118: numeric addresses")
struct IPAddressTests {
  /// D59-D62; the last column is the form of RFC 5952 that we write.
  @Test(
    "an address is read in every legal spelling and written in one",
    arguments: [
      ("192.0.2.1", "192.0.2.1"), ("[2001:db8::1]", "2001:db8::1"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
      ("::", "::"), ("::1", "::1"), ("fe80::", "fe80::"), ("[::ffff:192.0.2.10]", "::ffff:192.0.2.10"),
      ("::ffff:c000:020a", "::ffff:192.0.2.10"), ("2001:db8:::192.0.2.1", "2001:db8::c000:201"),
      ("2001:db8::192.0.2.1", "2001:db8::c000:201"), ("[2001:db8::10:5070]", "2001:db8::10:5070"),
      ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
      ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
    ])
  func reading(text: String, written: String) {
    #expect(IPAddress(text)?.description == written)
  }

  @Test(
    "text that is no address is not read as one",
    arguments: [
      "", "1", "1.2.3", "1.2.3.4.", "1.2.3.4.5", "256.1.1.1", "0001.1.1.1", "1..2.3", ".1.2.3", ":", ":1",
      "1:",
      "1::2::3", "12345::", "g::", "[::1", "::1]", "[]", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1%eth0",
      "2001:db8:::1", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "host.example",
    ])
  func refusing(text: String) { #expect(IPAddress(text) == nil) }
}
