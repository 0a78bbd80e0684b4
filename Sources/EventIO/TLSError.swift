/// What is wrong with a file that TLS needs.
public struct TLSError: Error, Equatable, CustomStringConvertible {
  /// What the file is for.
  public enum Purpose: String, Sendable {
    case certificate, key
    case trust = "trusted certificates"
  }

  /// What is wrong with it.
  public enum Reason: Equatable, Sendable {
    /// The system does not let us read it: its `errno`.
    case unreadable(Int32)
    /// It is larger than ``TLSContext/largestFile``.
    case tooLarge
    /// There is nothing for its purpose in it.
    case nothingInIt
    /// The key is encrypted, and nobody is there to type a password.
    case needsPassword
    /// The key is not that of the certificate.
    case noMatch
    /// A key without a certificate.
    case withoutCertificate
    /// OpenSSL refuses it, in its own words.
    case refused(String)
  }

  /// What the file is for.
  public let purpose: Purpose
  /// The file, as the user wrote it; empty for what the system trusts.
  public let path: String
  /// What is wrong with it.
  public let reason: Reason

  /// One line for people: `TLS key /etc/callkeeper/key.pem: does not belong to the certificate`.
  public var description: String {
    let file = path.isEmpty ? "TLS \(purpose.rawValue)" : "TLS \(purpose.rawValue) \(path)"
    switch reason {
    case .unreadable(let errorNumber): return "\(file): \(EventIOError.text(of: errorNumber))"
    case .tooLarge: return "\(file): larger than \(TLSContext.largestFile) bytes"
    case .nothingInIt:
      return "\(file): holds no \(purpose == .key ? "private key" : "certificate") in PEM format"
    case .needsPassword: return "\(file): is encrypted with a password, which callkeeper cannot ask for"
    case .noMatch: return "\(file): does not belong to the certificate"
    case .withoutCertificate: return "\(file): a key without a certificate is of no use"
    case .refused(let words): return "\(file): refused by OpenSSL: \(words)"
    }
  }
}
