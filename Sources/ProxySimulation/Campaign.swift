import Dispatch
import Glibc
public import ProxyCore
import Synchronization
import Timekeeping

/// Many seeds, played on several cores. Seeds share nothing, so it does not matter who plays which.
public struct Campaign: Sendable {
  /// The first seed.
  public let first: UInt64
  /// How many, counted upwards.
  public let runs: UInt64
  /// Calls of each.
  public let calls: Int
  /// Whether every seed is played a second time, which must give the same octets.
  public let playsTwice: Bool
  /// The call whose messages are wanted from every seed.
  public let shownCall: Int?

  /// Plans a campaign.
  public init(
    first: UInt64, runs: UInt64, calls: Int = Scenario.usualCalls, playsTwice: Bool = false,
    shownCall: Int? = nil
  ) {
    self.first = first
    self.runs = runs
    self.calls = calls
    self.playsTwice = playsTwice
    self.shownCall = shownCall
  }

  /// Plays the seeds, `jobs` of them at a time; a campaign with many failures ends early.
  public func play(jobs: Int? = nil) -> CampaignResult {
    let state = Mutex((taken: UInt64(0), result: CampaignResult()))
    let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    DispatchQueue.concurrentPerform(iterations: jobs ?? cores) { _ in
      while true {
        let seed = state.withLock { state -> UInt64? in
          guard state.taken < runs, state.result.failures.count < Self.enoughFailures else { return nil }
          defer { state.taken += 1 }
          return first &+ state.taken
        }
        guard let seed else { return }
        let report = report(ofSeed: seed)
        state.withLock { $0.result.add(report, isShown: shownCall != nil || runs == 1) }
      }
    }
    return state.withLock { $0.result }
  }

  /// The first failures say enough.
  private static let enoughFailures = 5

  private func report(ofSeed seed: UInt64) -> SimulationReport {
    do {
      let scenario = try Scenario(seed: seed, calls: calls)
      var report = scenario.run(showing: shownCall)
      if playsTwice, report.violation == nil, scenario.run().tally != report.tally {
        report.violation = "played again, the seed gave other octets"
      }
      return report
    } catch {
      return SimulationReport(
        seed: seed, calls: calls, violation: "the seed makes no configuration: \(error)")
    }
  }
}

/// What the seeds of a campaign amounted to.
public struct CampaignResult: CustomStringConvertible, Sendable {
  /// Seeds played.
  public private(set) var runs = 0
  /// Reports of the seeds that failed.
  public private(set) var failures: [SimulationReport] = []
  /// Reports that were asked for.
  public private(set) var shown: [SimulationReport] = []
  /// What all proxies together counted.
  public private(set) var counts = Array(repeating: UInt64(0), count: Counter.allCases.count)
  private var datagrams = 0
  private var seconds: UInt64 = 0

  mutating func add(_ report: SimulationReport, isShown: Bool) {
    runs += 1
    datagrams += report.tally.datagrams
    seconds += report.tally.end.nanoseconds / 1_000_000_000
    for counter in Counter.allCases { counts[counter.rawValue] += report.counters[counter] }
    if report.violation != nil { failures.append(report) } else if isShown { shown.append(report) }
  }

  /// The sum of one counter.
  public subscript(counter: Counter) -> UInt64 { counts[counter.rawValue] }

  /// One line: how much was played, how much of it failed.
  public var description: String {
    let days = seconds / 86_400
    return "\(runs) seeds, \(datagrams) datagrams, \(days) days: \(failures.count) failed"
  }
}
