public import ProxyCore
import SIPSyntax

import Timekeeping

/// A few hours of a proxy's life, made from a seed: its configuration, the network, the calls.
public struct Scenario {
  /// What it was made from.
  public let seed: UInt64
  /// The proxy's configuration.
  public let configuration: ProxyConfiguration
  /// How bad the network is.
  public let network: NetworkProfile
  let calls: [Call]
  private let chance: SeededGenerator

  /// One call: its plan and its parties.
  struct Call {
    let plan: CallPlan
    let caller: UserAgentProfile
    let callees: [UserAgentProfile]
  }

  /// The scenario of a seed.
  ///
  /// - Parameter calls: how many; their starts are spread so that some dozens are up at a time.
  public init(seed: UInt64, calls count: Int) throws {
    self.seed = seed
    var random = SeededGenerator(seed: seed)
    configuration = try Self.configuration(&random)
    network = Self.network(&random)
    var calls: [Call] = []
    for number in 0..<count { calls.append(Self.call(number, &random)) }
    self.calls = calls
    chance = random.split()
  }

  /// Plays it from beginning to end.
  public func run() -> SimulationReport {
    var chance = chance
    let world = Simulation(
      configuration: configuration, network: LossyNetwork(profile: network, random: chance.split()))
    var agents: [SimulatedUserAgent] = []
    var hops: [ForkingHop] = []
    for (number, call) in calls.enumerated() {
      place(call, number, in: world, &chance, &agents, &hops)
    }
    world.run()
    return withExtendedLifetime((agents, hops)) {
      SimulationReport(
        seed: seed, tally: world.tally, counters: world.counters, violation: world.violation?.text,
        ladder: world.violation?.callID.map { world.ladder.drawing(ofCall: $0) })
    }
  }

  private func place(
    _ call: Call, _ number: Int, in world: Simulation, _ chance: inout SeededGenerator,
    _ agents: inout [SimulatedUserAgent], _ hops: inout [ForkingHop]
  ) {
    func address(_ host: Int) -> SocketAddress {
      Simulation.address("10.\(number >> 8 & 255).\(number & 255).\(host):5060")
    }
    let caller = SimulatedUserAgent(
      name: "a\(number)", address: address(1), profile: call.caller, plan: call.plan, world: world,
      random: chance.split())
    agents.append(caller)
    var callees: [SocketAddress] = []
    for (leg, profile) in call.callees.enumerated() {
      var plan = call.plan
      if leg > 0, let answer = plan.forkAnswer { plan.answer = answer }
      let callee = SimulatedUserAgent(
        name: "b\(number)-\(leg)", address: address(2 + leg), profile: profile, plan: plan, world: world,
        random: chance.split())
      callees.append(callee.address)
      agents.append(callee)
    }
    var target = address(2)
    if callees.count > 1 {
      target = address(9)
      hops.append(ForkingHop(address: target, targets: callees, world: world))
    }
    let callID = "call\(number)@simulation.example.com"
    world.after(call.plan.startsAfter) { caller.call("sip:callee@\(target)", callID: callID) }
    if let disaster = call.plan.disaster {
      let victim = disaster.strikesCaller ? caller : agents[agents.count - 1]
      world.after(call.plan.startsAfter + disaster.after) { [unowned world] in
        switch disaster.kind {
        case .dies: victim.die()
        case .unplugged: world.unplug(victim.address)
        }
      }
    }
  }
}

/// The result of a run.
public struct SimulationReport: CustomStringConvertible {
  /// What the scenario was made from.
  public let seed: UInt64
  /// How much happened.
  public let tally: SimulationTally
  /// What the proxy counted.
  public let counters: Counters
  /// The first invariant that failed; nil when all of them held to the end.
  public let violation: String?
  /// The messages of the call concerned.
  public let ladder: String?

  /// What a failing test prints: the seed first, then the fault, then the messages.
  public var description: String {
    let hours = tally.end.nanoseconds / 3_600_000_000_000
    let size = "\(tally.datagrams) datagrams, \(tally.events) events, \(hours) h"
    guard let violation else { return "seed: \(seed) (\(size)): all invariants held" }
    return "seed: \(seed) (\(size))\n\(violation)\n\(ladder ?? "")"
  }
}
