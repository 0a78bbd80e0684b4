public import SIPSyntax

/// Why TLS refused a connection, on whichever side; what the network did to it is not among them.
public struct HandshakeFailure: Sendable {
  /// Octets of the other side's words that are kept.
  private static let longestText = 256

  /// The other side.
  public let remote: SocketAddress
  /// Whom a connection of ours should have led to; nil for one that was accepted.
  public let wanted: String?
  /// What was wrong, in one line.
  public let reason: String

  /// Describes one that failed; lines that others had a say in are cut.
  init(remote: SocketAddress, wanted: [UInt8]?, reason: String) {
    self.remote = remote
    self.wanted = wanted.map { String(decoding: $0.prefix(HandshakeFailure.longestText), as: UTF8.self) }
    self.reason = String(decoding: reason.utf8.prefix(HandshakeFailure.longestText), as: UTF8.self)
  }
}

extension Worker {
  /// Called from the loop for every connection that TLS refused.
  public var whenHandshakeFails: (HandshakeFailure) -> Void {
    get { connections.whenHandshakeFails }
    set { connections.whenHandshakeFails = newValue }
  }
}
