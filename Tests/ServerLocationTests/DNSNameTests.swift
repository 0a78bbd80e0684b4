import SIPSyntax
import Testing

@testable import ServerLocation

@Suite("RFC 1035 §2.3.4, RFC 4343: domain names")
struct DNSNameTests {
  @Test(
    "Case and the final dot make no difference",
    arguments: ["example.com", "EXAMPLE.com", "Example.Com.", "example.COM."])
  func oneName(text: String) {
    #expect(DNSName(text) == DNSName("example.com"))
    #expect(DNSName(text)?.description == "example.com")
  }

  @Test(
    "What is no name is refused",
    arguments: ["", "..", ".com", "a..b", "a b", "a\0b", "exämple", "a/b", "a%b", "a.b..", "[::1]"])
  func noName(text: String) {
    #expect(DNSName(text) == nil)
  }

  @Test("A label holds 63 octets and a name 253")
  func lengths() {
    let label = String(repeating: "x", count: 63)
    #expect(DNSName(label) != nil)
    #expect(DNSName(label + "x") == nil)
    let longest = "\(label).\(label).\(label).\(String(repeating: "y", count: 61))"
    #expect(longest.utf8.count == 253)
    #expect(DNSName(longest)?.bytes.count == 253)
    #expect(DNSName(longest + ".")?.bytes.count == 253)
    #expect(DNSName(longest + "y") == nil)
  }

  @Test("The root is no host and takes no labels before it")
  func root() {
    #expect(DNSName(".") == .root)
    #expect(DNSName.root.isRoot)
    #expect(DNSName.root.prefixed(by: "_sip._udp") == nil)
    #expect(DNSName("example.com")?.prefixed(by: "_sip._udp") == DNSName("_sip._udp.example.com"))
  }

  @Test("A name that is too long for the labels of a service has no such service")
  func tooLong() throws {
    let host = try #require(DNSName(String(repeating: "a.", count: 121) + "aa"))
    #expect(host.bytes.count == 244)
    #expect(host.prefixed(by: "_sip._udp") == nil)
  }

  @Test("A range is read out of a message; one outside of it is no name")
  func range() {
    let bytes = Array("sip:Bob@Example.com;lr".utf8)
    #expect(DNSName(bytes.span, ByteRange(8, 19)) == DNSName("example.com"))
    #expect(DNSName(bytes.span, ByteRange(8, 190)) == nil)
    #expect(DNSName(bytes.span, .none) == nil)
  }
}
