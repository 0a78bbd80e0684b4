public import AdminHTTP
import Glibc
public import ProxyCore
import SIPSyntax
public import Timekeeping

/// One thread's whole share of the proxy: its loop, its sockets, and the core with both tables.
///
/// Nothing in it is shared: a process with N workers has N of these, and only their counters are read
/// from outside. Every method but `init` must be called on the thread that first called one; that is
/// asserted. In a turn of the loop sockets are read before timers advance. When the core has more due
/// work than one call does, the next call waits for the sockets of the next turn.
public final class Worker {
  /// The loop everything here waits in.
  public let loop: EventLoop
  /// What the core counts; readable from any thread.
  public let counters: Counters
  /// When the worker was made.
  public let startedAt: MonotonicInstant

  private let transports: [UDPTransport]
  private let batch = DatagramBatch()
  private let thread = ThreadConfinement()
  private var engine: Engine
  private var events: [LoopEvent] = []
  private var timer: LoopEvent?
  /// When the timer fires; the core may have become due earlier since.
  private var armedFor = MonotonicInstant.distantFuture
  private var drained: (() -> Void)?

  /// Takes over sockets that are bound; `configuration.listeners` describes them in the same order.
  public init(
    loop: EventLoop, transports: [UDPTransport], configuration: ProxyConfiguration,
    environment: ProxyEnvironment
  ) throws(EventIOError) {
    self.loop = loop
    self.transports = transports
    startedAt = MonotonicClock.now
    engine = Engine(
      proxy: Proxy(configuration: configuration, environment: environment, startingAt: startedAt))
    counters = engine.proxy.counters
    timer = try loop.timer { [unowned self] in advance() }
    for index in transports.indices {
      events.append(
        try loop.whenReadable(transports[index].socket) { [unowned self] in receive(from: index) })
    }
  }

  /// Refuses new calls from now on and calls `done` once no transaction is without a final response.
  public func drain(_ done: @escaping () -> Void) {
    thread.check()
    engine.proxy.beginDraining()
    drained = done
    settle()
  }

  /// Whether new calls are refused.
  public var isDraining: Bool { engine.proxy.isDraining }

  /// Answers a request of the query API from this worker's tables.
  public func respond(to request: AdminRequest, with facts: AdminFacts) -> AdminResponse {
    thread.check()
    return AdminService.respond(to: request, with: facts, asking: engine.proxy)
  }

  /// Reads one batch of datagrams; more of them keep the socket readable for the next turn.
  private func receive(from index: Int) {
    thread.check()
    let transport = transports[index]
    let error = batch.receive(from: transport.socket)
    if error != 0, error != EAGAIN, error != EINTR { counters.add(to: .receiveErrors) }
    guard batch.count > 0 else { return }
    engine.receive(batch, from: transport, listener: UInt16(clamping: index), at: MonotonicClock.now)
    settle()
  }

  private func advance() {
    thread.check()
    armedFor = .distantFuture
    engine.advance(to: MonotonicClock.now)
    settle()
  }

  /// After every event: sends what the core wants sent, arms the timer, notices the end of draining.
  private func settle() {
    engine.flush(over: transports, counting: counters, at: MonotonicClock.now)
    if let deadline = engine.proxy.nextDeadline, deadline < armedFor {
      armedFor = deadline
      timer?.arm(after: deadline.duration(since: MonotonicClock.now))
    }
    if let drained, engine.proxy.openTransactionCount == 0 {
      self.drained = nil
      drained()
    }
  }
}

/// The core and its outbox, in one value so that a batch enters them once.
private struct Engine: ~Copyable {
  var proxy: Proxy
  var outbox = Outbox()
  /// Requests that the system refused to send in this flush.
  var refused: [SendTicket] = []

  init(proxy: consuming Proxy) { self.proxy = proxy }

  mutating func receive(
    _ batch: DatagramBatch, from transport: UDPTransport, listener: UInt16, at now: MonotonicInstant
  ) {
    for index in 0..<batch.count {
      if batch.isTruncated(index) {
        proxy.counters.add(to: .receiveTruncated)
        continue
      }
      let (remote, local) = batch.addresses(of: index)
      let flow = transport.flow(listener: listener, remote: remote, local: local)
      batch.withDatagram(index) { datagram in
        proxy.receive(datagram, over: flow, at: now, into: &outbox)
      }
    }
  }

  mutating func advance(to now: MonotonicInstant) {
    proxy.advance(to: now, into: &outbox)
  }

  /// Sends the outbox and clears it.
  mutating func flush(over transports: [UDPTransport], counting counters: Counters, at now: MonotonicInstant)
  {
    // A function of its own, so that its references are gone and clearing keeps the memory.
    send(over: transports, counting: counters)
    outbox.removeAll()
    // What the core answers to a refused request is a response; a refused response is only counted (B94).
    while !refused.isEmpty {
      for ticket in refused { proxy.sendFailed(ticket, at: now, into: &outbox) }
      refused.removeAll(keepingCapacity: true)
      send(over: transports, counting: counters)
      outbox.removeAll()
    }
  }

  /// Sends the outbox in its order, in runs of messages that leave by one socket.
  private mutating func send(over transports: [UDPTransport], counting counters: Counters) {
    let sends = outbox.sends
    var start = 0
    while start < sends.count {
      let listener = sends[start].flow.listener
      var end = start + 1
      while end < sends.count, sends[end].flow.listener == listener { end += 1 }
      if Int(listener) < transports.count {
        transports[Int(listener)].send(
          sends[start..<end], of: outbox.bytes.bytes, counting: counters, refused: &refused)
      } else {
        counters.add(UInt64(end - start), to: .sendErrors)
      }
      start = end
    }
  }
}

/// Notes the first thread that asks and insists on it from then on.
private final class ThreadConfinement {
  private var owner: pthread_t?

  func check() {
    let current = pthread_self()
    if let owner {
      precondition(pthread_equal(owner, current) != 0, "a worker was entered from another thread")
    } else {
      owner = current
    }
  }
}
