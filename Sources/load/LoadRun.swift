import EventIO
import Glibc
import SIPSyntax
import Timekeeping

/// One run of the generator: the sockets, the clock, and the order in which things happen.
final class LoadRun {
  /// Where the run stands.
  private enum Stage {
    case ramping, loading
    case lingering(until: MonotonicInstant)
    /// All calls have ended; lost ACKs are still given again.
    case settling(until: MonotonicInstant)
  }

  /// Calls begun in one tick at most, so that answers are read in between when the generator is behind.
  private static let burst = 128

  /// What was asked for.
  let plan: LoadPlan
  /// Both sides of the calls.
  let caller: Caller
  let callee: Callee
  /// The caller's ports.
  let callerPorts: [DatagramPort]
  /// The callee's port.
  let calleePort: DatagramPort
  /// Whether a signal ended the run.
  private(set) var wasInterrupted = false
  /// When it began, and how long it took.
  let started: MonotonicInstant
  private(set) var duration = TimeSpan.zero
  /// The longest that a call was begun behind its time.
  var lateness: TimeSpan { [ramp, load, probes].map(\.latest).max() ?? .zero }
  /// How much later than planned the schedules ended.
  var slipped: TimeSpan { ramp.slipped + load.slipped + probes.slipped }

  private let loop: EventLoop
  private var stage = Stage.ramping
  private var ramp: Pace
  private var load: Pace
  private var probes: Pace
  private let eachSecond: ((LoadRun, Int) -> Void)?
  private var seconds = 1

  /// Binds the sockets; `eachSecond` is called with the number of each second that has passed.
  init(_ plan: LoadPlan, run: RunName, eachSecond: ((LoadRun, Int) -> Void)?) throws(EventIOError) {
    self.plan = plan
    self.eachSecond = eachSecond
    loop = try EventLoop()
    let inbox = DatagramBatch()
    calleePort = try DatagramPort(binding: plan.callee, inbox: inbox)
    var ports: [DatagramPort] = []
    for index in 0..<plan.sources {
      let port = index == 0 ? plan.caller.port : 0
      ports.append(
        try DatagramPort(binding: SocketAddress(ip: plan.caller.ip, port: port), inbox: inbox))
    }
    callerPorts = ports
    started = MonotonicClock.now
    callee = Callee(on: calleePort, run: run)
    caller = Caller(
      from: callerPorts, through: plan.proxy, to: calleePort.address, run: run, pause: plan.pause,
      refreshes: plan.refreshes, expecting: plan.idle + plan.calls, at: started)
    caller.keepsRecentProbes = eachSecond != nil
    ramp = Pace(plan.rampRate, plan.idle, from: started)
    load = Pace(plan.rate, 0, from: started)
    probes = Pace(plan.probeRate, nil, from: started)
  }

  /// Runs until all calls have ended, or a signal comes.
  func play() throws(EventIOError) {
    for port in callerPorts {
      try port.whenReadable(on: loop) { [unowned self] in
        port.receive { bytes, _, now in caller.receive(bytes, at: now) }
        flush()
      }
    }
    try calleePort.whenReadable(on: loop) { [unowned self] in
      calleePort.receive { bytes, sender, now in callee.receive(bytes, from: sender, at: now) }
      flush()
    }
    let ticker = try Ticker(every: plan.tick, on: loop) { [unowned self] in tick() }
    var signals: [LoopEvent] = []
    for signal in [SIGINT, SIGTERM] {
      signals.append(
        try loop.whenSignalled(signal) { [unowned self] in
          wasInterrupted = true
          loop.stop()
        })
    }
    try withExtendedLifetime((ticker, signals)) { () throws(EventIOError) in try loop.run() }
    duration = MonotonicClock.now.duration(since: started)
  }

  private func tick() {
    let now = MonotonicClock.now
    caller.runDue(at: now)
    callee.repeatDue(at: now)
    begin(.idle, &ramp, at: now)
    begin(.load, &load, at: now)
    begin(.probe, &probes, at: now)
    advance(at: now)
    flush()
    if let eachSecond, now >= started + .seconds(Int64(seconds)) {
      eachSecond(self, seconds)
      seconds += 1
    }
  }

  private func begin(_ purpose: Purpose, _ pace: inout Pace, at now: MonotonicInstant) {
    let elapsed = Double(now.duration(since: started).nanoseconds) / 1e9
    for _ in 0..<LoadRun.burst {
      let number = pace.begun
      guard pace.next(at: now) else { return }
      // Each call has its own instant: the set-up time of the last in a burst does not hold the others.
      caller.start(
        purpose, interval: plan.interval(of: number, purpose, after: elapsed), at: MonotonicClock.now)
    }
  }

  private func advance(at now: MonotonicInstant) {
    switch stage {
    case .ramping:
      guard ramp.isDone, caller.tally[.idle].open == 0 else { return }
      load = Pace(plan.rate, plan.calls, from: now)
      stage = .loading
    case .loading:
      guard load.isDone, caller.tally[.load].open == 0 else { return }
      stage = .lingering(until: now + TimeSpan(nanoseconds: Int64(plan.linger * 1e9)))
    case .lingering(let end):
      guard now >= end else { return }
      probes = Pace(0, 0, from: now)
      stage = .settling(until: now + .seconds(1))
    case .settling(let end):
      guard caller.tally[.probe].open == 0, callee.isIdle || now >= end else { return }
      loop.stop()
    }
  }

  private func flush() {
    for port in callerPorts { port.flush() }
    calleePort.flush()
  }
}
