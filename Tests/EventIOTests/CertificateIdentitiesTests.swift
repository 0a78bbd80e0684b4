import SIPSyntax
import Testing

@testable import EventIO

/// The names of a certificate and the identities they make.
struct IdentityCase: Sendable, CustomTestStringConvertible {
  let testDescription: String
  var uris: [String] = []
  var dnsNames: [String] = []
  var commonNames: [String] = []
  var hasAlternativeNames: Bool?
  let expected: [String]

  var names: CertificateNames {
    var names = CertificateNames()
    names.uris = uris.map { Array($0.utf8) }
    names.dnsNames = dnsNames.map { Array($0.utf8) }
    names.commonNames = commonNames.map { Array($0.utf8) }
    names.hasAlternativeNames = hasAlternativeNames ?? !(uris.isEmpty && dnsNames.isEmpty)
    return names
  }
}

// G30: which names of a certificate are SIP domain identities.
private let identityCases = [
  IdentityCase(testDescription: "a sip URI", uris: ["sip:example.com"], expected: ["example.com"]),
  IdentityCase(
    testDescription: "schemes and hosts in any case", uris: ["SIP:Example.COM"], expected: ["example.com"]),
  IdentityCase(
    testDescription: "several sip URIs", uris: ["sip:example.com", "sip:example.net"],
    expected: ["example.com", "example.net"]),
  IdentityCase(
    testDescription: "port and parameters are not compared",
    uris: ["sip:example.com:5061;transport=tls", "sip:example.net;lr"],
    expected: ["example.com", "example.net"]),
  IdentityCase(
    testDescription: "a URI with a user part is somebody, not a domain", uris: ["sip:alice@example.com"],
    expected: []),
  IdentityCase(
    testDescription: "another scheme is no SIP identity, sips neither",
    uris: ["sips:example.com", "https://example.com", "sipx:example.com", "sip"], expected: []),
  IdentityCase(
    testDescription: "a sip URI hides DNS names", uris: ["sip:example.com"], dnsNames: ["example.net"],
    expected: ["example.com"]),
  IdentityCase(
    testDescription: "a URI that is no identity hides nothing", uris: ["sip:alice@example.com"],
    dnsNames: ["example.net"], expected: ["example.net"]),
  IdentityCase(
    testDescription: "DNS names without a URI", dnsNames: ["example.net", "sip.example.net"],
    expected: ["example.net", "sip.example.net"]),
  IdentityCase(
    testDescription: "a common name only without any subjectAltName", commonNames: ["Example.org"],
    expected: ["example.org"]),
  IdentityCase(
    testDescription: "DNS names hide the common name", dnsNames: ["example.net"],
    commonNames: ["example.org"],
    expected: ["example.net"]),
  IdentityCase(
    testDescription: "a subjectAltName of another kind hides the common name", commonNames: ["example.org"],
    hasAlternativeNames: true, expected: []),
  IdentityCase(
    testDescription: "a URI that is no identity hides the common name", uris: ["sip:alice@example.com"],
    commonNames: ["example.org"], expected: []),
  IdentityCase(
    testDescription: "a common name that is no DNS name",
    commonNames: ["Example Incorporated", "*.example.org", "example.org\u{0}.evil", "a..b", ""], expected: []),
]

@Suite("RFC 5922 §7.1: finding SIP identities in a certificate")
struct FindingIdentitiesTests {
  @Test("The identities are those of G30", arguments: identityCases)
  func identities(_ item: IdentityCase) {
    let found = CertificateIdentities(of: item.names)
    #expect(found.domains.map { String(decoding: $0, as: UTF8.self) } == item.expected)
    for domain in item.expected { #expect(found.match(domain.utf8)) }
    for name in item.uris + item.dnsNames + item.commonNames where !item.expected.contains(name.lowercased())
    {
      #expect(!found.match(name.utf8))
    }
  }
}

@Suite("RFC 5922 §7.2: comparing SIP identities")
struct ComparingIdentitiesTests {
  // G31: as a whole or not at all.
  @Test(
    "Names are compared in their entirety, in either case",
    arguments: [
      ("example.com", "example.com", true), ("example.com", "EXAMPLE.com", true),
      ("Example.com", "example.COM.", true), ("example.com", "foo.example.com", false),
      ("foo.example.com", "example.com", false), ("*.example.com", "foo.example.com", false),
      ("*.example.com", "example.com", false), ("*.example.com", "*.example.com", true),
      (".example.com", "foo.example.com", false), ("*", "example.com", false),
      ("example.com", "example.com\u{0}.evil", false), ("example.com\u{0}.evil", "example.com", false),
      ("example.com", "example.co", false), ("example.com", "", false), ("", "", false), (".", ".", false),
    ])
  func names(_ certificate: String, _ peer: String, _ expected: Bool) {
    var names = CertificateNames()
    names.hasAlternativeNames = true
    names.dnsNames = [Array(certificate.utf8)]
    #expect(CertificateIdentities(of: names).match(peer.utf8) == expected)
  }

  @Test(
    "An address matches an address entry in binary, and no text",
    arguments: [
      ("192.0.2.7", true), ("[2001:db8::7]", true), ("2001:DB8:0::7", true), ("::ffff:192.0.2.7", true),
      ("192.0.2.8", false), ("198.51.100.1", false), ("203.0.113.5", false), ("example.com", true),
    ])
  func addresses(_ peer: String, _ expected: Bool) {
    var names = CertificateNames()
    names.hasAlternativeNames = true
    names.uris = ["sip:example.com", "sip:198.51.100.1"].map { Array($0.utf8) }
    names.dnsNames = [Array("203.0.113.5".utf8)]
    names.addresses = [
      IPAddress(v4: 0xC000_0207), IPAddress(v6High: 0x2001_0DB8_0000_0000, v6Low: 7),
    ]
    #expect(CertificateIdentities(of: names).match(peer.utf8) == expected)
  }

  @Test("An address written as a common name is not one")
  func addressAsCommonName() {
    var names = CertificateNames()
    names.commonNames = [Array("192.0.2.7".utf8)]
    #expect(!CertificateIdentities(of: names).match("192.0.2.7".utf8))
  }

  @Test("Identities read well in a log line")
  func description() {
    var names = CertificateNames()
    #expect(CertificateIdentities(of: names).description == "nobody")
    names.hasAlternativeNames = true
    names.dnsNames = [Array("Example.com".utf8)]
    names.addresses = [IPAddress(v4: 0xC000_0207)]
    #expect(CertificateIdentities(of: names).description == "example.com, 192.0.2.7")
  }
}
