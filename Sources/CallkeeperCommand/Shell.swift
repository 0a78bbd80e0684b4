import AdminHTTP
import EventIO
import Glibc
import Logging
import PagedStorage
import ProxyCore
import SIPSyntax
import Synchronization
import Timekeeping

/// A running proxy from its first socket to its exit status: start, signals, draining, end.
///
/// TERM or INT drains: new calls get 503, and the process ends as soon as no transaction is without a
/// final response, after four seconds at the latest; a second one ends it at once. HUP reads the TLS
/// files again, USR2 logs a summary.
final class Shell {
  /// How long draining may take.
  static let longestDrain = TimeSpan.seconds(4)

  private let log: Logger
  private let crew: Crew
  private let admin: AdminServer
  private let tls: TLSContext?
  private let tlsAdvice: TLSAdvice
  private let readyLine: [(name: String, value: String)]
  private var signals: [LoopEvent] = []
  private var drainLimit: LoopEvent?

  /// Opens every socket; nothing is left open when it throws.
  init(_ run: RunConfiguration, _ preparation: Preparation, log: Logger) throws(CommandError) {
    self.log = log
    let tls = try run.tls.map(Shell.tlsContext)
    self.tls = tls
    tlsAdvice = TLSAdvice(run, preparation.listen)
    Shell.redirectLibevent(to: log)
    do throws(EventIOError) {
      let sockets = try ListenerSockets(preparation.listen, tls: tls, isShared: run.workers > 1)
      let crew = try Crew(
        try preparation.workerParts(run, sockets), key: try OperatingSystem.randomKey(),
        handshakeReporter: { Shell.handshakeReporter(to: log) })
      let listeners = sockets.listeners.map { "\($0)" }
      let admin = AdminServer(loop: crew.first.loop, counting: crew.first.counters) {
        [unowned crew] request, deliver in
        crew.respond(to: request, with: Shell.facts(of: crew, listeners: listeners), deliver)
      }
      admin.whenAcceptFails = Shell.reporter(of: "query.accept_failed", to: log)
      let path = if let path = run.control { path } else { try ControlSocket.pathForServer() }
      try admin.listen(atPath: path)
      var line = listeners.map { (name: "listen", value: $0) } + [(name: "control", value: path)]
      if let address = preparation.http {
        line.append((name: "http", value: "\(try admin.listen(on: address))"))
      }
      self.crew = crew
      self.admin = admin
      readyLine = line
    } catch {
      throw CommandError(starting: error)
    }
  }

  /// Serves until a signal ends it.
  func run() throws(CommandError) {
    OperatingSystem.ignoreBrokenPipes()
    do throws(EventIOError) {
      try serve()
    } catch {
      throw CommandError(.systemFailure, printable("\(error)"))
    }
    log.info("ended")
  }

  private func serve() throws(EventIOError) {
    let loop = crew.first.loop
    for signal in [SIGTERM, SIGINT] {
      signals.append(try loop.whenSignalled(signal) { [unowned self] in terminate(by: signal) })
    }
    signals.append(try loop.whenSignalled(SIGUSR2) { [unowned self] in logSummary() })
    signals.append(
      try loop.whenSignalled(SIGHUP) { [unowned self] in reload() })
    adviseOnTLS()
    // Whatever the level: scripts wait for this line.
    var ready = log
    ready.logLevel = .info
    ready.info("ready", metadata: Shell.metadata(of: readyLine))
    let limit = try loop.timer { [unowned self] in
      log.warning("drain.cut", metadata: ["open": "\(openCount)"])
      crew.first.loop.stop()
    }
    drainLimit = limit
    try crew.start()
    defer { crew.end() }
    try loop.run()
    if let failure = crew.failure { throw failure }
  }

  /// Server transactions without a final response.
  private var openCount: Int { crew.counters.reduce(0) { $0 + $1[Gauge.serverTransactionsOpen] } }

  /// Reads the TLS files again, for connections from now on; what cannot be used changes nothing.
  private func reload() {
    guard let tls else {
      log.notice("signal.ignored", metadata: ["signal": "HUP", "reason": "no file to read again"])
      return
    }
    do throws(TLSError) {
      try tls.reload()
      log.notice("tls.reloaded")
      adviseOnTLS()
    } catch {
      log.error("tls.not_reloaded", metadata: ["reason": "\(printable("\(error)"))"])
    }
  }

  /// G35: tells what is unwise about the TLS files that were just read.
  private func adviseOnTLS() {
    guard let tls else { return }
    for warning in tlsAdvice.warnings(tls) { Shell.warn(of: warning, in: log) }
  }

  /// Tells of settings that are legal and unwise.
  static func warn(of text: String, in log: Logger) {
    log.warning("configuration.unwise", metadata: ["text": "\(text)"])
  }

  /// Reads the TLS files for the first time.
  static func tlsContext(_ files: TLSFileNames) throws(CommandError) -> TLSContext {
    do throws(TLSError) {
      return try TLSContext(
        certificate: files.certificate, key: files.key, trust: files.trust,
        requiresClientCertificate: files.requiresClientCertificate)
    } catch {
      throw CommandError(reading: error)
    }
  }

  private func terminate(by signal: Int32) {
    if crew.isDraining {
      log.notice("drain.cut", metadata: ["open": "\(openCount)"])
      crew.first.loop.stop()
      return
    }
    log.notice(
      "drain.began", metadata: ["signal": signal == SIGTERM ? "TERM" : "INT", "open": "\(openCount)"])
    drainLimit?.arm(after: Shell.longestDrain)
    crew.drain { [unowned self] in crew.first.loop.stop() }
  }

  /// Logs what may go wrong many times a second, at most one line a minute.
  private static func reporter(of event: Logger.Message, to log: Logger) -> (EventIOError) -> Void {
    var gate = LogGate()
    return { error in
      guard let held = gate.pass(at: MonotonicClock.now) else { return }
      log.warning(event, metadata: ["reason": "\(error)", "held_back": "\(held)"])
    }
  }

  /// Logs connections that TLS refused: at most one line a minute for ours, and one for those of others, so that
  /// who knocks at our port does not hide where we cannot get in.
  private static func handshakeReporter(to log: Logger) -> (HandshakeFailure) -> Void {
    var (ours, theirs) = (LogGate(), LogGate())
    return { failure in
      let now = MonotonicClock.now
      guard let held = failure.wanted == nil ? theirs.pass(at: now) : ours.pass(at: now) else { return }
      var fields: Logger.Metadata = [
        "peer": "\(failure.remote)", "reason": "\(failure.reason)", "held_back": "\(held)",
      ]
      if let wanted = failure.wanted { fields["wanted"] = "\(wanted)" }
      log.log(level: failure.wanted == nil ? .notice : .warning, "tls.refused", metadata: fields)
    }
  }

  /// Brings what libevent says into the form that --log-format asks for.
  private static func redirectLibevent(to log: Logger) {
    let gate = Mutex(LogGate())
    LibeventLog.redirect { isError, text in
      guard let held = gate.withLock({ $0.pass(at: MonotonicClock.now) }) else { return }
      log.log(
        level: isError ? .error : .warning, "libevent", metadata: ["text": "\(text)", "held_back": "\(held)"])
    }
  }

  private func logSummary() {
    let counters = crew.counters
    var fields: Logger.Metadata = [:]
    for gauge in Gauge.allCases { fields[gauge.snakeCase] = "\(counters.reduce(0) { $0 + $1[gauge] })" }
    for counter in Counter.allCases {
      let sum = counters.reduce(0) { $0 + $1[counter] }
      if sum > 0 { fields[counter.snakeCase] = "\(sum)" }
    }
    var summary = log
    summary.logLevel = .info
    summary.info("summary", metadata: fields)
  }

  private static func facts(of crew: Crew, listeners: [String]) -> AdminFacts {
    AdminFacts(
      counters: crew.counters, isDraining: crew.isDraining, version: Program.version,
      startedAt: crew.first.startedAt, now: MonotonicClock.now,
      secondsSince1970: MonotonicClock.secondsSince1970, listeners: listeners)
  }

  /// Fields as metadata; several of one name stand in one value.
  private static func metadata(of fields: [(name: String, value: String)]) -> Logger.Metadata {
    var texts: [String: String] = [:]
    for field in fields {
      texts[field.name] = texts[field.name].map { "\($0),\(field.value)" } ?? field.value
    }
    return texts.mapValues { .string($0) }
  }
}
