public import AdminHTTP
internal import CSystemShims
import Glibc
public import ProxyCore
public import SIPSyntax
import Timekeeping

/// The query API's HTTP server: on a Unix socket and, where asked for, on TCP.
///
/// Runs in its loop's thread. What a request means is decided by the closure given to it. Nothing a client
/// does may cost calls anything: connections are few, the oldest makes room for a new one, each ends in time,
/// and a listener whose socket cannot be accepted from rests instead of trying again at once.
public final class AdminServer {
  /// Connections that one listener holds at most.
  static let mostConnections = 64
  /// Connections accepted in one turn of the loop at most.
  private static let acceptedAtOnce = 16
  /// How long a listener rests when the system has no descriptor to give.
  static let rest = TimeSpan.milliseconds(200)

  /// Answers a request, now or in a later turn of the loop; once.
  public typealias Responder = (_ request: AdminRequest, _ deliver: @escaping (AdminResponse) -> Void) -> Void

  private let loop: EventLoop
  private let counters: Counters
  private let respond: Responder
  private var listeners: [AdminListener] = []
  /// In the order in which they were accepted.
  private var connections: [AdminConnection] = []
  /// Unix sockets to remove at the end, with the inode that tells ours from a successor's.
  private var paths: [(path: String, inode: UInt64)] = []
  /// Called when the system refuses a connection, for the log.
  public var whenAcceptFails: ((EventIOError) -> Void)?

  /// A server that does not listen yet; connections cut or refused are counted in `counters`.
  public convenience init(
    loop: EventLoop, counting counters: Counters, respond: @escaping (AdminRequest) -> AdminResponse
  ) {
    self.init(loop: loop, counting: counters) { request, deliver in deliver(respond(request)) }
  }

  /// The same with answers that may take some turns of the loop.
  public init(loop: EventLoop, counting counters: Counters, responding respond: @escaping Responder) {
    self.loop = loop
    self.counters = counters
    self.respond = respond
  }

  deinit {
    for (path, inode) in paths where AdminServer.inode(of: path) == inode { _ = unsafe unlink(path) }
  }

  /// Listens on a Unix socket of mode 0660; the rules of ``ControlSocket`` for one that exists.
  public func listen(atPath path: String) throws(EventIOError) {
    let socket = try ControlSocket.listen(at: path)
    paths.append((path, AdminServer.inode(of: path) ?? 0))
    try accept(from: socket, path)
  }

  /// Fails as listening on a TCP address would, and lets go again at once.
  public static func probe(_ address: SocketAddress) throws(EventIOError) {
    var endpoint = ck_endpoint(address)
    close(try EventIOError.check(unsafe ck_tcp_listen(&endpoint, 0), "listen on", "http:\(address)"))
  }

  /// Listens on a TCP address and returns it with the real port.
  public func listen(on address: SocketAddress) throws(EventIOError) -> SocketAddress {
    var endpoint = ck_endpoint(address)
    let socket = try EventIOError.check(unsafe ck_tcp_listen(&endpoint, 0), "listen on", "http:\(address)")
    _ = unsafe ck_socket_name(socket, &endpoint)
    try accept(from: socket, "http:\(address)")
    return SocketAddress(ip: address.ip, port: endpoint.port, scope: address.scope)
  }

  /// Connections that are open, for tests.
  var connectionCount: Int { connections.count }

  private static func inode(of path: String) -> UInt64? {
    var status = stat()
    return unsafe lstat(path, &status) == 0 ? UInt64(status.st_ino) : nil
  }

  private func accept(from socket: Int32, _ address: String) throws(EventIOError) {
    let listener = AdminListener(socket, address)
    let index = listeners.count
    listeners.append(listener)
    listener.waking = try loop.timer { [unowned self] in wake(index) }
    wake(index)
  }

  private func wake(_ index: Int) {
    let listener = listeners[index]
    listener.readable = try? loop.whenReadable(listener.socket) { [unowned self] in acceptBatch(index) }
    if listener.readable == nil { listener.waking?.arm(after: AdminServer.rest) }
  }

  private func acceptBatch(_ index: Int) {
    for _ in 0..<AdminServer.acceptedAtOnce {
      let socket = ck_accept(listeners[index].socket)
      switch socket {
      case 0...:
        if connections.count(where: { $0.listener == index }) >= AdminServer.mostConnections {
          cutOldest(of: index)
        }
        let connection = try? AdminConnection(
          socket, listener: index, loop: loop, respond: respond, ended: { [unowned self] in letGo($0) })
        if let connection { connections.append(connection) } else { counters.add(to: .queryConnectionsCut) }
      case -EAGAIN: return
      case -EINTR, -ECONNABORTED: continue
      default: return rest(index, because: -socket)
      }
    }
  }

  /// Level-triggered, a connection that waits and cannot be accepted would wake the loop for ever.
  private func rest(_ index: Int, because error: Int32) {
    counters.add(to: .queryAcceptErrors)
    listeners[index].readable = nil
    listeners[index].waking?.arm(after: AdminServer.rest)
    // Where descriptors are short, the listener that holds most of them gives one up for whoever comes next.
    if error == EMFILE || error == ENFILE {
      let held = listeners.indices.map { index in connections.count { $0.listener == index } }
      if let greediest = held.indices.max(by: { held[$0] < held[$1] }) { cutOldest(of: greediest) }
    }
    whenAcceptFails?(
      EventIOError(operation: "accept from", errorNumber: error, address: listeners[index].address))
  }

  private func cutOldest(of index: Int) {
    if let oldest = connections.first(where: { $0.listener == index }) { letGo(oldest) }
  }

  private func letGo(_ connection: AdminConnection) {
    if connection.isUnanswered { counters.add(to: .queryConnectionsCut) }
    connections.removeAll { $0 === connection }
  }
}

/// A listening socket, and what waits for it.
private final class AdminListener {
  /// Owned: closed in `deinit`.
  let socket: Int32
  let address: String
  /// Nil while the listener rests.
  var readable: LoopEvent?
  /// Ends a rest.
  var waking: LoopEvent?

  init(_ socket: Int32, _ address: String) {
    self.socket = socket
    self.address = address
  }

  deinit {
    // Before the descriptor goes and its number may be another socket's.
    readable = nil
    close(socket)
  }
}
