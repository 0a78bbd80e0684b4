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

@Suite("Addresses: kinds, blocks and ports")
struct AddressKindTests {
  @Test(
    "an address is of the kinds that its range says",
    arguments: [
      ("127.0.0.9", "loopback"), ("::1", "loopback"), ("::ffff:127.0.0.1", "loopback"),
      ("10.1.2.3", "private"),
      ("172.31.0.1", "private"), ("172.32.0.1", ""), ("192.168.1.1", "private"), ("fd00::1", "private"),
      ("fe00::1", ""), ("169.254.1.1", "link-local"), ("fe80::1", "link-local"), ("febf::1", "link-local"),
      ("fec0::1", ""), ("224.0.1.75", "multicast"), ("ff02::1", "multicast"), ("240.0.0.1", ""),
      ("255.255.255.255", "broadcast"), ("0.0.0.0", "unspecified"), ("::", "unspecified"), ("192.0.2.1", ""),
    ])
  func kinds(text: String, expected: String) throws {  // G9
    let address = try #require(IPAddress(text))
    let kinds = [
      (address.isLoopback, "loopback"), (address.isPrivate, "private"), (address.isLinkLocal, "link-local"),
      (address.isMulticast, "multicast"), (address.isBroadcast, "broadcast"),
      (address.isUnspecified, "unspecified"),
    ]
    #expect(kinds.filter(\.0).map(\.1).joined(separator: " ") == expected)
  }

  @Test(
    "a block holds the addresses that share its prefix",
    arguments: [
      ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false),
      ("0.0.0.0/0", "8.8.8.8", true),
      ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.6", false),
      ("10.0.0.0/8", "::ffff:10.1.1.1", true),
      ("::ffff:10.0.0.0/104", "10.9.9.9", true), ("2001:db8::/32", "2001:db8:ffff::1", true),
      ("2001:db8::/32", "2001:db9::", false), ("2001:db8::1/128", "2001:db8::1", true),
      ("::/0", "fe80::1", true),
      ("::/0", "1.2.3.4", false), ("fd00:0:0:0:8000::/65", "fd00::8000:0:0:1", true),
      ("fd00:0:0:0:8000::/65", "fd00::1", false),
    ])
  func blocks(block: String, address: String, expected: Bool) throws {
    let block = try #require(AddressBlock(block))
    let address = try #require(IPAddress(address))
    #expect(block.contains(address) == expected)
  }

  @Test(
    "text that is no block is not read as one",
    arguments: [
      "", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.1/8", "::/129", "x/8",
    ])
  func noBlocks(text: String) { #expect(AddressBlock(text) == nil) }

  @Test(
    "an address with a port is read and written alike",
    arguments: ["192.0.2.1:5060", "[2001:db8::1]:1", "[::]:65535"])
  func ports(text: String) { #expect(SocketAddress(text)?.description == text) }

  @Test(
    "an address without a proper port is refused",
    arguments: [
      "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:+1", "2001:db8::1:5060", "[::1]", ":5060", "",
    ])
  func noPorts(text: String) { #expect(SocketAddress(text) == nil) }
}
