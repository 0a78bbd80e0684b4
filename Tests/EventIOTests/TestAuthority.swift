import CTestAuthority
import Foundation
import Testing

/// A certificate and its key in PEM, made for one test.
struct Credentials {
  let certificate: String
  let key: String
  /// Both, one behind the other.
  var both: String { certificate + key }

  /// Makes one; nil when OpenSSL refuses.
  ///
  /// `names` and `usages` are written as in OpenSSL's configuration files; the times are seconds from now.
  init?(
    commonName: String? = nil, names: String? = nil, usages: String? = nil, isAuthority: Bool = false,
    validFrom: Int32 = -3_600, validUntil: Int32 = 3_600, issuer: Credentials? = nil
  ) {
    let made = unsafe Credentials.withOptional(commonName) { commonName in
      unsafe Credentials.withOptional(names) { names in
        unsafe Credentials.withOptional(usages) { usages in
          var wanted = unsafe test_certificate(
            common_name: commonName, alternative_names: names, usages: usages,
            is_authority: isAuthority ? 1 : 0, valid_from: validFrom, valid_until: validUntil)
          return unsafe test_issue(&wanted, issuer?.both)
        }
      }
    }
    guard let made = unsafe made else { return nil }
    defer { unsafe free(made) }
    let text = unsafe String(cString: made)
    guard let key = text.range(of: "-----BEGIN PRIVATE KEY") else { return nil }
    certificate = String(text[..<key.lowerBound])
    self.key = String(text[key.lowerBound...])
  }

  /// The key, encrypted with a password.
  var lockedKey: String? {
    guard let locked = unsafe test_lock(key, "password") else { return nil }
    defer { unsafe free(locked) }
    return unsafe String(cString: locked)
  }

  private static func withOptional<Result>(
    _ text: String?, _ body: (UnsafePointer<CChar>?) -> Result
  ) -> Result {
    if let text { unsafe text.withCString { unsafe body($0) } } else { body(nil) }
  }
}

/// An authority that its certificates are issued by, and a folder for the files TLS reads.
final class TestAuthority {
  let folder: ScratchFolder
  let root: Credentials
  /// The file with the authority's own certificate.
  let trust: String

  init() throws {
    folder = try ScratchFolder()
    root = try #require(Credentials(commonName: "Test Authority", isAuthority: true))
    trust = folder.path + "/trust.pem"
    try write(root.certificate, to: "trust.pem")
  }

  /// Puts a text into a file of the folder; returns its path.
  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    let path = folder.path + "/" + name
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// Issues a certificate and writes it with its key into one file; returns the path.
  func issue(
    _ names: String?, commonName: String? = nil, usages: String? = nil, validFrom: Int32 = -3_600,
    validUntil: Int32 = 3_600, as file: String = "certificate.pem"
  ) throws -> String {
    let credentials = Credentials(
      commonName: commonName, names: names, usages: usages, validFrom: validFrom, validUntil: validUntil,
      issuer: root)
    return try write(#require(credentials).both, to: file)
  }
}
