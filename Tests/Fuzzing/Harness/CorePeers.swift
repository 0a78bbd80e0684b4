import ProxyCore
import SIPSyntax

/// Who speaks with the proxy from where, and which connections are open, as an edge would keep them.
struct CorePeers {
  /// A connection that the proxy opened, and what leads to it.
  private struct Ours {
    let id: ConnectionID
    let flow: Flow
  }

  /// Listeners by their place in the configuration.
  enum Listeners {
    static let udp = 0
    static let udp6 = 1
    static let tcp = 2
    static let tls = 3
  }

  /// Connections that clients opened, by the client's number.
  private var clients: [Int: ConnectionID] = [:]
  private var ours: [Ours] = []
  private var generation: UInt32 = 41
  private static let mostOfOurs = 8

  /// A change of connections that the proxy is told of.
  enum Notice {
    case opened(Flow, byPeer: Bool)
    case closed(ConnectionID, Flow)
  }

  /// What the proxy has not been told yet, in order.
  private(set) var notices: [Notice] = []

  mutating func takeNotices() -> [Notice] {
    defer { notices = [] }
    return notices
  }

  /// Twenty peers: four each over UDP, IPv6, TCP, UDP with another port, and TLS.
  mutating func flow(from place: UInt8) -> Flow {
    let number = Int(place % 20)
    var flow = Self.bareFlow(number)
    if flow.listener >= Listeners.tcp {
      if clients[number] == nil { open(number) }
      flow.connection = clients[number] ?? .none
    }
    return flow
  }

  private static func bareFlow(_ number: Int) -> Flow {
    let listener = [Listeners.udp, Listeners.udp6, Listeners.tcp, Listeners.udp, Listeners.tls][number / 4]
    let isSix = listener == Listeners.udp6
    let remote =
      isSix
      ? IPAddress(v6High: 0x2001_0DB8_0000_0000, v6Low: UInt64(number))
      : IPAddress(v4: 0xC633_6400 + UInt32(number % 4))
    let local = isSix ? IPAddress(v6High: 0x2001_0DB8_0000_0000, v6Low: 0x10) : IPAddress(v4: 0xC000_020A)
    return Flow(
      listener: UInt16(listener), remote: SocketAddress(ip: remote, port: number / 4 == 3 ? 5070 : 5060),
      local: local)
  }

  /// What comes back on a flow that was sent on: for a stream, over the connection there, which is opened by us when
  /// there is none any more.
  mutating func reply(on flow: Flow) -> Flow {
    guard flow.listener >= Listeners.tcp, !isOpen(flow.connection) else { return flow }
    var flow = flow
    flow.isExclusive = false
    if let open = ours.first(where: { $0.flow.listener == flow.listener && $0.flow.remote == flow.remote }) {
      return open.flow
    }
    if ours.count == Self.mostOfOurs { close(ours.removeFirst()) }
    generation += 1
    // No other connection that is open has this slot.
    flow.connection = ConnectionID(slot: 32 + generation % 64, generation: generation)
    ours.append(Ours(id: flow.connection, flow: flow))
    notices.append(.opened(flow, byPeer: false))
    return flow
  }

  /// A client opens its connection, or closes it.
  mutating func toggle(_ place: UInt8) {
    let streams = [8, 9, 10, 11, 16, 17, 18, 19]
    let number = streams[Int(place) % streams.count]
    if let open = clients.removeValue(forKey: number) {
      notices.append(.closed(open, Self.bareFlow(number)))
    } else {
      open(number)
    }
  }

  /// One of the connections that we opened ends.
  mutating func closeOurs(_ place: UInt8) {
    guard !ours.isEmpty else { return }
    close(ours.remove(at: Int(place) % ours.count))
  }

  /// Every connection ends.
  mutating func closeAll() {
    for number in clients.keys.sorted() { toggle(UInt8(number < 16 ? number - 8 : number - 12)) }
    while let last = ours.popLast() { close(last) }
  }

  func isOpen(_ connection: ConnectionID) -> Bool {
    clients.values.contains(connection) || ours.contains { $0.id == connection }
  }

  private mutating func open(_ number: Int) {
    generation += 1
    let id = ConnectionID(slot: UInt32(number), generation: generation)
    clients[number] = id
    var flow = Self.bareFlow(number)
    flow.connection = id
    notices.append(.opened(flow, byPeer: true))
  }

  private mutating func close(_ open: Ours) { notices.append(.closed(open.id, open.flow)) }
}
