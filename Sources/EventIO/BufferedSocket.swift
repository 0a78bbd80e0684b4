internal import CLibevent
import Glibc

/// One bufferevent: a connected or connecting socket with the octets that wait on both sides of it.
///
/// Libevent calls back only from the loop, never out of a method of this type.
@safe
final class BufferedSocket {
  /// What happened to it.
  enum Event {
    /// The connection, and with TLS the handshake, is there.
    case established
    /// There are octets to read.
    case readable
    /// All octets that waited have been handed to the system.
    case drained
    /// The other side will send no more.
    case ended
    /// It broke, or could not be established.
    case broken
  }

  /// Owned, with its socket: freed in `close`, at the latest in `deinit`. Nil from then on.
  private var bufferevent: OpaquePointer?
  /// Kept, because the bufferevent must not outlive it.
  private let loop: EventLoop
  /// What made it, with TLS.
  private let tls: TLSContext?
  private let body: (Event) -> Void
  /// A socket without a bufferevent yet. Owned: closed in `close`, unless a bufferevent has got it; -1 for none.
  private var accepted: Int32 = -1
  /// Waits for the first octet on it.
  private var firstOctet: LoopEvent?

  /// Takes over a bufferevent that closes its socket when it is freed.
  init(
    _ bufferevent: OpaquePointer, of loop: EventLoop, tls: TLSContext?, _ body: @escaping (Event) -> Void
  ) {
    unsafe self.bufferevent = bufferevent
    self.loop = loop
    self.tls = tls
    self.body = body
    unsafe listen(to: bufferevent)
  }

  /// Takes over a socket that was accepted for TLS. Its handshake begins once there is an octet of it and it is its
  /// turn; until then it has no bufferevent, which is what silent callers cost.
  init(
    accepted socket: Int32, of loop: EventLoop, tls: TLSContext, turns: HandshakeQueue,
    _ body: @escaping (Event) -> Void
  ) {
    unsafe bufferevent = nil
    self.loop = loop
    self.tls = tls
    self.body = body
    accepted = socket
    firstOctet = try? loop.whenReadable(socket) { [unowned self] in
      firstOctet = nil
      turns.add { [weak self] in self?.beginHandshake() }
    }
  }

  private func beginHandshake() {
    guard accepted >= 0 else { return }
    guard let made = unsafe tls?.makeServer(loop: loop, socket: accepted) else { return body(.broken) }
    accepted = -1
    unsafe bufferevent = made
    unsafe listen(to: made)
  }

  private func listen(to bufferevent: OpaquePointer) {
    // Unretained: the callbacks are taken away before this object goes.
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe bufferevent_setcb(
      bufferevent,
      { _, context in unsafe BufferedSocket.notify(context, .readable) },
      { _, context in unsafe BufferedSocket.notify(context, .drained) },
      { _, what, context in unsafe BufferedSocket.notify(context, Event(what)) }, context)
    _ = unsafe bufferevent_enable(bufferevent, Int16(EV_READ | EV_WRITE))
  }

  deinit { close() }

  private static func notify(_ context: UnsafeMutableRawPointer?, _ event: Event) {
    guard let context = unsafe context else { return }
    let socket = unsafe Unmanaged<BufferedSocket>.fromOpaque(context).takeUnretainedValue()
    socket.body(event)
  }

  /// Whether the other side can close its half alone and still be sent to.
  var endsByHalves: Bool { tls == nil }

  /// Whom the other side proved to be, as only TLS lets it (G30, G34).
  var identities: CertificateIdentities? {
    guard let bufferevent = unsafe bufferevent else { return nil }
    return unsafe tls?.identities(of: bufferevent)
  }

  /// Why TLS refused the connection; nil when it did not.
  var refusal: String? {
    guard let bufferevent = unsafe bufferevent else { return nil }
    return unsafe tls?.failure(of: bufferevent)
  }

  /// Octets that wait to be read.
  var inputCount: Int {
    guard let bufferevent = unsafe bufferevent else { return 0 }
    return unsafe evbuffer_get_length(bufferevent_get_input(bufferevent))
  }

  /// Octets that wait to be sent.
  var outputCount: Int {
    guard let bufferevent = unsafe bufferevent else { return 0 }
    return unsafe evbuffer_get_length(bufferevent_get_output(bufferevent))
  }

  /// Lends the octets that wait to be read, in one piece, and drops as many as `body` says.
  ///
  /// The piece is moved only when it outgrows its memory, which doubles: linear in what arrives.
  func read(_ body: (Span<UInt8>) -> Int) {
    guard let bufferevent = unsafe bufferevent, let input = unsafe bufferevent_get_input(bufferevent) else {
      return
    }
    let count = unsafe evbuffer_get_length(input)
    guard count > 0, let start = unsafe evbuffer_pullup(input, -1) else { return }
    let consumed = unsafe body(UnsafeBufferPointer(start: start, count: count).span)
    _ = unsafe evbuffer_drain(input, min(consumed, count))
  }

  /// Appends octets to those that wait to be sent; false without memory.
  func write(_ bytes: Span<UInt8>) -> Bool {
    guard let bufferevent = unsafe bufferevent else { return false }
    return unsafe bytes.withUnsafeBytes { bytes in
      unsafe bufferevent_write(bufferevent, bytes.baseAddress, bytes.count) == 0
    }
  }

  /// Tells the other side that nothing more will be sent; what waits must have left.
  func endOutput() {
    guard let bufferevent = unsafe bufferevent else { return }
    unsafe tls?.sayFarewell(to: bufferevent)
    shutdown(unsafe bufferevent_getfd(bufferevent), Int32(SHUT_WR))
  }

  /// Lets go of the socket; nothing is called back from now on.
  func close() {
    firstOctet = nil
    if accepted >= 0 { _ = Glibc.close(accepted) }
    accepted = -1
    guard let closing = unsafe bufferevent else { return }
    unsafe bufferevent = nil
    unsafe bufferevent_setcb(closing, nil, nil, nil, nil)
    unsafe tls?.sayFarewell(to: closing)
    unsafe bufferevent_free(closing)
  }
}

extension BufferedSocket.Event {
  fileprivate init(_ what: Int16) {
    let what = Int32(what)
    if what & BEV_EVENT_CONNECTED != 0 {
      self = .established
    } else {
      self = what & BEV_EVENT_EOF != 0 ? .ended : .broken
    }
  }
}

extension EventLoop {
  /// A bufferevent without TLS for a socket, which goes with it; nil without memory, and the socket stays.
  func plainBufferevent(_ socket: Int32, isConnecting: Bool) -> OpaquePointer? {
    let options = Int32(BEV_OPT_CLOSE_ON_FREE.rawValue)
    guard let made = unsafe bufferevent_socket_new(base, socket, options) else { return nil }
    // Without an address: somebody else has called connect, and its outcome is waited for.
    if isConnecting { _ = unsafe bufferevent_socket_connect(made, nil, 0) }
    return unsafe made
  }
}
