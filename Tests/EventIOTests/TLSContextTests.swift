import Glibc
import Testing

@testable import EventIO

@Suite("TLS connections", .serialized)
struct TLSConnectionTests {
  private let authority: TestAuthority
  private let server: TLSContext
  private let client: TLSContext

  init() throws {
    authority = try TestAuthority()
    server = try TLSContext(
      certificate: try authority.issue("DNS:example.com"), key: nil, trust: authority.trust,
      requiresClientCertificate: false)
    client = try TLSContext(
      certificate: nil, key: nil, trust: authority.trust, requiresClientCertificate: false)
  }

  @Test("Bytes pass both ways unchanged, also more than fit at once")
  func carriesBytes() throws {
    let meeting = try TLSMeeting(server: server, client: client)
    let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    meeting.client.send(bytes)
    meeting.server.send(bytes)
    let (first, second) = (meeting.server, meeting.client)
    #expect(meeting.loop.turn { first.received.count >= 1_000_000 && second.received.count >= 1_000_001 })
    #expect(first.received == bytes)
    #expect(Array(second.received.dropFirst()) == bytes)
  }

  // A peer that just closes has closed, as on TCP: SIP's framing shows whether anything is missing.
  @Test("A close is an end of stream, with a close alert or without", arguments: [true, false])
  func endOfStream(_ isPolite: Bool) throws {
    for clientCloses in [true, false] {
      let meeting = try TLSMeeting(server: server, client: client)
      let (closing, other) =
        clientCloses ? (meeting.client, meeting.server) : (meeting.server, meeting.client)
      closing.close(politely: isPolite)
      #expect(meeting.loop.turn { other.outcome != .established })
      #expect(other.outcome == .ended)
    }
  }

  @Test("A handshake that breaks off is an end or a failure, never established")
  func brokenHandshake() throws {
    let loop = try EventLoop()
    let sockets = try socketPair()
    let end = try unsafe TLSEnd(server, server.makeServer(loop: loop, socket: sockets.0), on: loop)
    #expect(unsafe send(sockets.1, [22, 3, 1, 0] as [UInt8], 4, 0) == 4)
    loop.turn(waiting: true)
    close(sockets.1)
    #expect(loop.turn { end.isSettled })
    #expect(end.outcome != .established)
    #expect(end.peer == nil)
  }

  @Test("What is not TLS fails the handshake")
  func plainText() throws {
    let loop = try EventLoop()
    let sockets = try socketPair()
    defer { close(sockets.1) }
    let end = try unsafe TLSEnd(server, server.makeServer(loop: loop, socket: sockets.0), on: loop)
    let text = Array("OPTIONS sip:example.com SIP/2.0\r\n".utf8)
    #expect(unsafe send(sockets.1, text, text.count, 0) == text.count)
    #expect(loop.turn { end.isSettled })
    #expect(end.outcome == .failed("wrong version number"))
  }

  @Test("Reloading: later handshakes use the new files, open connections go on")
  func reloads() throws {
    let before = try TLSMeeting(server: server, client: client)
    _ = try authority.issue("DNS:example.net")
    try server.reload()
    let after = try TLSMeeting(server: server, client: client, domain: "example.net", on: before.loop)
    #expect(after.client.proves("example.net") && !after.client.proves("example.com"))
    #expect(server.ownIdentities?.description == "example.net")
    before.client.send([1, 2, 3])
    #expect(before.loop.turn { before.server.received.count == 3 })
    #expect(before.client.proves("example.com"))
  }

  @Test("A reload that fails says why and keeps what was there")
  func failedReload() throws {
    let path = try authority.write("nothing of use", to: "certificate.pem")
    #expect(throws: TLSError(purpose: .certificate, path: path, reason: .nothingInIt)) {
      try server.reload()
    }
    let meeting = try TLSMeeting(server: server, client: client)
    #expect(meeting.client.proves("example.com"))
  }

  @Test("A context knows whom its own certificate names")
  func ownIdentities() {
    #expect(server.ownIdentities?.match("EXAMPLE.com".utf8) == true)
    #expect(server.ownIdentities?.match("example.net".utf8) == false)
    #expect(client.ownIdentities == nil)
    #expect(!client.canAccept)
  }
}

@Suite("TLS files")
struct TLSFileTests {
  private let authority: TestAuthority
  private let credentials: Credentials

  init() throws {
    authority = try TestAuthority()
    credentials = try #require(Credentials(names: "DNS:example.com", issuer: authority.root))
  }

  /// The line that a context cannot be made for.
  private func mistake(certificate: String? = nil, key: String? = nil, trust: String? = nil) -> String? {
    do throws(TLSError) {
      _ = try TLSContext(certificate: certificate, key: key, trust: trust, requiresClientCertificate: false)
      return nil
    } catch {
      return error.description
    }
  }

  @Test("A file that cannot be read is named with the system's reason")
  func unreadable() {
    let folder = authority.folder.path
    #expect(
      mistake(certificate: folder + "/missing.pem")
        == "TLS certificate \(folder)/missing.pem: No such file or directory")
    #expect(mistake(trust: folder) == "TLS trusted certificates \(folder): Is a directory")
    #expect(mistake(trust: "/dev/zero") == "TLS trusted certificates /dev/zero: larger than 4194304 bytes")
  }

  @Test("A file without what it is for says so")
  func nothingInIt() throws {
    let certificate = try authority.write(credentials.certificate, to: "certificate.pem")
    let key = try authority.write(credentials.key, to: "key.pem")
    let empty = try authority.write("", to: "empty.pem")
    #expect(mistake(certificate: key) == "TLS certificate \(key): holds no certificate in PEM format")
    #expect(mistake(certificate: empty) == "TLS certificate \(empty): holds no certificate in PEM format")
    #expect(mistake(certificate: certificate) == "TLS key \(certificate): holds no private key in PEM format")
    #expect(
      mistake(certificate: certificate, key: empty) == "TLS key \(empty): holds no private key in PEM format")
    #expect(mistake(trust: key) == "TLS trusted certificates \(key): holds no certificate in PEM format")
  }

  @Test("A key of another certificate, an encrypted one and one alone are refused")
  func keys() throws {
    let certificate = try authority.write(credentials.certificate, to: "certificate.pem")
    let other = try authority.write(authority.root.key, to: "other.pem")
    #expect(
      mistake(certificate: certificate, key: other) == "TLS key \(other): does not belong to the certificate")
    #expect(mistake(key: other) == "TLS key \(other): a key without a certificate is of no use")
    let locked = try authority.write(try #require(credentials.lockedKey), to: "locked.pem")
    #expect(
      mistake(certificate: certificate, key: locked)
        == "TLS key \(locked): is encrypted with a password, which callkeeper cannot ask for")
  }

  @Test("A damaged certificate is refused in OpenSSL's words")
  func damaged() throws {
    let damaged = try authority.write(
      credentials.certificate.replacing("-----END CERTIFICATE-----", with: "-----END-----"), to: "damaged.pem"
    )
    let line = try #require(mistake(certificate: damaged))
    #expect(line.hasPrefix("TLS certificate \(damaged): refused by OpenSSL: "))
    #expect(!line.contains("\n"))
  }

  @Test("A certificate with its key in one file, or in two, is taken")
  func taken() throws {
    let both = try authority.write(credentials.both, to: "both.pem")
    let certificate = try authority.write(credentials.certificate, to: "certificate.pem")
    let key = try authority.write(credentials.key, to: "key.pem")
    #expect(mistake(certificate: both, trust: authority.trust) == nil)
    #expect(mistake(certificate: certificate, key: key) == nil)
    #expect(mistake() == nil)
  }
}
