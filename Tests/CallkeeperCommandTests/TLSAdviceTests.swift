import EventIO
import SIPSyntax
import Testing

@testable import CallkeeperCommand

/// RFC 5922 §7.5 (G35).
@Suite("What is unwise about TLS files")
struct TLSAdviceTests {
  private func identities(_ names: [String]) -> CertificateIdentities {
    var found = CertificateNames()
    found.hasAlternativeNames = true
    for name in names {
      if let address = IPAddress(name) {
        found.addresses.append(address)
      } else {
        found.dnsNames.append(Array(name.utf8))
      }
    }
    return CertificateIdentities(of: found)
  }

  private func warnings(
    _ arguments: [String], names: [String] = ["sip.example.com"], systemTrustsSomebody: Bool = true
  ) throws -> [String] {
    let run = try configuration(["--tls-certificate", "c"] + arguments)
    return TLSAdvice(run, try Preparation(run).listen).warnings(
      for: identities(names),
      localAddresses: ["127.0.0.1", "192.0.2.1", "2001:db8::1"].compactMap { IPAddress($0) },
      systemTrustsSomebody: systemTrustsSomebody)
  }

  static let fitting: [(arguments: [String], names: [String])] = [
    (["--advertise", "tls:SIP.example.com"], ["sip.example.com"]),
    (["--advertise", "sip.example.com:5060"], ["other.example.com", "sip.example.com"]),
    (["--advertise", "a.example", "--advertise", "tls:sip.example.com"], ["sip.example.com"]),
    (["--listen", "tls:192.0.2.7:5061"], ["192.0.2.7"]),
    (["--listen", "tls:[2001:db8::7]:5061"], ["2001:db8:0::7"]),
    // A wildcard goes by the address each peer sees.
    (["--listen", "tls:0.0.0.0:5061"], ["192.0.2.1"]), (["--listen", "tls:[::]:5061"], ["2001:db8::1"]),
  ]

  @Test("A name of the certificate in Record-Route is nothing to speak of", arguments: fitting)
  func fits(_ row: (arguments: [String], names: [String])) throws {
    #expect(try warnings(row.arguments, names: row.names) == [])
  }

  static let differing: [(arguments: [String], names: [String], words: [String])] = [
    (
      [], ["sip.example.com"], ["tls:0.0.0.0:5061", "its address", "sip.example.com", "--advertise tls:NAME"]
    ),
    (["--advertise", "tls:a.sip.example.com"], ["sip.example.com"], ["\"a.sip.example.com\""]),
    (["--advertise", "a.example"], ["*.example"], ["\"a.example\"", "*.example"]),
    (["--advertise", "tls:192.0.2.8"], ["192.0.2.7"], ["\"192.0.2.8\"", "192.0.2.7"]),
    (["--listen", "tls:192.0.2.8:5061"], [], ["tls:192.0.2.8:5061", "nobody"]),
    (["--listen", "tls:[::]:5061"], ["192.0.2.1"], ["tls:[::]:5061"]),
    (["--advertise", "f"], ["a", "b", "c", "d", "e", "1.2.3.4"], ["a, b, c, d and 2 more"]),
  ]

  @Test("A Record-Route that the certificate does not name is told", arguments: differing)
  func differs(_ row: (arguments: [String], names: [String], words: [String])) throws {
    let found = try warnings(row.arguments, names: row.names)
    #expect(found.count == 1)
    for word in row.words { #expect(found.first?.contains(word) == true, "\(word) in \(found)") }
  }

  @Test("Every tls listener is compared, and no other")
  func each() throws {
    let listen = ["udp:192.0.2.1:5060", "tls:192.0.2.1:5061", "tls:[2001:db8::1]:5061", "tls:192.0.2.2:5061"]
    let found = try warnings(listen.flatMap { ["--listen", $0] }, names: ["192.0.2.1"])
    #expect(found.count == 2)
    #expect(found.first?.hasPrefix("tls:[2001:db8::1]:5061 ") == true)
    #expect(found.last?.hasPrefix("tls:192.0.2.2:5061 ") == true)
  }

  @Test("Whom clients are taken from, and that nobody is trusted, are told unless a file says it")
  func trust() throws {
    let fine = ["--advertise", "sip.example.com"]
    let required = fine + ["--tls-require-client-certificate"]
    let open = try warnings(required)
    #expect(
      open.count == 1 && open.first?.contains("--tls-require-client-certificate without --tls-ca") == true)
    for arguments in [fine, required] {
      let empty = try warnings(arguments, systemTrustsSomebody: false)
      #expect(empty.count == 1 && empty.first?.contains("ca-certificates") == true)
      #expect(try warnings(arguments + ["--tls-ca", "f"], systemTrustsSomebody: false) == [])
    }
    #expect(try warnings(fine) == [])
  }
}
