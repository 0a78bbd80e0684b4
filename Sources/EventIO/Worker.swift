public import AdminHTTP
import Glibc
public import ProxyCore
public import SIPSyntax
import ServerLocation
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

  /// Connections of all its listeners; none is accepted before the worker exists.
  let connections: ConnectionTable
  private let transports: [ListeningTransport]
  private let batch = DatagramBatch()
  private let dns: DNSClient
  private let thread = ThreadConfinement()
  private var engine: Engine
  private var events: [LoopEvent] = []
  private var timer: LoopEvent?
  /// When the timer fires; the core may have become due earlier since.
  private var armedFor = MonotonicInstant.distantFuture
  private var drained: (() -> Void)?

  /// Takes over sockets that are bound; `configuration.listeners` describes them in the same order.
  ///
  /// Without `dnsServers` those are asked that the system is configured for.
  public init(
    loop: EventLoop, transports: [ListeningTransport], limits: ConnectionLimits = ConnectionLimits(),
    dnsServers: [SocketAddress] = [], configuration: ProxyConfiguration, environment: ProxyEnvironment
  ) throws(EventIOError) {
    self.loop = loop
    self.transports = transports
    dns = try DNSClient(loop: loop, servers: dnsServers)
    startedAt = MonotonicClock.now
    engine = Engine(
      proxy: Proxy(configuration: configuration, environment: environment, startingAt: startedAt))
    counters = engine.proxy.counters
    connections = try ConnectionTable(
      loop: loop, limits: limits, counting: counters,
      firstGeneration: .random(in: 1...UInt32.max))
    connections.whenReadable = { [unowned self] connection in receive(from: connection) }
    connections.whenChanged = { [unowned self] in settle() }
    timer = try loop.timer { [unowned self] in advance() }
    for (index, transport) in transports.enumerated() {
      switch transport {
      case .udp(let datagrams):
        events.append(
          try loop.whenReadable(datagrams.socket) { [unowned self] in
            receive(from: datagrams, listener: UInt16(clamping: index))
          })
      case .stream(let stream): try stream.start(listener: UInt16(clamping: index), in: connections)
      }
    }
    engine.begin(at: startedAt)
    settle()
  }

  /// Refuses new calls from now on and calls `done` once no transaction is without a final response, all that was
  /// said over connections has left, and their peers know that it was the last.
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
  private func receive(from transport: UDPTransport, listener: UInt16) {
    thread.check()
    let error = batch.receive(from: transport.socket)
    if error != 0, error != EINTR {
      // Without a datagram it was the error queue that woke us, or it would next time.
      let isExplained = transport.errors.drain(counting: counters) || error == EAGAIN
      if !isExplained { counters.add(to: .receiveErrors) }
    }
    guard batch.count > 0 || transport.errors.hasQuotations else { return }
    engine.receive(batch, from: transport, listener: listener, at: MonotonicClock.now)
    settle()
  }

  /// Reads what has arrived over a connection; libevent bounds it for each turn.
  private func receive(from connection: StreamConnection) {
    thread.check()
    engine.receive(from: connection, at: MonotonicClock.now)
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
    let now = MonotonicClock.now
    engine.flush(over: transports, counting: counters, at: now)
    // Sending may open and close connections, and what the proxy does about that is sending again.
    var notices = connections.takeNotices()
    while !notices.isEmpty {
      engine.notice(notices, at: now)
      engine.flush(over: transports, counting: counters, at: now)
      notices = connections.takeNotices()
    }
    connections.closeFinished()
    askDNS()
    if let deadline = engine.proxy.nextDeadline, deadline < armedFor {
      armedFor = deadline
      timer?.arm(after: deadline.duration(since: MonotonicClock.now))
    }
    if let drained, engine.proxy.openTransactionCount == 0, connections.queuedBytes == 0 {
      self.drained = nil
      connections.part()
      drained()
    }
  }
}

extension Worker {
  /// Asks what the core wants to know; each answer comes in a later turn (D57).
  private func askDNS() {
    for question in engine.takeQuestions() {
      dns.ask(question) { [unowned self] answer in
        thread.check()
        engine.answered(question, with: answer, at: MonotonicClock.now)
        settle()
      }
    }
  }
}

/// The core and its outbox, in one value so that a batch enters them once.
private struct Engine: ~Copyable {
  var proxy: Proxy
  var outbox = Outbox()
  /// Requests that the system refused to send in this flush.
  var refused: [RefusedSend] = []
  /// What the core wants to know since the last time it was taken.
  private var questions: [DNSQuestion] = []

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

  mutating func receive(from connection: StreamConnection, at now: MonotonicInstant) {
    connection.readMessages { message in
      proxy.receive(message, over: connection.flow, at: now, into: &outbox)
    }
  }

  mutating func notice(_ notices: [ConnectionNotice], at now: MonotonicInstant) {
    for notice in notices {
      switch notice {
      case .opened(let flow, let byPeer): proxy.connectionOpened(flow, byPeer: byPeer)
      case .closed(let connection): proxy.connectionClosed(connection)
      case .failed(let ticket): proxy.sendFailed(ticket, at: now, into: &outbox)
      }
    }
  }

  mutating func advance(to now: MonotonicInstant) {
    proxy.advance(to: now, into: &outbox)
  }

  mutating func begin(at now: MonotonicInstant) { proxy.begin(at: now, into: &outbox) }

  mutating func answered(_ question: DNSQuestion, with answer: DNSAnswer, at now: MonotonicInstant) {
    proxy.answered(question, with: answer, at: now, into: &outbox)
  }

  /// What the DNS is to be asked since the last time.
  mutating func takeQuestions() -> [DNSQuestion] {
    guard !questions.isEmpty else { return [] }
    defer { questions = [] }
    return questions
  }

  /// Sends the outbox and clears it.
  mutating func flush(
    over transports: [ListeningTransport], counting counters: Counters, at now: MonotonicInstant
  ) {
    // A function of its own, so that its references are gone and clearing keeps the memory.
    send(over: transports, counting: counters)
    clearOutbox()
    // What the core sends because of a refusal goes elsewhere, and a refused response is only counted (B94):
    // this ends.
    while !refused.isEmpty || transports.contains(where: \.hasQuotations) {
      for refusal in refused {
        proxy.sendFailed(refusal.ticket, isLocal: refusal.isLocal, at: now, into: &outbox)
      }
      refused.removeAll(keepingCapacity: true)
      for case .udp(let datagrams) in transports where datagrams.errors.hasQuotations {
        for quotation in datagrams.errors.takeQuotations() {
          proxy.destinationUnreachable(quoting: quotation.span, at: now, into: &outbox)
        }
      }
      send(over: transports, counting: counters)
      clearOutbox()
    }
  }

  private mutating func clearOutbox() {
    if !outbox.questions.isEmpty { questions.append(contentsOf: outbox.questions) }
    outbox.removeAll()
  }

  /// Sends the outbox in its order, in runs of messages that leave by one socket.
  private mutating func send(over transports: [ListeningTransport], counting counters: Counters) {
    let sends = outbox.sends
    var start = 0
    while start < sends.count {
      let listener = sends[start].flow.listener
      var end = start + 1
      while end < sends.count, sends[end].flow.listener == listener { end += 1 }
      let run = sends[start..<end]
      switch Int(listener) < transports.count ? transports[Int(listener)] : nil {
      case .udp(let datagrams):
        datagrams.send(run, of: outbox.bytes.bytes, counting: counters, refused: &refused)
      case .stream(let stream):
        stream.send(run, of: outbox.bytes.bytes, counting: counters, refused: &refused)
      case nil: counters.add(UInt64(run.count), to: .sendErrors)
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
