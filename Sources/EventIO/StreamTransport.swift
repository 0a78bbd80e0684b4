internal import CSystemShims
import Glibc
import ProxyCore
public import SIPSyntax
import Timekeeping

/// One listener of TCP or TLS: accepts connections, opens them, and sends messages over both.
///
/// A message goes over the connection its flow names; over a connection of ours to the same place, which is opened
/// when there is none; or not at all (D41, D42: one that was accepted carries only what names it).
public final class StreamTransport {
  /// Connections accepted in one turn of the loop at most.
  private static let acceptedAtOnce = 64
  /// How long the listener rests when the system has no descriptor to give.
  static let rest = TimeSpan.seconds(1)
  /// Milliseconds for which a peer may acknowledge nothing until its connection breaks: 64*T1.
  private static let patience: Int32 = 32_000

  /// TCP or TLS.
  public var transport: TransportProtocol { tls == nil ? .tcp : .tls }
  /// Address and port bound to; the port is the real one when 0 was asked for.
  public let bound: SocketAddress

  /// Owned: closed in `deinit`.
  private let socket: Int32
  private let tls: TLSContext?
  /// What it runs in, once it does.
  private var service: Service?

  private struct Service {
    let table: ConnectionTable
    let listener: UInt16
    /// Nil while the listener rests.
    var readable: LoopEvent?
    /// Ends a rest.
    let waking: LoopEvent
  }

  /// Binds and listens, for TLS when given how; fails when any socket has the address.
  ///
  /// A socket that is `shared` lets others of this process join it; the kernel deals connections out to them.
  public convenience init(
    binding address: SocketAddress, tls: TLSContext? = nil, isShared: Bool = false
  ) throws(EventIOError) {
    // Once without sharing, so that no other process is joined. Gone before the next is bound.
    let free = isShared ? try StreamTransport(address, tls, isShared: false).bound : address
    try self.init(free, tls, isShared: isShared)
  }

  /// Binds one more socket to an address that a shared one of this process has.
  public convenience init(joining address: SocketAddress, tls: TLSContext? = nil) throws(EventIOError) {
    try self.init(address, tls, isShared: true)
  }

  private init(_ address: SocketAddress, _ tls: TLSContext?, isShared: Bool) throws(EventIOError) {
    let name = "\(tls == nil ? "tcp" : "tls"):\(address)"
    var endpoint = ck_endpoint(address)
    socket = try EventIOError.check(unsafe ck_tcp_listen(&endpoint, isShared ? 1 : 0), "bind", name)
    self.tls = tls
    let named = unsafe ck_socket_name(socket, &endpoint)
    bound = SocketAddress(ip: address.ip, port: endpoint.port, scope: address.scope)
    if named < 0 { throw EventIOError(operation: "name", errorNumber: -named, address: name) }
  }

  deinit {
    // Before the descriptor goes and its number may be another socket's.
    service = nil
    close(socket)
  }

  /// Begins to accept; `listener` is what flows are to say, `table` keeps the connections.
  func start(listener: UInt16, in table: ConnectionTable) throws(EventIOError) {
    let waking = try table.loop.timer { [unowned self] in wake() }
    service = Service(table: table, listener: listener, readable: nil, waking: waking)
    wake()
  }

  // MARK: Accepting

  private func wake() {
    guard let table = service?.table else { return }
    service?.readable = try? table.loop.whenReadable(socket) { [unowned self] in acceptBatch() }
    if service?.readable == nil { service?.waking.arm(after: StreamTransport.rest) }
  }

  private func acceptBatch() {
    guard let service else { return }
    accept(into: service.table, listener: service.listener)
    service.table.whenChanged()
  }

  private func accept(into table: ConnectionTable, listener: UInt16) {
    for _ in 0..<StreamTransport.acceptedAtOnce {
      var (remote, local) = (ck_endpoint(), ck_endpoint())
      let accepted = unsafe ck_tcp_accept(socket, StreamTransport.patience, &remote, &local)
      switch accepted {
      case 0...:
        let flow = Flow(listener: listener, remote: remote.socketAddress, local: local.ip)
        guard table.admits(ConnectionSource(flow.remote.ip, isOurs: false), at: MonotonicClock.now),
          let start = start(of: accepted, table.loop)
        else {
          close(accepted)
          continue
        }
        table.add(start, tls: tls, flow, route: nil)
      case -EAGAIN: return
      case -EINTR, -ECONNABORTED: continue
      default: return rest(in: table)
      }
    }
  }

  /// Level-triggered, a connection that waits and cannot be accepted would wake the loop for ever.
  private func rest(in table: ConnectionTable) {
    table.counters.add(to: .connectionAcceptErrors)
    // Descriptors are short: whoever comes next may have that of a connection nobody needs.
    table.reclaim(at: MonotonicClock.now)
    service?.readable = nil
    service?.waking.arm(after: StreamTransport.rest)
  }

  // MARK: Sending

  /// Sends messages of `bytes` in their order; the requests that cannot be sent go to `refused`.
  func send(
    _ sends: ArraySlice<Send>, of bytes: [UInt8], counting counters: Counters, refused: inout [RefusedSend]
  ) {
    for send in sends {
      let message = bytes.span.extracting(bytes.bounds(send.bytes))
      let isRequest = MessageGlance(message).isRequest
      do throws(SendRefusal) {
        let connection = try connection(for: send, isRequest: isRequest, of: bytes)
        if connection.send(message, ticket: send.ticket) { continue }
        counters.add(to: .sendBlocked)
        if let ticket = send.ticket { refused.append(RefusedSend(ticket: ticket, isLocal: true)) }
      } catch {
        counters.add(to: .sendErrors)
        if let ticket = send.ticket { refused.append(RefusedSend(ticket: ticket, isLocal: error == .local)) }
      }
    }
  }

  private func connection(
    for send: Send, isRequest: Bool, of bytes: [UInt8]
  ) throws(SendRefusal) -> StreamConnection {
    guard let service else { throw .local }
    let flow = send.flow
    if let named = service.table.connection(flow.connection), named.takes(request: isRequest) {
      return named
    }
    if flow.isExclusive { throw .remote }
    let route = ConnectionRoute(
      listener: service.listener, remote: flow.remote, peer: peer(of: send, in: bytes))
    if let existing = service.table.connection(along: route) { return existing }
    return try connect(along: route, from: flow.local, in: service.table)
  }

  /// Whom a TLS connection must lead to: the domain that was looked up (G29), or what is left when none is known,
  /// the address (decision 11).
  private func peer(of send: Send, in bytes: [UInt8]) -> [UInt8] {
    guard tls != nil else { return [] }
    let domain = bytes[bytes.bounds(send.peer)]
    if domain.isEmpty { return Array(send.flow.remote.ip.description.utf8) }
    return domain.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
  }

  /// Opens a connection, unless the limits or the system forbid it.
  private func connect(
    along route: ConnectionRoute, from local: IPAddress, in table: ConnectionTable
  ) throws(SendRefusal) -> StreamConnection {
    let destination = ConnectionSource(route.remote.ip, isOurs: true)
    guard route.remote.port != 0 else { throw .remote }
    guard table.admits(destination, at: MonotonicClock.now) else { throw .local }
    var remote = ck_endpoint(route.remote)
    var source = ck_endpoint()
    let own = local.isUnspecified ? bound.ip : local
    if !own.isUnspecified { source = ck_endpoint(own, scope: own.isLinkLocal ? route.remote.scope : 0) }
    let socket = unsafe ck_tcp_connect(&remote, &source, StreamTransport.patience)
    guard socket >= 0, unsafe ck_socket_name(socket, &source) == 0,
      let made = unsafe client(socket, route.peer, table.loop)
    else {
      table.counters.add(to: .connectionsFailed)
      if socket < 0 { throw SendRefusal(errorNumber: -socket) }
      close(socket)
      throw .local
    }
    let flow = Flow(listener: route.listener, remote: route.remote, local: source.ip)
    return unsafe table.add(.bufferevent(made), tls: tls, flow, route: route)
  }

  // MARK: What TLS makes differently

  /// What a connection that was accepted begins as; it has the socket, unless it is nil.
  private func start(of socket: Int32, _ loop: EventLoop) -> StreamConnection.Start? {
    if let tls { return tls.canAccept ? .accepted(socket, tls) : nil }
    return unsafe loop.plainBufferevent(socket, isConnecting: false).map { unsafe .bufferevent($0) }
  }

  /// The bufferevent of a connection that is being opened; it has the socket, unless it is nil.
  private func client(_ socket: Int32, _ peer: [UInt8], _ loop: EventLoop) -> OpaquePointer? {
    guard let tls else { return unsafe loop.plainBufferevent(socket, isConnecting: true) }
    return unsafe tls.makeClient(loop: loop, socket: socket, domain: String(decoding: peer, as: UTF8.self))
  }
}

extension [UInt8] {
  /// The indices of a range that a message names, cut to those that exist.
  fileprivate func bounds(_ range: ByteRange) -> Range<Int> {
    let end = Swift.min(range.upperBound, count)
    return Swift.min(range.lowerBound, end)..<end
  }
}
