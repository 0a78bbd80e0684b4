import ProxyCore
import SIPSyntax
import Timekeeping

/// TCP between the proxy and the user agents: messages arrive whole and in order, until the connection breaks;
/// then everything on its way is lost, and both ends are told.
///
/// The rules are those of the edge: a message takes the connection its flow names; else, unless the flow is
/// exclusive, one that the proxy opened to that address, or a new one. A request whose connection cannot be made or
/// breaks under it is reported as failed.
extension Simulation {
  /// Index of the proxy's TCP listener.
  static let streamListener: UInt16 = 2
  /// Requests that a connection reports when it breaks.
  private static let rememberedRequests = 256

  // MARK: For user agents

  /// Opens a connection to the proxy.
  func connect(from endpoint: SocketAddress) -> ConnectionID {
    let id = connections.add(with: endpoint, isOpenedByPeer: true, at: now)
    establish(id)
    return id
  }

  /// Whether a connection can be written to, as far as its user agent knows.
  func isOpen(_ id: ConnectionID) -> Bool { connections[id] != nil }

  /// Sends a message to the proxy.
  func send(_ bytes: [UInt8], over id: ConnectionID) {
    guard let connection = connections[id] else { return }
    let message = WireMessage(bytes)
    note(message, from: connection.endpoint, to: Self.proxyAddress, fate: .arrives)
    let instant = max(now + streamDelay(of: connection), connection.arrivesAtProxy)
    connections[id]?.arrivesAtProxy = instant + TimeSpan(nanoseconds: 1000)
    after(instant.duration(since: now)) { [unowned self] in
      guard connections[id] != nil else { return }
      atProxy { [unowned self] in give(message, over: flow(of: connection)) }
    }
    mayBreak(id)
  }

  /// Breaks all connections of a user agent that is gone.
  func breakConnections(of endpoint: SocketAddress) {
    for id in connections.ids(of: endpoint) { breakConnection(id) }
  }

  // MARK: For the proxy

  /// Sends a message of the proxy; false when there is no way, so that its request has failed.
  func sendStream(_ message: WireMessage, over flow: Flow, ticket: SendTicket?) -> Bool {
    var carrier = connections.carrier(of: flow)
    if carrier == nil, !flow.isExclusive, let endpoint = endpoints[flow.remote], endpoint.isListening {
      let id = connections.add(with: flow.remote, isOpenedByPeer: false, at: now)
      establish(id)
      carrier = id
    }
    guard let id = carrier, let connection = connections[id] else { return false }
    if let ticket {
      connections[id]?.requests.append((message, ticket))
      if connection.requests.count >= Self.rememberedRequests { connections[id]?.requests.removeFirst() }
    }
    note(message, from: Self.proxyAddress, to: connection.endpoint, fate: .arrives)
    if connection.isEstablished {
      deliver(message, over: id)
    } else {
      connections[id]?.waiting.append(message)
    }
    mayBreak(id)
    return true
  }

  private func deliver(_ message: WireMessage, over id: ConnectionID) {
    guard let connection = connections[id] else { return }
    let instant = max(now + streamDelay(of: connection), connection.arrivesAtPeer)
    connections[id]?.arrivesAtPeer = instant + TimeSpan(nanoseconds: 1000)
    after(instant.duration(since: now)) { [unowned self] in
      guard connections[id] != nil else { return }
      endpoints[connection.endpoint]?.receive(message, from: Self.proxyAddress, over: id)
    }
  }

  // MARK: Connections come and go

  private func establish(_ id: ConnectionID) {
    guard let connection = connections[id] else { return }
    let instant = now + streamDelay(of: connection)
    connections[id]?.arrivesAtProxy = instant + TimeSpan(nanoseconds: 1000)
    after(instant.duration(since: now)) { [unowned self] in
      guard connections[id] != nil else { return }
      atProxy { [unowned self] in
        proxy.connectionOpened(flow(of: connection), byPeer: connection.isOpenedByPeer)
        guard let waiting = connections[id]?.waiting else { return }
        connections[id]?.isEstablished = true
        connections[id]?.waiting = []
        for message in waiting { deliver(message, over: id) }
      }
    }
  }

  private func breakConnection(_ id: ConnectionID) {
    guard let broken = connections[id] else { return }
    connections[id] = nil
    invariants.broke(broken.endpoint.ip)
    ladder.remark("connection \(broken.peer) breaks", at: now)
    atProxy { [unowned self] in
      proxy.connectionClosed(id)
      knownBroken.insert(id)
      for (message, ticket) in broken.requests {
        invariants.failed(message)
        proxy.sendFailed(ticket, at: now, into: &outbox)
        dispatch()
      }
    }
  }

  /// Now and then a connection breaks within a second of a message.
  private func mayBreak(_ id: ConnectionID) {
    guard let span = network.breakage() else { return }
    after(span) { [unowned self] in breakConnection(id) }
  }

  /// A lost segment is sent again; a pulled cable ends the connection after a while.
  private func streamDelay(of connection: SimulatedConnection) -> TimeSpan {
    if network.isUnplugged(connection.endpoint, at: now) {
      let id = connection.id
      after(.seconds(30)) { [unowned self] in breakConnection(id) }
      return .seconds(3600)
    }
    return network.streamDelay()
  }

  private func flow(of connection: SimulatedConnection) -> Flow {
    Flow(
      listener: Self.streamListener, remote: connection.peer, local: Self.proxyAddress.ip,
      connection: connection.id)
  }
}
