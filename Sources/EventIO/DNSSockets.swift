/// The sockets that c-ares wants watched, as events of the loop.
///
/// c-ares names each of its sockets here before it uses it and before it closes it, so that no event outlives its
/// descriptor. It also lives on while the channel is destroyed, which names them a last time.
final class DNSSockets {
  private let loop: EventLoop
  private var readers: [Int32: LoopEvent] = [:]
  private var writers: [Int32: LoopEvent] = [:]
  /// Called with the socket to read, and the one to write; one of them is -1.
  var isReady: ((_ readable: Int32, _ writable: Int32) -> Void)?

  init(loop: EventLoop) { self.loop = loop }

  /// What c-ares wants to know about one socket from now on; neither when it is about to close it.
  ///
  /// When the loop has no memory for an event, the question that needs it ends by its time limit.
  func watch(_ socket: Int32, readable: Bool, writable: Bool) {
    if !readable {
      readers[socket] = nil
    } else if readers[socket] == nil {
      readers[socket] = try? loop.whenReadable(socket) { [unowned self] in isReady?(socket, -1) }
    }
    if !writable {
      writers[socket] = nil
    } else if writers[socket] == nil {
      writers[socket] = try? loop.whenWritable(socket) { [unowned self] in isReady?(-1, socket) }
    }
  }
}
