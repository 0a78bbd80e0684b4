public import SIPSyntax
public import Timekeeping

/// What connections of TCP and TLS may take of one worker, in number, octets and time.
public struct ConnectionLimits: Sendable {
  /// Connections at once: `--max-connections`.
  public var connections = 10_000
  /// Connections at once that were accepted from one IPv4 address or one IPv6 /64, and as many opened to it.
  public var connectionsOfSource: Int { max(1, connections / 4) }
  /// Connections at once that we are opening and that are not there yet.
  public var connectionsOpening: Int { max(1, connections / 8) }
  /// What one message may have (D35).
  public var message = StreamLimits()
  /// From its first octet until a message must be complete (D35): 64*T1, when whoever sends it has given up.
  public var messageTime = TimeSpan.seconds(32)
  /// Octets that all incomplete messages together may have; beyond, the longest goes.
  public var partialBytes = 64 << 20
  /// Octets that may wait on one connection for a peer that takes none.
  public var queueBytes = 1 << 20
  /// Octets that may wait on all connections.
  public var allQueueBytes = 256 << 20
  /// Until a connection, handshake included, must be established: less than Timer B, to leave time for another
  /// destination (D55).
  public var establishingTime = TimeSpan.seconds(8)
  /// Without an octet for so long, a connection is closed. Until then it may be the only way to a party of a call; TCP
  /// keep-alive notices peers that are gone.
  public var idleTime = TimeSpan.seconds(86_400)
  /// Without an octet for so long, one may be closed to make room (D40: 64*T1; D47).
  public var reclaimableTime = TimeSpan.seconds(32)
  /// How long responses that are due keep a connection: more than Timer C.
  public var exchangeTime = TimeSpan.seconds(200)
  /// How long a connection whose other side sends no more is kept for responses that are due (64*T1).
  public var halfClosedTime = TimeSpan.seconds(32)
  /// How long a peer may take to close after our last octet.
  public var farewellTime = TimeSpan.seconds(2)

  /// The limits that hold unless told otherwise.
  public init(connections: Int = 10_000) { self.connections = connections }
}
