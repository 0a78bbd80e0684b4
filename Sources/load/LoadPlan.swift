import SIPSyntax
import Timekeeping

/// What one run does: the idle calls, then the load, then perhaps some more time; probes beside all of it.
struct LoadPlan {
  /// The proxy that every request is sent to.
  var proxy: SocketAddress
  /// Where the caller's first port is bound; the further ones take any port.
  var caller: SocketAddress
  /// Where the callee is bound.
  var callee: SocketAddress
  /// How many ports the caller sends from.
  var sources: Int
  /// Calls that are set up and left to the proxy.
  var idle: Int
  /// How many of them are begun in a second.
  var rampRate: Double
  /// Calls that are set up, held, refreshed and hung up, after the idle ones.
  var calls: Int
  /// How many of them are begun in a second.
  var rate: Double
  /// How long each is held.
  var hold: Double
  /// How often each is refreshed meanwhile.
  var refreshes: Int
  /// Session intervals in seconds, asked for in turn.
  var intervals: [UInt32]
  /// When all idle calls fall due, in seconds since the start; 0 for whenever their intervals say.
  var dueIn: Double
  /// Probes begun in a second.
  var probeRate: Double
  /// Seconds that the run goes on after the last call.
  var linger: Double
  /// Microseconds between two looks at the clock.
  var tick: Int

  /// The session interval of a call that begins `elapsed` seconds after the start.
  func interval(of number: Int, _ purpose: Purpose, after elapsed: Double) -> UInt32 {
    if purpose == .idle, dueIn > 0 { return UInt32(max(90, dueIn - elapsed)) }
    return intervals[number % intervals.count]
  }

  /// How long a load call waits before each refresh and before it hangs up.
  var pause: TimeSpan { TimeSpan(nanoseconds: Int64(hold / Double(refreshes + 1) * 1e9)) }
}

/// Begins things evenly: so many a second, so many in all.
///
/// What is a little late is made up for. When the generator got no processor for longer, the schedule slips instead: a
/// burst that fills every buffer would measure nothing but itself.
struct Pace {
  /// How much is made up for.
  static let patience = TimeSpan.milliseconds(20)

  private let rate: Double
  private let total: Int
  private var start: MonotonicInstant
  /// How many were begun.
  private(set) var begun = 0
  /// The longest that one was begun behind its time.
  private(set) var latest = TimeSpan.zero
  /// How much later than planned the schedule ends.
  private(set) var slipped = TimeSpan.zero

  /// A pace that begins at `start`; `total` nil for without end.
  init(_ rate: Double, _ total: Int?, from start: MonotonicInstant) {
    self.rate = rate
    self.total = rate > 0 ? total ?? Int.max : 0
    self.start = start
  }

  /// Whether all were begun.
  var isDone: Bool { begun >= total }

  /// Whether the next one is due, and takes it for begun.
  mutating func next(at now: MonotonicInstant) -> Bool {
    guard !isDone else { return false }
    let due = start + TimeSpan(nanoseconds: Int64(Double(begun) * 1e9 / rate))
    guard due <= now else { return false }
    let lateness = now.duration(since: due)
    latest = max(latest, lateness)
    if lateness > Pace.patience {
      let slip = TimeSpan(nanoseconds: lateness.nanoseconds - Pace.patience.nanoseconds)
      slipped = slipped + slip
      start = start + slip
    }
    begun += 1
    return true
  }
}
