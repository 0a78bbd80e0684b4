public import ProxyCore

import Timekeeping

/// The result of a run.
public struct SimulationReport: CustomStringConvertible, Sendable {
  /// What the scenario was made from.
  public let seed: UInt64
  /// How many calls it had.
  public let calls: Int
  /// How much happened.
  public var tally = SimulationTally()
  /// What the proxy counted.
  public var counters = Counters()
  /// The first invariant that failed; nil when all of them held to the end.
  public var violation: String?
  /// The messages of the call concerned.
  public var ladder: String?

  /// What a failing test prints: the seed and how to play it again, then the fault, then the messages.
  public var description: String {
    let hours = tally.end.nanoseconds / 3_600_000_000_000
    let head =
      "seed: \(seed) (\(calls) calls, \(tally.datagrams) datagrams, \(tally.events) events, \(hours) h)"
    guard let violation else { return "\(head): all invariants held\n\(ladder ?? "")" }
    let command = "Scripts/simulate --seed \(seed) --calls \(calls)"
    return "\(head)\nagain: \(command)\n\(violation)\n\(ladder ?? "")"
  }
}
