internal import CSystemShims
import EventIO
import Glibc

/// A clock that beats more finely than libevent's timers, which count in milliseconds of a coarse clock.
final class Ticker {
  /// Owned: closed in `deinit`.
  private let descriptor: Int32
  private var event: LoopEvent?

  /// Calls `body` every `microseconds`; beats that were missed are not made up for.
  init(every microseconds: Int, on loop: EventLoop, _ body: @escaping () -> Void) throws(EventIOError) {
    let descriptor = ck_ticker_open(UInt64(microseconds) * 1_000)
    guard descriptor >= 0 else {
      throw EventIOError(operation: "create", errorNumber: -descriptor, address: "a ticker")
    }
    self.descriptor = descriptor
    event = try loop.whenReadable(descriptor) {
      var beats: UInt64 = 0
      _ = unsafe read(descriptor, &beats, MemoryLayout<UInt64>.size)
      body()
    }
  }

  deinit {
    event = nil
    close(descriptor)
  }
}
