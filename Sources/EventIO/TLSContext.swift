// TLS for stream connections: RFC 5922 over OpenSSL, with libevent's bufferevents.
// Versions 1.2 and 1.3 only, and of 1.2 only suites with forward secrecy and authenticated encryption: the
// suite that RFC 3261 §26.2.2 asked for in 2002 is not among them (G40).

internal import COpenSSL
import SIPSyntax
import Synchronization

/// Certificate, key and trust of all workers, and the connections made with them.
///
/// May be used from every thread; its connections belong to that of their loop. A peer that shows a certificate must have a valid one: its path
/// ends at a trusted certificate, is within its time, and lets it be used for TLS or SIP domains (G32). A
/// server always has one; a client only when told (G34).
@safe
public final class TLSContext: Sendable {
  /// Bytes of a file that are read at most.
  public static let largestFile = 4 << 20

  private let files: TLSFiles
  private let current: Mutex<TLSSettings>
  /// What handshakes from now on are made with.
  private var settings: TLSSettings { current.withLock { $0 } }

  /// Reads the files, all in PEM format; without `certificate` it is a client only, without `key` the key stands
  /// in the certificate's file, without `trust` the system's trusted certificates are taken.
  ///
  /// The certificate's file goes on with the chain above it, if there is one.
  public init(
    certificate: String?, key: String?, trust: String?, requiresClientCertificate: Bool
  ) throws(TLSError) {
    files = TLSFiles(
      certificate: certificate, key: key, trust: trust, requiresClientCertificate: requiresClientCertificate)
    current = Mutex(try TLSSettings(files))
  }

  /// Reads the files again, for handshakes from now on; open connections stay as they are.
  ///
  /// When that fails, everything stays as it was.
  public func reload() throws(TLSError) {
    let read = try TLSSettings(files)
    current.withLock { $0 = read }
  }

  /// Whether the system has certificates to trust when no file names any.
  public static var systemTrustsSomebody: Bool { ck_tls_system_trusts_somebody() != 0 }

  /// Whether there is a certificate to accept connections with.
  public var canAccept: Bool { files.certificate != nil }

  /// Whom our own certificate names; nil without one. A secure Record-Route must be among them (G35).
  public var ownIdentities: CertificateIdentities? {
    let settings = settings
    return withExtendedLifetime(settings) {
      unsafe CertificateNames.collect { unsafe ck_tls_own_names(settings.server, $0, $1) }
        .map(CertificateIdentities.init)
    }
  }

  /// The server's side of a connection that was accepted; the handshake begins when the loop turns.
  ///
  /// The socket goes with the bufferevent; nil when there is no memory or no certificate, and the socket stays
  /// the caller's.
  func makeServer(loop: EventLoop, socket: Int32) -> OpaquePointer? {
    guard canAccept else { return nil }
    // Another worker may read the files again meanwhile.
    let settings = settings
    return unsafe withExtendedLifetime(settings) { unsafe ck_tls_accept(settings.server, loop.base, socket) }
  }

  /// The client's side of a connection; `socket` may be -1 until it is connected. Ownership as above.
  ///
  /// `domain` is what the peer must be (G29), as it stands in the URI. A name is sent in the server name
  /// indication (G33), an address is not: RFC 6066 §3 has no room for it.
  func makeClient(loop: EventLoop, socket: Int32, domain: String?) -> OpaquePointer? {
    let settings = settings
    return unsafe withExtendedLifetime(settings) {
      guard let domain, !domain.isEmpty, IPAddress(domain) == nil else {
        return unsafe ck_tls_connect(settings.client, loop.base, socket, nil)
      }
      let name = domain.hasSuffix(".") ? String(domain.dropLast()) : domain
      return unsafe ck_tls_connect(settings.client, loop.base, socket, name)
    }
  }

  /// Whom the peer's certificate names; nil when it has none or the handshake is not done (G34).
  func identities(of connection: OpaquePointer) -> CertificateIdentities? {
    unsafe CertificateNames.collect { unsafe ck_tls_peer_names(connection, $0, $1) }
      .map(CertificateIdentities.init)
  }

  /// Whether the peer proved to be `domain` (G29); never true before the handshake is done.
  func peerMatches(_ connection: OpaquePointer, _ domain: some Collection<UInt8>) -> Bool {
    unsafe identities(of: connection)?.match(domain) ?? false
  }

  /// Sends the close alert, if there is anybody to get it; to be called just before the bufferevent is freed.
  func sayFarewell(to connection: OpaquePointer) {
    unsafe ck_tls_farewell(connection)
  }

  /// Why a connection failed, in OpenSSL's words; nil when TLS was not the reason.
  func failure(of connection: OpaquePointer) -> String? {
    guard let words = unsafe ck_tls_failure(connection) else { return nil }
    return unsafe String(cString: words)
  }
}

extension CertificateNames {
  /// The names that `walk` hands over one by one; nil when it says that there is no certificate.
  fileprivate static func collect(
    _ walk: (_ receiver: @escaping ck_name_receiver, _ context: UnsafeMutableRawPointer) -> Int32
  ) -> CertificateNames? {
    var names = CertificateNames()
    let found = unsafe withUnsafeMutablePointer(to: &names) { names in
      unsafe walk(
        { context, kind, bytes, count in
          guard let context = unsafe context else { return }
          let octets = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
          unsafe context.assumingMemoryBound(to: CertificateNames.self).pointee.add(octets, kind)
        }, UnsafeMutableRawPointer(names))
    }
    return found == 0 ? nil : names
  }

  private mutating func add(_ octets: [UInt8], _ kind: ck_name_kind) {
    hasAlternativeNames = hasAlternativeNames || kind != CK_NAME_COMMON
    switch kind {
    case CK_NAME_URI: uris.append(octets)
    case CK_NAME_DNS: dnsNames.append(octets)
    case CK_NAME_COMMON: commonNames.append(octets)
    case CK_NAME_ADDRESS where octets.count == 4:
      addresses.append(IPAddress(v4: UInt32(truncatingIfNeeded: octets.bigEndianWord)))
    case CK_NAME_ADDRESS where octets.count == 16:
      addresses.append(
        IPAddress(v6High: Array(octets[..<8]).bigEndianWord, v6Low: Array(octets[8...]).bigEndianWord))
    default: break
    }
  }
}

extension [UInt8] {
  /// Up to eight octets as a number.
  fileprivate var bigEndianWord: UInt64 { reduce(0) { $0 << 8 | UInt64($1) } }
}
