public import AdminHTTP
import Glibc
public import ProxyCore
public import SIPSyntax
import ServerLocation
public import Timekeeping

/// One thread's whole share of the proxy: its loop, its sockets, and the core with both tables.
///
/// Nothing in it is shared: a process with N workers has N of these, see ``Crew``, and only their counters are
/// read from outside. Every method but `init` must be called on the thread that first called one; that is
/// asserted. In a turn of the loop sockets are read before timers advance. When the core has more due
/// work than one call does, the next call waits for the sockets of the next turn.
///
/// One turn may find thousands of connections with something to read (G10). Datagrams and the core's timer do
/// not wait for its end: after every ``streamWorkAtOnce`` messages or events of connections they come in between.
/// Connections take their turns anyway: each has one read of a few KiB in a turn of the loop.
public final class Worker {
  /// Messages and events of connections that are served until datagrams and the timer come in between.
  ///
  /// At some ten microseconds each this is well below the two milliseconds that anything may hold up the loop; the
  /// two system calls that look for datagrams cost a hundredth of it.
  static let streamWorkAtOnce = 64

  /// The loop everything here waits in.
  public let loop: EventLoop
  /// What the core counts; readable from any thread.
  public let counters: Counters
  /// When the worker was made.
  public let startedAt: MonotonicInstant

  /// Connections of all its listeners; none is accepted before the worker exists.
  let connections: ConnectionTable
  /// Its sockets, as the flows count them.
  let transports: [ListeningTransport]
  /// Its place among others; nil without others.
  let station: Station?
  /// Letters of others that are being read.
  var inbox = Mail()
  /// What is to be done when another worker answers, by number; see ``ask(_:_:then:)``.
  var awaited = AwaitedReplies()
  /// Why the loop of another worker ended, if it did of itself; told to the first.
  var failureOfOther: EventIOError?
  /// The core.
  var engine: Engine
  /// Insists on the one thread.
  let thread = ThreadConfinement()
  private let batch = DatagramBatch()
  private let dns: DNSClient
  private var events: [LoopEvent] = []
  private var timer: LoopEvent?
  /// When the timer fires; the core may have become due earlier since.
  private var armedFor = MonotonicInstant.distantFuture
  private var whenQuiet: (() -> Void)?
  private var whenDeparted: (() -> Void)?
  /// Messages and events of connections since datagrams and the timer last came in between.
  private var streamWork = 0
  /// Messages of a connection that have arrived may not have been read yet.
  private var isReadingStream = false

  /// Takes over sockets that are bound; `configuration.listeners` describes them in the same order.
  ///
  /// Without `dnsServers` those are asked that the system is configured for.
  public convenience init(
    loop: EventLoop, transports: [ListeningTransport], limits: ConnectionLimits = ConnectionLimits(),
    dnsServers: [SocketAddress] = [], configuration: ProxyConfiguration, environment: ProxyEnvironment
  ) throws(EventIOError) {
    try self.init(
      WorkerParts(
        loop: loop, transports: transports, limits: limits, dnsServers: dnsServers,
        configuration: configuration, environment: environment), station: nil)
  }

  /// The same from its parts, with a place among others.
  init(_ parts: WorkerParts, station: Station?) throws(EventIOError) {
    loop = parts.loop
    transports = parts.transports
    self.station = station
    dns = try DNSClient(loop: loop, servers: parts.dnsServers)
    startedAt = MonotonicClock.now
    engine = Engine(
      proxy: Proxy(
        configuration: parts.configuration, environment: parts.environment, startingAt: startedAt),
      station: station)
    counters = engine.proxy.counters
    connections = try ConnectionTable(
      loop: loop, limits: parts.limits, counting: counters,
      firstGeneration: .random(in: 1...UInt32.max), station: station)
    connections.whenReadable = { [unowned self] connection in receive(from: connection) }
    connections.whenChanged = { [unowned self] in
      settle()
      account(forStreamWork: 1)
    }
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
    if let station {
      events.append(
        try loop.whenWritten(station.mailbox.descriptor) { [unowned self] in readMail(of: station.mailbox) })
    }
    engine.begin(at: startedAt)
    settle()
  }

  /// Refuses new calls from now on and calls `done` once no transaction is without a final response, all that was
  /// said over connections has left, and their peers know that it was the last.
  public func drain(_ done: @escaping () -> Void) {
    beginDraining { [unowned self] in whenDeparted = done }
  }

  /// Refuses new calls from now on and calls `quiet` once no transaction is without a final response.
  func beginDraining(_ quiet: @escaping () -> Void) {
    thread.check()
    engine.proxy.beginDraining()
    whenQuiet = quiet
    settle()
  }

  /// Tells every peer its end once all that was said over connections has left, and then calls `done`.
  func depart(_ done: @escaping () -> Void) {
    thread.check()
    whenDeparted = done
    settle()
  }

  /// Whether new calls are refused.
  public var isDraining: Bool { engine.proxy.isDraining }

  /// Answers a request of the query API from this worker's tables.
  public func respond(to request: AdminRequest, with facts: AdminFacts) -> AdminResponse {
    thread.check()
    // The question may have waited here: ages are counted from now.
    var facts = facts
    facts.now = MonotonicClock.now
    return AdminService.respond(to: request, with: facts, asking: engine.proxy)
  }

  /// Adds what this worker's table has to a page of dialogs.
  func extend(_ listing: DialogListing, with facts: AdminFacts) -> DialogListing {
    thread.check()
    var longer = listing
    var facts = facts
    facts.now = MonotonicClock.now
    longer.add(from: engine.proxy, facts)
    return longer
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

  /// Reads what has arrived over a connection: 4 KiB of TCP, or one record of TLS, in each turn.
  private func receive(from connection: StreamConnection) {
    thread.check()
    repeat {
      let most = Worker.streamWorkAtOnce - streamWork
      let count = engine.receive(from: connection, atMost: most, at: MonotonicClock.now)
      isReadingStream = count == most
      settle()
      account(forStreamWork: count)
    } while isReadingStream
  }

  /// Takes in work done for connections; when it is enough, datagrams and the timer come in between.
  private func account(forStreamWork work: Int) {
    streamWork += work
    if streamWork >= Worker.streamWorkAtOnce { serveOthers(at: MonotonicClock.now) }
  }

  /// Reads one batch from every socket of datagrams and some letters of other workers, and fires the core's timers if they are due.
  func serveOthers(at now: MonotonicInstant) {
    streamWork = 0
    for (index, transport) in transports.enumerated() {
      if case .udp(let datagrams) = transport { receive(from: datagrams, listener: UInt16(clamping: index)) }
    }
    // Other workers' datagrams are no less urgent.
    if let station { readMail(of: station.mailbox) }
    guard let deadline = engine.proxy.nextDeadline, deadline <= now else { return }
    engine.advance(to: now)
    settle()
  }

  private func advance() {
    thread.check()
    armedFor = .distantFuture
    engine.advance(to: MonotonicClock.now)
    settle()
  }

  /// After every event: sends what the core wants sent, arms the timer, notices the end of draining.
  func settle() {
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
    guard connections.queuedBytes == 0, !isReadingStream, inbox.isRead else { return }
    if let quiet = whenQuiet, engine.proxy.openTransactionCount == 0 {
      whenQuiet = nil
      quiet()
    }
    // Requests in dialogs are served also after this worker was quiet, while others were not.
    if let departed = whenDeparted, engine.proxy.openTransactionCount == 0 {
      whenDeparted = nil
      connections.part()
      departed()
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
