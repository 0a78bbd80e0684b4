public import ProxyCore
import SIPSyntax

import Timekeeping

/// A few hours of a proxy's life, made from a seed: its configuration, the network, the calls.
public struct Scenario {
  /// What it was made from.
  public let seed: UInt64
  /// Calls of a scenario unless told otherwise: a small one finds as much as a large one, and tells it better.
  public static let usualCalls = 12
  /// The proxy's configuration.
  public let configuration: ProxyConfiguration
  /// How bad the network is.
  public let network: NetworkProfile
  let calls: [Call]
  let mishaps: [Mishap]
  private let naming: Naming
  private let chance: SeededGenerator

  /// One call: its plan and its parties.
  struct Call {
    let plan: CallPlan
    let caller: UserAgentProfile
    let callees: [UserAgentProfile]
  }

  /// Something that befalls not one call but everybody.
  struct Mishap {
    enum Kind {
      /// Hours pass in no time.
      case jump
      /// The proxy gets no processor; then its timers come first or what waits in its socket does.
      case standstill(timersFirst: Bool)
      /// The next hop is cut off.
      case outage
    }
    var at: TimeSpan
    var lasts: TimeSpan
    var kind: Kind
  }

  /// The next hop, in scenarios that have one.
  static let relay = Simulation.address("192.0.2.20:5060")

  /// The scenario of a seed.
  ///
  /// - Parameter calls: how many; their starts are spread so that some dozens are up at a time.
  public init(seed: UInt64, calls count: Int) throws {
    self.seed = seed
    var random = SeededGenerator(seed: seed)
    naming = Naming(seed: seed, calls: count)
    configuration = naming.named(try Self.configuration(&random))
    network = Self.network(&random)
    var calls: [Call] = []
    for number in 0..<count { calls.append(Self.call(number, configuration, &random)) }
    self.calls = calls
    mishaps = Self.mishaps(&random, within: calls.map(\.plan.startsAfter).max() ?? .zero)
    chance = random.split()
  }

  /// Plays it from beginning to end; `shownCall` is the call whose messages are wanted even if nothing fails.
  public func run(showing shownCall: Int? = nil) -> SimulationReport {
    var chance = chance
    let world = Simulation(
      configuration: configuration, network: LossyNetwork(profile: network, random: chance.split()),
      names: SimulatedDNS(profile: naming.profile, random: naming.chance))
    var agents: [SimulatedUserAgent] = []
    var hops: [any SimulatedEndpoint] = []
    if configuration.nextHop != nil { hops.append(RelayHop(address: Self.relay, world: world)) }
    if let zone = naming.nextHop {
      world.name(Naming.edge, Self.relay, dead: Naming.deadEdge, zone, in: naming.edgeURI)
    }
    for mishap in mishaps { prepare(mishap, in: world) }
    for (number, call) in calls.enumerated() {
      place(call, number, in: world, &chance, &agents, &hops)
    }
    world.begin()
    world.run()
    return withExtendedLifetime((agents, hops)) {
      SimulationReport(
        seed: seed, calls: calls.count, tally: world.tally, counters: world.counters,
        violation: world.violation?.text,
        ladder: (world.violation?.callID ?? shownCall.map { Self.callID($0) }).map {
          world.ladder.drawing(ofCall: $0)
        })
    }
  }

  private func prepare(_ mishap: Mishap, in world: Simulation) {
    world.after(mishap.at) { [unowned world] in
      switch mishap.kind {
      case .jump: world.jump(by: mishap.lasts)
      case .standstill(let timersFirst): world.stopProxy(for: mishap.lasts, timersFirst: timersFirst)
      case .outage: world.unplug(Self.relay, for: mishap.lasts)
      }
    }
  }

  private static func callID(_ number: Int) -> String { "call\(number)@simulation.example.com" }

  private func place(
    _ call: Call, _ number: Int, in world: Simulation, _ chance: inout SeededGenerator,
    _ agents: inout [SimulatedUserAgent], _ hops: inout [any SimulatedEndpoint]
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
      if leg > 0, let answer = plan.forkAnswer {
        plan.answer = answer
        plan.ringsFor = plan.forkRingsFor
      }
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
    let callID = Self.callID(number)
    let isTCP = call.callees.first?.usesTCP == true
    let (uri, host) = naming.callee(number, at: target, isTCP: isTCP)
    if let (name, zone) = host { world.name(name, target, dead: address(200), zone, isTCP: isTCP, in: uri) }
    if call.caller.hidesBehindNAT { world.expect(caller.contactURI, at: caller.address) }
    world.after(call.plan.startsAfter) { caller.call(uri, callID: callID) }
    if let method = call.plan.greeting {
      world.after(call.plan.startsAfter + .milliseconds(1)) {
        caller.greet(uri, by: method, callID: callID)
      }
    }
    if let disaster = call.plan.disaster {
      let victim = disaster.strikesCaller ? caller : agents[agents.count - 1]
      world.after(call.plan.startsAfter + disaster.after) { [unowned world] in
        switch disaster.kind {
        case .dies: victim.die()
        case .restarts: victim.restart()
        case .unplugged(let span): world.unplug(victim.address, for: span)
        }
      }
    }
  }
}
