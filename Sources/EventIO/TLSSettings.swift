internal import COpenSSL
import Glibc

/// Where everything is read from, again at every reload.
struct TLSFiles: Sendable {
  /// Our certificate and the chain above it; nil for a client that shows none.
  let certificate: String?
  /// The certificate's key; nil when it stands in the same file.
  let key: String?
  /// What paths may end at; nil for what the system trusts.
  let trust: String?
  /// Whether clients without a certificate are refused.
  let requiresClientCertificate: Bool
}

/// OpenSSL's settings for both sides, made together or not at all.
///
/// Nothing changes once they are made, and OpenSSL lets several threads make connections from one.
@safe
final class TLSSettings: @unchecked Sendable {
  /// For accepted connections. Owned, as the other: freed when no later handshake needs it; open connections
  /// hold what they need themselves.
  let server: OpaquePointer
  /// For connections of ours.
  let client: OpaquePointer

  /// Reads all files and makes both sides from them.
  init(_ files: TLSFiles) throws(TLSError) {
    guard let server = unsafe ck_tls_new(1) else {
      throw TLSError(purpose: .certificate, path: "", reason: .refused("out of memory"))
    }
    guard let client = unsafe ck_tls_new(0) else {
      unsafe ck_tls_free(server)
      throw TLSError(purpose: .certificate, path: "", reason: .refused("out of memory"))
    }
    unsafe (self.server, self.client) = (server, client)
    if files.requiresClientCertificate { unsafe ck_tls_require_client_certificate(server) }
    try load(files)
  }

  deinit {
    unsafe ck_tls_free(server)
    unsafe ck_tls_free(client)
  }

  private func load(_ files: TLSFiles) throws(TLSError) {
    if let path = files.certificate {
      let chain = try TLSSettings.contents(of: path, for: .certificate)
      try unsafe use(chain, of: path, for: .certificate) { unsafe ck_tls_use_certificates($0, $1, $2) }
      let keyPath = files.key ?? path
      let key = try TLSSettings.contents(of: keyPath, for: .key)
      try unsafe use(key, of: keyPath, for: .key) { unsafe ck_tls_use_key($0, $1, $2) }
    } else if let path = files.key {
      throw TLSError(purpose: .key, path: path, reason: .withoutCertificate)
    }
    if let path = files.trust {
      let trusted = try TLSSettings.contents(of: path, for: .trust)
      try unsafe use(trusted, of: path, for: .trust) { unsafe ck_tls_trust($0, $1, $2) }
    } else {
      try unsafe use([], of: "", for: .trust) { settings, _, _ in unsafe ck_tls_trust_system(settings) }
    }
  }

  /// Hands the contents of a file to both sides.
  private func use(
    _ contents: [UInt8], of path: String, for purpose: TLSError.Purpose,
    _ body: (OpaquePointer, UnsafePointer<UInt8>?, Int) -> ck_tls_result
  ) throws(TLSError) {
    for isServer in [true, false] {
      let settings = unsafe isServer ? server : client
      let result = unsafe contents.withUnsafeBufferPointer { bytes in
        unsafe body(settings, bytes.baseAddress, bytes.count)
      }
      if let reason = TLSError.Reason(result) {
        throw TLSError(purpose: purpose, path: path, reason: reason)
      }
    }
  }

  /// The bytes of a file, without ever waiting for them.
  private static func contents(of path: String, for purpose: TLSError.Purpose) throws(TLSError) -> [UInt8] {
    let file = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { throw TLSError(purpose: purpose, path: path, reason: .unreadable(errno)) }
    defer { close(file) }
    var contents: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw TLSError(purpose: purpose, path: path, reason: .unreadable(errno)) }
      guard count > 0 else { return contents }
      contents += chunk[..<count]
      if contents.count > TLSContext.largestFile {
        throw TLSError(purpose: purpose, path: path, reason: .tooLarge)
      }
    }
  }
}

extension TLSError.Reason {
  /// What a result of the C side means; nil when all is well.
  fileprivate init?(_ result: ck_tls_result) {
    switch result {
    case CK_TLS_FINE: return nil
    case CK_TLS_NOTHING_IN_IT: self = .nothingInIt
    case CK_TLS_NEEDS_PASSWORD: self = .needsPassword
    case CK_TLS_NO_MATCH: self = .noMatch
    default: self = unsafe .refused(String(cString: ck_tls_reason()))
    }
  }
}
