public import SIPSyntax

/// One bound socket of a worker: datagrams, or a listener for connections.
public enum ListeningTransport {
  case udp(UDPTransport)
  case stream(StreamTransport)

  /// Binds a socket of `transport`, which for TLS needs `tls`; fails when another has the address.
  public init(
    _ transport: TransportProtocol, binding address: SocketAddress, tls: TLSContext? = nil
  ) throws(EventIOError) {
    switch transport {
    case .udp: self = .udp(try UDPTransport(binding: address))
    case .tcp: self = .stream(try StreamTransport(binding: address))
    case .tls:
      precondition(tls != nil, "a TLS listener needs a certificate")
      self = .stream(try StreamTransport(binding: address, tls: tls))
    }
  }

  /// What is spoken on it.
  public var transport: TransportProtocol {
    switch self {
    case .udp: .udp
    case .stream(let stream): stream.transport
    }
  }

  /// Address and port bound to; the port is the real one when 0 was asked for.
  public var bound: SocketAddress {
    switch self {
    case .udp(let datagrams): datagrams.bound
    case .stream(let stream): stream.bound
    }
  }

  /// Whether the network said that datagrams sent from here cannot reach their destinations.
  var hasQuotations: Bool {
    if case .udp(let datagrams) = self { datagrams.errors.hasQuotations } else { false }
  }
}
