import Timekeeping

/// Lets the handshakes of accepted TLS connections begin one after the other (G10).
///
/// The first answer of a handshake costs the proxy a signature, up to a millisecond, and its caller a few octets.
/// Thousands of callers could speak at once. Whatever waits here, a turn of the loop begins two, and
/// datagrams, timers and other connections have their part of each turn.
final class HandshakeQueue {
  /// Handshakes that begin in one turn of the loop.
  static let begunAtOnce = 2

  private var waiting: [() -> Void] = []
  /// Those before it have begun.
  private var head = 0
  private var timer: LoopEvent?

  init(loop: EventLoop) throws(EventIOError) {
    timer = try loop.timer { [unowned self] in serve() }
  }

  /// Has `begin` called when it is its turn.
  func add(_ begin: @escaping () -> Void) {
    if waiting.isEmpty { timer?.arm(after: .zero) }
    waiting.append(begin)
  }

  private func serve() {
    for _ in 0..<HandshakeQueue.begunAtOnce where head < waiting.count {
      let begin = waiting[head]
      waiting[head] = {}
      head += 1
      begin()
    }
    if head == waiting.count {
      waiting.removeAll(keepingCapacity: head <= 64)
      head = 0
    } else {
      if head >= 64, head * 2 >= waiting.count {
        waiting.removeFirst(head)
        head = 0
      }
      timer?.arm(after: .zero)
    }
  }
}
