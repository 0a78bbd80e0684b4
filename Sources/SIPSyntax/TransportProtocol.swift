/// The transports this proxy speaks (RFC 3261 §18).
public enum TransportProtocol: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case udp, tcp, tls

  /// Whether messages arrive in order, whole and once, so that nothing is repeated (C15, C36).
  public var isReliable: Bool { self != .udp }

  /// The port when none is given: 5061 for TLS, else 5060 (RFC 3261 §19.1.2).
  public var defaultPort: UInt16 { self == .tls ? 5061 : 5060 }

  /// The transport token as it stands in Via.
  public var viaToken: StaticString {
    switch self {
    case .udp: "UDP"
    case .tcp: "TCP"
    case .tls: "TLS"
    }
  }

  /// The transport of a lower-case or upper-case token, or nil for one that is not spoken here.
  public init?(_ bytes: Span<UInt8>, _ token: ByteRange) {
    if bytes.equalsIgnoringCase(token, "udp") {
      self = .udp
    } else if bytes.equalsIgnoringCase(token, "tcp") {
      self = .tcp
    } else if bytes.equalsIgnoringCase(token, "tls") {
      self = .tls
    } else {
      return nil
    }
  }
}
