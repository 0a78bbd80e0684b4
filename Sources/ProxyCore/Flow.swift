public import SIPSyntax

/// Names one connection of a stream transport for the life of the process.
///
/// Slots are small and used again; generations tell the connections of one slot apart. They start at a random
/// number, so that the name of a connection of an earlier process names nothing.
public struct ConnectionID: Hashable, Sendable, BitwiseCopyable {
  /// Place in the edge's table.
  public var slot: UInt32
  /// Never 0, except in ``none``.
  public var generation: UInt32

  /// Names the connection of a slot.
  public init(slot: UInt32, generation: UInt32) {
    self.slot = slot
    self.generation = generation
  }

  /// No connection: a datagram, or whichever connection leads there.
  public static let none = ConnectionID(slot: 0, generation: 0)

  /// Whether this names no connection.
  public var isNone: Bool { generation == 0 }
}

/// Where a message came from or goes to: one of our sockets and the two addresses at its ends.
///
/// An answer over UDP leaves from the very address and port the request came to (RFC 3581 §4). Over a stream it
/// uses ``connection`` while that is open; else, unless the flow is exclusive, a connection of ours to
/// ``remote``, which is opened when there is none (RFC 3261 §18.1.1, §18.2.2).
public struct Flow: Hashable, Sendable, BitwiseCopyable {
  /// Index of the listener in ``ProxyConfiguration/listeners``.
  public var listener: UInt16
  /// Address and port of the other side.
  public var remote: SocketAddress
  /// Our address on this flow; unspecified when the kernel may choose it.
  public var local: IPAddress
  /// The connection of a stream; none for datagrams.
  public var connection: ConnectionID
  /// Nothing but ``connection`` may be used: it leads to a client that cannot be reached otherwise.
  public var isExclusive = false

  /// Names a flow by its socket, both ends and, for a stream, its connection.
  public init(
    listener: UInt16, remote: SocketAddress, local: IPAddress, connection: ConnectionID = .none
  ) {
    self.listener = listener
    self.remote = remote
    self.local = local
    self.connection = connection
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
