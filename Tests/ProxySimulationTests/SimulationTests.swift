import Foundation
import ProxyCore
import ProxySimulation
import Testing

/// RFC 4028 §8, RFC 3261 §16: whatever the network and the user agents do, the proxy invents nothing and
/// knows which calls are up.
///
/// `CALLKEEPER_SIMULATION_SEED` replays one seed, `CALLKEEPER_SIMULATION_RUNS` plays that many.
@Suite("RFC 4028 §8 in simulation: days of calls on a bad network")
struct SimulationTests {
  private static let environment = ProcessInfo.processInfo.environment

  static var seeds: [UInt64] {
    if let seed = environment["CALLKEEPER_SIMULATION_SEED"].flatMap({ UInt64($0) }) { return [seed] }
    let runs = environment["CALLKEEPER_SIMULATION_RUNS"].flatMap { UInt64($0) } ?? 5
    return Array(1...max(1, runs))
  }

  @Test("every invariant holds after every event (A76-A79, A86-A89, B66, F2, F22, C55)", arguments: seeds)
  func invariantsHold(seed: UInt64) throws {
    let report = try Scenario(seed: seed, calls: 150).run()
    #expect(report.violation == nil, "\(report)")
    #expect(report.tally.arrivals > 250)
  }

  @Test("small scenarios hold too, and each gives the same octets twice")
  func smallScenariosHold() {
    let result = Campaign(first: 1000, runs: 40, playsTwice: true).play()
    for report in result.failures { Issue.record("\(report)") }
    #expect(result.runs == 40)
  }

  @Test("the same seed gives the same octets, another seed others")
  func sameSeedSameOctets() throws {
    let first = try Scenario(seed: 7, calls: 60).run()
    let second = try Scenario(seed: 7, calls: 60).run()
    let other = try Scenario(seed: 8, calls: 60).run()
    #expect(first.tally == second.tally)
    #expect(first.tally.fingerprint != other.tally.fingerprint)
  }

  @Test("the calls take every turn they should: refusals, cancels, timeouts, refreshes, silent deaths")
  func callsTakeEveryTurn() {
    let result = Campaign(first: 1, runs: 50).play()
    let turns: [Counter] = [
      .requestRetransmissionsReceived, .requestRetransmissionsSent, .finalRetransmissionsSent, .tryingSent,
      .cancelsSent, .acksSent, .answered422, .answered408, .answered500, .answered430,
      .droppedTimeoutOfNonInvite,
      .droppedLateFinal, .timerHFired,
      .dialogsEndedBy481, .dialogsAdopted, .droppedStrayResponse,
      .timerBFired, .timerCFired, .timerFFired, .sessionExpiresInserted, .sessionExpiresLowered,
      .sessionExpiresInsertedInResponse, .dialogsRefreshed, .dialogsEndedByBye,
      .dialogsEndedBySessionExpiry, .dialogsEndedByUntimedLifetime, .dialogsEndedBySetupFailure,
      .nameAnswers, .nameFailures, .nextHopsNotLocated,
    ]
    for turn in turns { #expect(result[turn] > 0, "\(turn)") }
  }
}
