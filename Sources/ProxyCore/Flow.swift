public import SIPSyntax

/// The transports a Via header field can name here.
public enum TransportProtocol: UInt8, CaseIterable, Sendable {
  case udp, tcp, tls

  /// The transport token as it stands in Via.
  var viaToken: StaticString {
    switch self {
    case .udp: "UDP"
    case .tcp: "TCP"
    case .tls: "TLS"
    }
  }
}

/// Where a message came from or goes to: one of our sockets and the two addresses at its ends.
///
/// An answer over UDP leaves from the very address and port the request came to (RFC 3581 §4).
public struct Flow: Hashable, Sendable, BitwiseCopyable {
  /// Index of the listener in ``ProxyConfiguration/listeners``.
  public var listener: UInt16
  /// Address and port of the other side.
  public var remote: SocketAddress
  /// Our address on this flow; unspecified when the kernel may choose it.
  public var local: IPAddress

  /// Names a flow by its socket and both ends.
  public init(listener: UInt16, remote: SocketAddress, local: IPAddress) {
    self.listener = listener
    self.remote = remote
    self.local = local
  }
}

/// One socket on which requests arrive.
public struct Listener: Sendable {
  /// Transport of the socket.
  public var transport: TransportProtocol
  /// Address and port it is bound to; the address may be unspecified (a wildcard listener).
  public var bound: SocketAddress
  /// Name or address written into Via and Record-Route; nil means the local address itself.
  public var advertisedHost: [UInt8]?
  /// Port written beside it; nil means the bound port.
  public var advertisedPort: UInt16?

  /// Describes a socket that the edge has bound.
  public init(
    transport: TransportProtocol, bound: SocketAddress, advertisedHost: [UInt8]? = nil,
    advertisedPort: UInt16? = nil
  ) {
    self.transport = transport
    self.bound = bound
    self.advertisedHost = advertisedHost
    self.advertisedPort = advertisedPort
  }
}
