import ProxyCore
import SIPSyntax

/// Who is known by name, and how well the DNS works.
///
/// It is drawn apart from everything else, so that a seed means the same calls with names and without them.
struct Naming: Sendable {
  /// The name of the next hop, in scenarios that have one.
  static let edge = "edge.example.com"
  /// Where another one should be.
  static let deadEdge = Simulation.address("192.0.2.21:5060")

  let profile: NamingProfile
  /// How the next hop is found; nil when its URI has its address.
  let nextHop: SimulatedZone?
  /// How each call's callee, or the hop before its callees, is found; nil when URIs have its address.
  let callees: [SimulatedZone?]
  let chance: SeededGenerator

  init(seed: UInt64, calls count: Int) {
    var random = SeededGenerator(seed: seed ^ 0x6E61_6D65_7321)
    profile = NamingProfile(
      failures: random.pick([0, 0, 0, 50, 300]), silences: random.pick([0, 0, 0, 20, 200]),
      straying: random.pick([0, 0, 50, 300]), delay: 0...random.pick([1, 80, 1400]),
      timesToLive: random.pick([[0], [0, 1, 60], [60], [1, 30, 3600, 86_400]]))
    nextHop = random.chance(500) ? Self.zone(&random) : nil
    let share = random.pick([0, 300, 1000])
    callees = (0..<count).map { _ in
      let isNamed = random.chance(share)
      let zone = Self.zone(&random)
      return isNamed ? zone : nil
    }
    chance = random.split()
  }

  private static func zone(_ random: inout SeededGenerator) -> SimulatedZone {
    let hasSRV = random.chance(600)
    let hasNAPTR = random.chance(500)
    return SimulatedZone(
      hasNAPTR: hasSRV && hasNAPTR, hasSRV: hasSRV, isAskedByPort: random.chance(200),
      hasDeadServer: random.chance(300))
  }

  /// The configuration with the next hop's name in place of its address.
  func named(_ configuration: ProxyConfiguration) -> ProxyConfiguration {
    guard configuration.nextHop != nil, nextHop != nil else { return configuration }
    var configuration = configuration
    configuration.nextHop = NextHop(uri: Array(edgeURI.utf8), addresses: [])
    return configuration
  }

  /// The next hop's URI.
  var edgeURI: String { "sip:\(Self.edge)\(nextHop?.isAskedByPort == true ? ":5060" : "");lr" }

  /// The callee's URI in the call of a number whose target is at an address, and its host's name if it has one.
  func callee(
    _ number: Int, at address: SocketAddress, isTCP: Bool
  ) -> (uri: String, host: (name: String, zone: SimulatedZone)?) {
    let transport = isTCP ? ";transport=tcp" : ""
    guard let zone = callees[number] else { return ("sip:callee@\(address)\(transport)", nil) }
    let name = "b\(number).example.com"
    return ("sip:callee@\(name)\(zone.isAskedByPort ? ":5060" : "")\(transport)", (name, zone))
  }
}
