import ProxyCore
import SIPSyntax

/// Why a connection ended.
enum ConnectionEnd {
  /// The other side closed it.
  case byPeer
  /// It was reset, or its peer took nothing for too long.
  case broken
  /// We could not open it.
  case failed
  /// One that was accepted did not finish its handshake.
  case unestablished
  /// The certificate does not name whom we meant (G30).
  case wrongIdentity
  /// Nothing moved on it for a long time.
  case idle
  /// It made room for another.
  case reclaimed
  /// D31.
  case framingLost
  /// D35.
  case headerTooLarge, bodyTooLarge, tooSlow
  /// All incomplete messages together were too many octets.
  case partialMemory

  /// What counts it.
  var counter: Counter {
    switch self {
    case .byPeer: .connectionsClosedByPeer
    case .broken: .connectionsClosedBroken
    case .failed: .connectionsFailed
    case .unestablished: .connectionsClosedUnestablished
    case .wrongIdentity: .connectionsClosedWrongIdentity
    case .idle: .connectionsClosedIdle
    case .reclaimed: .connectionsClosedReclaimed
    case .framingLost: .connectionsClosedFramingLost
    case .headerTooLarge: .connectionsClosedHeaderTooLarge
    case .bodyTooLarge: .connectionsClosedBodyTooLarge
    case .tooSlow: .connectionsClosedTooSlow
    case .partialMemory: .connectionsClosedPartialMemory
    }
  }
}

/// What the proxy must be told about connections once the sending that goes on is done.
enum ConnectionNotice {
  case opened(Flow, byPeer: Bool)
  case closed(ConnectionID)
  case failed(SendTicket)
}

/// Where a connection of ours leads: requests to the same place share it (D41).
struct ConnectionRoute: Hashable {
  /// The listener whose transport and address it uses.
  var listener: UInt16
  /// The other side.
  var remote: SocketAddress
  /// The domain or address that the other side's certificate must prove; empty without TLS.
  var peer: [UInt8] = []

  /// The same place, whoever is to be there.
  var place: ConnectionRoute { ConnectionRoute(listener: listener, remote: remote) }
}

/// Whom connections are counted for: an IPv4 address, or the /64 that one IPv6 host has to itself. Those it has
/// opened count apart from those we have.
struct ConnectionSource: Hashable {
  private let high: UInt64
  private let low: UInt64
  /// Whether we open the connections.
  let isOurs: Bool

  init(_ ip: IPAddress, isOurs: Bool) {
    self.isOurs = isOurs
    let ip = ip.canonical
    high = ip.high
    low = ip.family == .v4 ? ip.low : 0
  }
}
