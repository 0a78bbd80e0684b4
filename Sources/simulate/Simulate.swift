import ArgumentParser
import ProxyCore
import ProxySimulation

/// Plays seeds of the simulation on all cores and prints the first that fails, with its messages.
@main
struct Simulate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Plays simulated calls around the real proxy core, decided by seeds.")

  @Option(help: "The seed to play, or the first of several.")
  var seed: UInt64 = 1

  @Option(help: "How many seeds, counted upwards.")
  var runs: UInt64 = 1

  @Option(help: "Calls of one seed; another number is another scenario.")
  var calls = Scenario.usualCalls

  @Option(help: "Seeds played at the same time; as many as there are cores unless told.")
  var jobs: Int?

  @Flag(help: "Plays every seed twice and compares the octets.")
  var twice = false

  @Flag(help: "Prints what all proxies together counted.")
  var counters = false

  @Option(help: "Also prints the messages of this call of each seed, counted from 0.")
  var call: Int?

  func validate() throws {
    guard runs >= 1, calls >= 1, jobs ?? 1 >= 1 else { throw ValidationError("Numbers start at 1.") }
  }

  func run() throws {
    let campaign = Campaign(first: seed, runs: runs, calls: calls, playsTwice: twice, shownCall: call)
    let result = campaign.play(jobs: jobs)
    for report in result.shown + result.failures { print(report) }
    if counters {
      for counter in Counter.allCases where result[counter] > 0 { print("\(result[counter]) \(counter)") }
    }
    print(result)
    if !result.failures.isEmpty { throw ExitCode.failure }
  }
}
