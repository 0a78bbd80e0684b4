internal import CLibevent
import Glibc
import Synchronization
public import Timekeeping

/// One libevent base: waits for sockets, signals and timers and calls what was registered for them.
///
/// Confined to the thread that runs it. In one turn ready sockets are served before timers that have
/// become due, because both have one priority and libevent queues timers behind the sockets.
@safe
public final class EventLoop {
  /// Owned: freed when the loop goes away, which is after all its events (each retains the loop).
  let base: OpaquePointer

  /// A loop without any events.
  public init() throws(EventIOError) {
    guard let base = unsafe event_base_new() else {
      throw EventIOError(operation: "create", errorNumber: ENOMEM, address: "the event loop")
    }
    unsafe self.base = base
  }

  deinit { unsafe event_base_free(base) }

  /// Calls `body` whenever `descriptor` has something to read, level-triggered, until the event goes away.
  public func whenReadable(
    _ descriptor: Int32, _ body: @escaping () -> Void
  ) throws(EventIOError) -> LoopEvent {
    let event = try LoopEvent(loop: self, subject: descriptor, kind: EV_READ | EV_PERSIST, body: body)
    try event.enable()
    return event
  }

  /// Calls `body` after each write to a descriptor of ``Mailbox``, which nobody has to read, until the event goes away.
  func whenWritten(_ descriptor: Int32, _ body: @escaping () -> Void) throws(EventIOError) -> LoopEvent {
    let event = try LoopEvent(
      loop: self, subject: descriptor, kind: EV_READ | EV_PERSIST | EV_ET, body: body)
    try event.enable()
    return event
  }

  /// Calls `body` whenever `descriptor` takes bytes again, level-triggered, until the event goes away.
  public func whenWritable(
    _ descriptor: Int32, _ body: @escaping () -> Void
  ) throws(EventIOError) -> LoopEvent {
    let event = try LoopEvent(loop: self, subject: descriptor, kind: EV_WRITE | EV_PERSIST, body: body)
    try event.enable()
    return event
  }

  /// Calls `body` whenever the process gets `signal`, until the event goes away.
  public func whenSignalled(
    _ signal: Int32, _ body: @escaping () -> Void
  ) throws(EventIOError) -> LoopEvent {
    let event = try LoopEvent(loop: self, subject: signal, kind: EV_SIGNAL | EV_PERSIST, body: body)
    try event.enable()
    return event
  }

  /// A timer that calls `body` once each time it was armed.
  public func timer(_ body: @escaping () -> Void) throws(EventIOError) -> LoopEvent {
    try LoopEvent(loop: self, subject: -1, kind: 0, body: body)
  }

  /// Serves events until `stop()`; throws when the system does not let it wait any longer.
  public func run() throws(EventIOError) {
    errno = 0
    if unsafe event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY) < 0 {
      throw EventIOError(operation: "wait in", errorNumber: errno, address: "the event loop")
    }
  }

  /// Serves what is ready in one turn; waits for the first event when `waiting`.
  public func turn(waiting: Bool) {
    _ = unsafe event_base_loop(base, waiting ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK)
  }

  /// Makes `run()` return as soon as the event being served is done.
  public func stop() {
    _ = unsafe event_base_loopbreak(base)
  }
}

/// Something an ``EventLoop`` waits for. It stops waiting when the last reference goes away.
@safe
public final class LoopEvent {
  private let loop: EventLoop
  private let body: () -> Void
  /// Owned: made in `init`, freed in `deinit`. Nil only while `init` runs.
  private var event: OpaquePointer?

  fileprivate init(
    loop: EventLoop, subject: Int32, kind: Int32, body: @escaping () -> Void
  ) throws(EventIOError) {
    self.loop = loop
    self.body = body
    unsafe event = nil
    // Unretained: the event is freed in deinit, so libevent cannot call back afterwards.
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe event = event_new(
      loop.base, subject, Int16(truncatingIfNeeded: kind),
      { _, _, context in
        guard let context = unsafe context else { return }
        let event = unsafe Unmanaged<LoopEvent>.fromOpaque(context).takeUnretainedValue()
        event.body()
      }, context)
    if unsafe event == nil {
      throw EventIOError(operation: "create", errorNumber: ENOMEM, address: "an event")
    }
  }

  deinit {
    if let event = unsafe event { unsafe event_free(event) }
  }

  /// Starts waiting without a time limit.
  fileprivate func enable() throws(EventIOError) {
    errno = 0
    guard let event = unsafe event, unsafe event_add(event, nil) == 0 else {
      throw EventIOError(
        operation: "wait for", errorNumber: errno == 0 ? ENOMEM : errno, address: "an event")
    }
  }

  /// Lets the timer fire once after `delay`, rounded up to whole milliseconds; replaces an earlier arming.
  ///
  /// A delay of zero or less fires in the next turn, behind the sockets that are ready in it.
  ///
  /// False when there is no memory for it, which can only be when more timers are armed than ever before.
  @discardableResult
  public func arm(after delay: TimeSpan) -> Bool {
    guard let event = unsafe event else { return false }
    let milliseconds = max(0, (delay + TimeSpan(nanoseconds: 999_999)).wholeMilliseconds)
    var wait = timeval(
      tv_sec: Int(min(milliseconds / 1000, 86_400)), tv_usec: Int(milliseconds % 1000) * 1000)
    return unsafe event_add(event, &wait) == 0
  }

  /// Stops waiting until armed again.
  public func disarm() {
    if let event = unsafe event { _ = unsafe event_del(event) }
  }
}

/// What libevent has to say: it writes to stderr unless somebody else takes it.
public enum LibeventLog {
  /// Whoever takes the lines; C calls back without a context, so that it stands here.
  private static let receiver = Mutex<(@Sendable (_ isError: Bool, _ text: String) -> Void)?>(nil)

  /// Gives every line of libevent's to `body`, on the thread it comes up on.
  public static func redirect(to body: @escaping @Sendable (_ isError: Bool, _ text: String) -> Void) {
    receiver.withLock { $0 = body }
    unsafe event_set_log_callback { severity, text in
      guard let text = unsafe text else { return }
      let line = unsafe String(cString: text)
      let body = LibeventLog.receiver.withLock { $0 }
      body?(severity >= EVENT_LOG_ERR, line)
    }
  }
}
