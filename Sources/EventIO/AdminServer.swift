public import AdminHTTP
internal import CLibevent
internal import CSystemShims
import Glibc
public import SIPSyntax

/// The query API's HTTP server: libevent's evhttp on a Unix socket and, where asked for, on TCP.
///
/// Runs in its loop's thread. What a request means is decided by the closure given to it.
@safe
public final class AdminServer {
  /// Longest request line and header section accepted.
  private static let longestHeader = 16_384
  /// Longest body accepted; no request here needs one.
  private static let longestBody = 1_024
  /// Seconds after which a connection that is silent is closed.
  private static let idleSeconds: Int32 = 10

  private let loop: EventLoop
  private let respond: (AdminRequest) -> AdminResponse
  /// Owned: made in `init`, freed in `deinit`, which also closes the sockets it accepts from.
  private let server: OpaquePointer
  /// Unix sockets to remove at the end, with the inode that tells ours from a successor's.
  private var paths: [(path: String, inode: UInt64)] = []

  /// A server that does not listen yet.
  public init(
    loop: EventLoop, respond: @escaping (AdminRequest) -> AdminResponse
  ) throws(EventIOError) {
    guard let server = unsafe evhttp_new(loop.base) else {
      throw EventIOError(operation: "create", errorNumber: ENOMEM, address: "the HTTP server")
    }
    self.loop = loop
    self.respond = respond
    unsafe self.server = server
    unsafe evhttp_set_max_headers_size(server, AdminServer.longestHeader)
    unsafe evhttp_set_max_body_size(server, AdminServer.longestBody)
    unsafe evhttp_set_timeout(server, AdminServer.idleSeconds)
    // Unretained: the server is freed in deinit, so it cannot call back afterwards.
    unsafe evhttp_set_gencb(
      server,
      { request, context in
        guard let request = unsafe request, let context = unsafe context else { return }
        unsafe Unmanaged<AdminServer>.fromOpaque(context).takeUnretainedValue().answer(request)
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  deinit {
    unsafe evhttp_free(server)
    for (path, inode) in paths where AdminServer.inode(of: path) == inode { _ = unsafe unlink(path) }
  }

  /// Listens on a Unix socket of mode 0660; the rules of ``ControlSocket`` for one that exists.
  public func listen(atPath path: String) throws(EventIOError) {
    let socket = try ControlSocket.listen(at: path)
    paths.append((path, AdminServer.inode(of: path) ?? 0))
    try accept(from: socket, path)
  }

  /// Listens on a TCP address and returns it with the real port.
  public func listen(on address: SocketAddress) throws(EventIOError) -> SocketAddress {
    var endpoint = ck_endpoint(address)
    let socket = try EventIOError.check(unsafe ck_tcp_listen(&endpoint), "listen on", "http:\(address)")
    _ = unsafe ck_socket_name(socket, &endpoint)
    try accept(from: socket, "http:\(address)")
    return SocketAddress(ip: address.ip, port: endpoint.port, scope: address.scope)
  }

  private func accept(from socket: Int32, _ address: String) throws(EventIOError) {
    guard unsafe evhttp_accept_socket(server, socket) == 0 else {
      close(socket)
      throw EventIOError(operation: "accept from", errorNumber: ENOMEM, address: address)
    }
  }

  private static func inode(of path: String) -> UInt64? {
    var status = stat()
    return unsafe lstat(path, &status) == 0 ? UInt64(status.st_ino) : nil
  }

  private func answer(_ request: OpaquePointer) {
    let method =
      switch unsafe evhttp_request_get_command(request) {
      case EVHTTP_REQ_GET: "GET"
      case EVHTTP_REQ_HEAD: "HEAD"
      default: "other"
      }
    let target = unsafe evhttp_request_get_uri(request).map { unsafe String(cString: $0) } ?? ""
    let response = respond(AdminRequest(method: method, target: target))
    let headers = unsafe evhttp_request_get_output_headers(request)
    _ = unsafe evhttp_add_header(headers, "Content-Type", response.contentType)
    _ = unsafe evhttp_add_header(headers, "Cache-Control", "no-store")
    if response.status == 405 { _ = unsafe evhttp_add_header(headers, "Allow", "GET, HEAD") }
    if let output = unsafe evhttp_request_get_output_buffer(request) {
      _ = unsafe response.body.withUnsafeBytes { bytes in
        unsafe evbuffer_add(output, bytes.baseAddress, bytes.count)
      }
    }
    unsafe evhttp_send_reply(request, Int32(response.status), response.reason, nil)
  }
}
