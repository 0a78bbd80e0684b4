import Glibc
import Testing

@testable import EventIO

/// A server's certificate and what a client says to it.
struct ServerCertificateCase: Sendable, CustomTestStringConvertible {
  let testDescription: String
  var names: String? = "URI:sip:example.com"
  var commonName: String?
  var usages: String?
  var validFrom: Int32 = -3_600
  var validUntil: Int32 = 3_600
  var domain = "example.com"
  /// Nil when the handshake is to fail for `reason`.
  var matches: Bool?
  var reason = ""
}

private let serverCertificates = [
  ServerCertificateCase(testDescription: "the domain as URI", matches: true),
  ServerCertificateCase(
    testDescription: "the domain as DNS name", names: "DNS:example.com,DNS:example.net", matches: true),
  ServerCertificateCase(
    testDescription: "the domain as common name", names: nil, commonName: "example.com", matches: true),
  ServerCertificateCase(
    testDescription: "a name beside the subjectAltName", names: "DNS:example.net", commonName: "example.com",
    matches: false),
  ServerCertificateCase(testDescription: "another domain", names: "URI:sip:example.net", matches: false),
  ServerCertificateCase(
    testDescription: "a wildcard", names: "DNS:*.example.com", domain: "sip.example.com", matches: false),
  ServerCertificateCase(testDescription: "a user", names: "URI:sip:alice@example.com", matches: false),
  ServerCertificateCase(testDescription: "nobody", names: nil, matches: false),
  ServerCertificateCase(testDescription: "a mailbox", names: "email:a@example.com", matches: false),
  ServerCertificateCase(
    testDescription: "an address", names: "IP:192.0.2.7,IP:2001:db8::7", domain: "192.0.2.7", matches: true),
  ServerCertificateCase(
    testDescription: "an address of the other family", names: "IP:192.0.2.7,IP:2001:db8::7",
    domain: "[2001:db8::7]", matches: true),
  ServerCertificateCase(
    testDescription: "an address as a DNS name", names: "DNS:192.0.2.7", domain: "192.0.2.7", matches: false),
  ServerCertificateCase(testDescription: "for servers", usages: "serverAuth", matches: true),
  ServerCertificateCase(
    testDescription: "for SIP domains alone", usages: "1.3.6.1.5.5.7.3.20", matches: true),
  ServerCertificateCase(
    testDescription: "for clients alone", usages: "clientAuth", reason: "unsuitable certificate purpose"),
  ServerCertificateCase(
    testDescription: "for mail alone", usages: "emailProtection", reason: "unsuitable certificate purpose"),
  ServerCertificateCase(
    testDescription: "expired", validUntil: -60, reason: "certificate has expired"),
  ServerCertificateCase(
    testDescription: "not valid yet", validFrom: 600, reason: "certificate is not yet valid"),
]

@Suite("RFC 5922 §7.3: a TLS client and its server's certificate", .serialized)
struct ServerCertificateTests {
  // G28, G29, G30, G31, G32.
  @Test("A server is who its valid certificate says, and nobody else", arguments: serverCertificates)
  func verdict(_ item: ServerCertificateCase) throws {
    let authority = try TestAuthority()
    let file = try authority.issue(
      item.names, commonName: item.commonName, usages: item.usages, validFrom: item.validFrom,
      validUntil: item.validUntil)
    let server = try TLSContext(
      certificate: file, key: nil, trust: authority.trust, requiresClientCertificate: false)
    let client = try TLSContext(
      certificate: nil, key: nil, trust: authority.trust, requiresClientCertificate: false)
    let meeting = try TLSMeeting(server: server, client: client, domain: item.domain)
    if let matches = item.matches {
      #expect(meeting.client.outcome == .established)
      #expect(meeting.client.proves(item.domain) == matches)
    } else {
      #expect(meeting.client.outcome == .failed(item.reason))
      #expect(meeting.client.peer == nil)
      #expect(!meeting.client.proves(item.domain))
    }
  }

  @Test("G32: a path that ends at nobody we trust ends the handshake")
  func untrusted() throws {
    let (authority, other) = (try TestAuthority(), try TestAuthority())
    let server = try TLSContext(
      certificate: try authority.issue("DNS:example.com"), key: nil, trust: nil,
      requiresClientCertificate: false)
    let client = try TLSContext(
      certificate: nil, key: nil, trust: other.trust, requiresClientCertificate: false)
    let meeting = try TLSMeeting(server: server, client: client)
    #expect(meeting.client.outcome != .established)
    #expect(meeting.server.outcome != .established)
  }

  @Test("G32: the chain in the certificate's file is sent along")
  func chain() throws {
    let authority = try TestAuthority()
    let between = try #require(
      Credentials(commonName: "Between", isAuthority: true, issuer: authority.root))
    let leaf = try #require(Credentials(names: "DNS:example.com", issuer: between))
    let server = try TLSContext(
      certificate: try authority.write(leaf.certificate + between.certificate, to: "chain.pem"),
      key: try authority.write(leaf.key, to: "key.pem"), trust: authority.trust,
      requiresClientCertificate: false)
    let client = try TLSContext(
      certificate: nil, key: nil, trust: authority.trust, requiresClientCertificate: false)
    let meeting = try TLSMeeting(server: server, client: client)
    #expect(meeting.client.outcome == .established)
    #expect(meeting.client.proves("example.com"))
  }

  @Test(
    "G33: the domain goes into the server name indication, an address does not",
    arguments: [("example.com", true), ("192.0.2.7", false), ("[2001:db8::7]", false)])
  func serverName(_ domain: String, _ isSent: Bool) throws {
    let hello = try clientHello(domain)
    // RFC 6066 §3: type 0, the length of the list, type of the name 0, its length, the name.
    let name = Array(domain.utf8)
    let entry = [0, 0, 0, UInt8(name.count + 5), 0, UInt8(name.count + 3), 0, 0, UInt8(name.count)] + name
    #expect(hello.contains(entry) == isSent)
    #expect(hello.contains(name) == isSent)
  }

  @Test("G40: a client offers TLS 1.3 and 1.2 and nothing older")
  func offeredVersions() throws {
    #expect(try clientHello("example.com").contains([0, 43, 0, 5, 4, 3, 4, 3, 3]))
  }

  /// The first thing a client says.
  private func clientHello(_ domain: String) throws -> [UInt8] {
    let context = try TLSContext(certificate: nil, key: nil, trust: nil, requiresClientCertificate: false)
    let loop = try EventLoop()
    let sockets = try socketPair()
    defer { close(sockets.0) }
    let client = try unsafe TLSEnd(
      context, context.makeClient(loop: loop, socket: sockets.1, domain: domain), on: loop)
    var hello = [UInt8](repeating: 0, count: 4_096)
    var count = 0
    #expect(
      loop.turn {
        count = unsafe recv(sockets.0, &hello, hello.count, 0)
        return count > 0
      })
    client.close(politely: false)
    return Array(hello.prefix(max(0, count)))
  }
}

@Suite("RFC 5922 §7.4: a TLS server and its client's certificate", .serialized)
struct ClientCertificateTests {
  /// A server of `authority`'s.
  private func server(_ authority: TestAuthority, requires: Bool) throws -> TLSContext {
    try TLSContext(
      certificate: try authority.issue("DNS:example.com"), key: nil, trust: authority.trust,
      requiresClientCertificate: requires)
  }

  @Test("G34: a client without certificate stays, but proves nothing, unless one is required")
  func without() throws {
    let authority = try TestAuthority()
    let client = try TLSContext(
      certificate: nil, key: nil, trust: authority.trust, requiresClientCertificate: false)
    let optional = try TLSMeeting(server: try server(authority, requires: false), client: client)
    #expect(optional.server.outcome == .established)
    #expect(optional.server.peer == nil)
    #expect(!optional.server.proves("example.net"))
    let required = try TLSMeeting(server: try server(authority, requires: true), client: client)
    #expect(required.server.outcome == .failed("peer did not return a certificate"))
    #expect(required.client.outcome != .established)
  }

  // G28, G34.
  @Test("Mutual TLS proves the client's identities", arguments: [true, false])
  func mutual(_ isRequired: Bool) throws {
    let authority = try TestAuthority()
    let client = try TLSContext(
      certificate: try authority.issue("URI:sip:example.net,DNS:ignored.example", as: "client.pem"), key: nil,
      trust: authority.trust, requiresClientCertificate: false)
    let meeting = try TLSMeeting(server: try server(authority, requires: isRequired), client: client)
    #expect(meeting.server.outcome == .established)
    #expect(meeting.server.peer?.description == "example.net")
    #expect(meeting.client.proves("example.com"))
  }

  // G32: a certificate that is shown must be valid, whether one was required or not.
  @Test("A client's certificate that is not valid ends the handshake", arguments: [true, false])
  func invalid(_ isRequired: Bool) throws {
    let (authority, other) = (try TestAuthority(), try TestAuthority())
    for file in [
      try other.issue("URI:sip:example.net"),
      try authority.issue("URI:sip:example.net", validUntil: -60, as: "expired.pem"),
      try authority.issue("URI:sip:example.net", usages: "emailProtection", as: "mail.pem"),
    ] {
      let client = try TLSContext(
        certificate: file, key: nil, trust: authority.trust, requiresClientCertificate: false)
      let meeting = try TLSMeeting(server: try server(authority, requires: isRequired), client: client)
      #expect(meeting.server.outcome != .established)
      #expect(meeting.server.peer == nil)
    }
  }

  @Test("G40: a client that knows TLS 1.1 and nothing newer gets a protocol_version alert")
  func oldVersion() throws {
    let authority = try TestAuthority()
    let context = try server(authority, requires: false)
    let loop = try EventLoop()
    let sockets = try socketPair()
    defer { close(sockets.1) }
    let end = try unsafe TLSEnd(context, context.makeServer(loop: loop, socket: sockets.0), on: loop)
    // ClientHello of version 3.2 without extensions: a random, no session, two suites, no compression.
    let body: [UInt8] = [3, 2] + Array(repeating: 7, count: 32) + [0, 0, 4, 0, 0x2F, 0xC0, 0x13, 1, 0]
    let hello = [22, 3, 1, 0, UInt8(body.count + 4), 1, 0, 0, UInt8(body.count)] + body
    #expect(unsafe send(sockets.1, hello, hello.count, 0) == hello.count)
    #expect(loop.turn { end.isSettled })
    #expect(end.outcome == .failed("unsupported protocol"))
    var answer = [UInt8](repeating: 0, count: 64)
    let count = unsafe recv(sockets.1, &answer, answer.count, 0)
    // RFC 5246 §7.2: a fatal alert, protocol_version.
    #expect(count == 7 && answer[0] == 21 && Array(answer[5..<7]) == [2, 70])
  }
}
