import ProxyCore
import SIPSyntax
import Timekeeping

/// One TCP connection between the proxy and a user agent, as the simulation sees it from above.
struct SimulatedConnection {
  let id: ConnectionID
  /// The user agent at the other end.
  let endpoint: SocketAddress
  /// The address the proxy sees there: of its own choice when the user agent connected.
  let peer: SocketAddress
  let isOpenedByPeer: Bool
  var isEstablished = false
  /// Messages of the proxy that wait for the connection to be established.
  var waiting: [WireMessage] = []
  /// The requests that would have to be failed if it broke.
  var requests: [(message: WireMessage, ticket: SendTicket)] = []
  /// Nothing overtakes on a connection: when the last message of each direction arrives.
  var arrivesAtProxy: MonotonicInstant
  var arrivesAtPeer: MonotonicInstant
}

/// The connections that are open, by what names them. Slots are used again, generations are not.
struct ConnectionRegistry {
  private(set) var open: [ConnectionID: SimulatedConnection] = [:]
  private var freeSlots: [UInt32] = []
  private var made: UInt32 = 0

  subscript(id: ConnectionID) -> SimulatedConnection? {
    get { open[id] }
    set {
      if newValue == nil, open[id] != nil { freeSlots.append(id.slot) }
      open[id] = newValue
    }
  }

  mutating func add(
    with endpoint: SocketAddress, isOpenedByPeer: Bool, at now: MonotonicInstant
  ) -> ConnectionID {
    let slot = freeSlots.popLast() ?? UInt32(open.count)
    made += 1
    let id = ConnectionID(slot: slot, generation: 0x4000 + made)
    let port = isOpenedByPeer ? UInt16(40_000 + made % 20_000) : endpoint.port
    open[id] = SimulatedConnection(
      id: id, endpoint: endpoint, peer: SocketAddress(ip: endpoint.ip, port: port),
      isOpenedByPeer: isOpenedByPeer, arrivesAtProxy: now, arrivesAtPeer: now)
    return id
  }

  /// The connection a message of the proxy takes: the named one, else one of the proxy's own to that address.
  func carrier(of flow: Flow) -> ConnectionID? {
    if open[flow.connection] != nil { return flow.connection }
    guard !flow.isExclusive else { return nil }
    return open.values.filter { !$0.isOpenedByPeer && $0.peer == flow.remote }
      .min { $0.id.generation < $1.id.generation }?.id
  }

  /// Those that end at an address, oldest first.
  func ids(of endpoint: SocketAddress) -> [ConnectionID] {
    open.values.filter { $0.endpoint == endpoint }.map(\.id).sorted { $0.generation < $1.generation }
  }
}
