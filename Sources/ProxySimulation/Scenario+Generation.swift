import ProxyCore
import SIPSyntax
import SessionTimers
import Timekeeping

/// How chance makes a scenario. The shares are per thousand.
extension Scenario {
  static func configuration(_ random: inout SeededGenerator) throws -> ProxyConfiguration {
    let minSE = random.pick([90, 90, 120, 600])
    let intervals: [UInt32?] = [nil, 600, 1800, 1800, 7200]
    var configuration = try ProxyDriver.configuration(
      sessionExpires: random.pick(intervals), minSE: UInt32(minSE), honorsRefresherUAS: random.chance(300))
    if random.chance(300) { configuration.maxSession = .seconds(1000) }
    if random.chance(300) { configuration.untimedLifetime = .seconds(Int64(random.number(600...7200))) }
    return configuration
  }

  static func network(_ random: inout SeededGenerator) -> NetworkProfile {
    NetworkProfile(
      loss: random.pick([0, 0, 10, 50, 100, 200]), duplication: random.pick([0, 20, 100]),
      straying: random.pick([0, 30, 150]), delay: 1...random.pick([2, 50, 300]), strayDelay: 300...4500)
  }

  static func call(_ number: Int, _ random: inout SeededGenerator) -> Call {
    let interval = random.pick([90, 120, 300, 900, 1800, 3600, 7200])
    let isFork = random.chance(80)
    let callee = profile(&random, near: interval)
    var caller = profile(&random, near: interval)
    // Only callers: without a registrar nobody could reach such a callee.
    caller.hidesBehindNAT = random.chance(200)
    return Call(
      plan: plan(number, &random, interval: interval, isFork: isFork), caller: caller,
      callees: isFork ? [callee, profile(&random, near: interval)] : [callee])
  }

  private static func profile(_ random: inout SeededGenerator, near interval: Int) -> UserAgentProfile {
    UserAgentProfile(
      supportsTimer: random.chance(700),
      interval: random.chance(600) ? random.pick([interval, interval, 90, 60]) : nil,
      refresherWish: random.pick([nil, "uac", "uas"]),
      minSE: random.pick([90, 90, 90, 120, 1000]),
      refreshesByUpdate: random.chance(500),
      hidesBehindNAT: false,
      preloadsRoute: random.chance(500),
      usesCompactForms: random.chance(250))
  }

  private static func plan(
    _ number: Int, _ random: inout SeededGenerator, interval: Int, isFork: Bool
  ) -> CallPlan {
    // Half of an interval to four of them: refreshes happen, but a run stays short.
    let length = TimeSpan.milliseconds(Int64(interval) * Int64(random.number(50...4000)))
    let hasDisaster = random.chance(120)
    let rings = random.chance(100) ? 0...0 : random.chance(30) ? 170_000...250_000 : 0...40_000
    return CallPlan(
      startsAfter: .seconds(Int64(number * random.number(0...40))),
      answer: random.chance(820)
        ? .accept
        : random.pick([.refuse(486), .refuse(404), .refuse(302), .refuse(503), .ringForEver, .silence]),
      ringsFor: random.span(milliseconds: rings),
      cancelsAfter: random.chance(100) ? random.span(milliseconds: 0...45_000) : nil,
      ending: random.pick([.caller, .caller, .callee, .callee, .both, .nobody]),
      lasts: random.chance(100) ? random.span(milliseconds: 0...3000) : length,
      disaster: hasDisaster
        ? (random.chance(500), random.pick([.dies, .unplugged]), random.span(milliseconds: 0...600_000))
        : nil,
      forkAnswer: isFork ? random.pick([.accept, .accept, .refuse(480), .ringForEver, .silence]) : nil,
      keepsBothLegs: random.chance(500),
      glareAfter: random.chance(150) ? random.span(milliseconds: 500...90_000) : nil,
      updatesEarly: random.chance(60))
  }
}
