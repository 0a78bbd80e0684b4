public import SIPSyntax

/// One bound socket of a worker: datagrams, or a listener for connections.
public enum ListeningTransport {
  case udp(UDPTransport)
  case stream(StreamTransport)

  /// Binds a socket of `transport`, which for TLS needs `tls`; fails when another has the address. One that is `shared`
  /// can be joined.
  public init(
    _ transport: TransportProtocol, binding address: SocketAddress, tls: TLSContext? = nil,
    isShared: Bool = false
  ) throws(EventIOError) {
    switch transport {
    case .udp: self = .udp(try UDPTransport(binding: address))
    case .tcp: self = .stream(try StreamTransport(binding: address, isShared: isShared))
    case .tls:
      precondition(tls != nil, "a TLS listener needs a certificate")
      self = .stream(try StreamTransport(binding: address, tls: tls, isShared: isShared))
    }
  }

  /// Binds one more socket to the address of a shared one of this process, for another worker.
  public init(
    _ transport: TransportProtocol, joining address: SocketAddress, tls: TLSContext? = nil
  ) throws(EventIOError) {
    switch transport {
    case .udp: self = .udp(try UDPTransport(joining: address))
    case .tcp, .tls:
      precondition((transport == .tls) == (tls != nil), "TLS needs a certificate, and nothing else does")
      self = .stream(try StreamTransport(joining: address, tls: tls))
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
