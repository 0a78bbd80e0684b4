import ProxyCore
import SIPSyntax
import SessionTimers
import Timekeeping

/// How chance makes a scenario. The shares are per thousand.
extension Scenario {
  static func configuration(_ random: inout SeededGenerator) throws -> ProxyConfiguration {
    let hasTCP = random.chance(400)
    let minSE = random.pick([90, 90, 120, 600])
    let intervals: [UInt32?] = [nil, 600, 1800, 1800, 7200]
    var configuration = try ProxyDriver.configuration(
      sessionExpires: random.pick(intervals), minSE: UInt32(minSE), honorsRefresherUAS: random.chance(300))
    if random.chance(300) { configuration.maxSession = .seconds(1000) }
    if random.chance(300) { configuration.untimedLifetime = .seconds(Int64(random.number(600...7200))) }
    if hasTCP {
      configuration.listeners.append(Listener(transport: .tcp, bound: Simulation.proxyAddress))
    }
    if random.chance(300) {
      let address = Scenario.relay
      configuration.nextHop = NextHop(uri: Array("sip:\(address);lr".utf8), addresses: [address])
    }
    return configuration
  }

  /// Mishaps of a run whose calls start within a span; they may also strike after the last start.
  static func mishaps(_ random: inout SeededGenerator, within span: TimeSpan) -> [Mishap] {
    let latest = Int(span.wholeSeconds) * 1000 + 300_000
    var mishaps: [Mishap] = []
    if random.chance(150) {
      let isStandstill = random.chance(500)
      mishaps.append(
        Mishap(
          at: random.span(milliseconds: 0...latest), lasts: .seconds(Int64(random.number(600...40_000))),
          kind: isStandstill ? .standstill(timersFirst: random.chance(500)) : .jump))
    }
    if random.chance(200) {
      mishaps.append(
        Mishap(
          at: random.span(milliseconds: 0...latest), lasts: random.span(milliseconds: 1000...60_000),
          kind: .outage))
    }
    return mishaps
  }

  static func network(_ random: inout SeededGenerator) -> NetworkProfile {
    NetworkProfile(
      loss: random.pick([0, 0, 10, 50, 100, 200]), duplication: random.pick([0, 0, 20, 100, 1000]),
      straying: random.pick([0, 30, 150]), delay: 1...random.pick([2, 50, 300]), strayDelay: 300...2200,
      refusals: random.pick([0, 0, 0, 0, 20, 100]), refusesToTheDead: random.chance(300),
      breakage: random.pick([0, 5, 50]))
  }

  static func call(
    _ number: Int, _ configuration: ProxyConfiguration, _ random: inout SeededGenerator
  ) -> Call {
    let interval = random.pick([90, 120, 300, 900, 1800, 3600, 7200])
    let isFork = random.chance(80)
    var callee = profile(&random, near: interval)
    var caller = profile(&random, near: interval)
    // Only callers: without a registrar nobody could reach such a callee.
    caller.hidesBehindNAT = random.chance(200)
    let hasTCP = configuration.listeners.contains { $0.transport == .tcp }
    caller.usesTCP = hasTCP && random.chance(500)
    // The other hops speak UDP only.
    callee.usesTCP = hasTCP && !isFork && configuration.nextHop == nil && random.chance(500)
    return Call(
      plan: plan(number, &random, interval: interval, isFork: isFork), caller: caller,
      callees: isFork ? [callee, profile(&random, near: interval)] : [callee])
  }

  private static func profile(_ random: inout SeededGenerator, near interval: Int) -> UserAgentProfile {
    UserAgentProfile(
      supportsTimer: random.chance(700),
      supportsReliability: random.chance(300),
      interval: random.chance(600) ? random.pick([interval, interval, 90, 60]) : nil,
      refresherWish: random.pick([nil, "uac", "uas"]),
      minSE: random.pick([90, 90, 90, 120, 1000]),
      isStubborn: random.chance(100),
      refreshesByUpdate: random.chance(500),
      answersSlowly: random.chance(150),
      usesTCP: false,
      hidesBehindNAT: false,
      preloadsRoute: random.chance(500),
      usesCompactForms: random.chance(250))
  }

  private static func plan(
    _ number: Int, _ random: inout SeededGenerator, interval: Int, isFork: Bool
  ) -> CallPlan {
    // A twentieth of an interval to four of them: refreshes happen, but a run stays short.
    let length = TimeSpan.milliseconds(Int64(interval) * Int64(random.number(50...4000)))
    let rings = random.chance(100) ? 0...0 : random.chance(30) ? 170_000...250_000 : 0...40_000
    let ringsFor = random.span(milliseconds: rings)
    return CallPlan(
      startsAfter: .milliseconds(Int64(number * random.number(0...40_000))),
      greeting: random.chance(150) ? random.pick(["OPTIONS", "MESSAGE", "SUBSCRIBE", "FROBNICATE"]) : nil,
      challenge: random.chance(100) ? random.pick([401, 407]) : nil,
      answer: random.chance(800) ? .accept : refusal(&random),
      ringsFor: ringsFor,
      cancelsAfter: cancellation(&random, ringsFor),
      ignoresCancel: random.chance(150),
      forgetsAcks: random.chance(40),
      ending: random.pick([.caller, .caller, .callee, .callee, .both, .nobody]),
      lasts: random.chance(100) ? random.span(milliseconds: 0...3000) : length,
      moves: moves(&random),
      disaster: random.chance(150) ? disaster(&random) : nil,
      forkAnswer: isFork ? random.pick([.accept, .accept, refusal(&random), .ringForEver, .silence]) : nil,
      forkRingsFor: random.chance(500) ? ringsFor + random.span(milliseconds: 0...45_000) : ringsFor,
      keepsBothLegs: random.chance(500),
      updatesEarly: random.chance(80),
      calleeUpdatesEarly: random.chance(80))
  }

  private static func refusal(_ random: inout SeededGenerator) -> CallPlan.Answer {
    random.pick(
      [300, 302, 400, 403, 404, 408, 420, 480, 481, 482, 486, 487, 491, 500, 503, 503, 504, 600, 603]
        .map { CallPlan.Answer.refuse($0) } + [.ringForEver, .ringForEver, .silence, .silence])
  }

  /// When the caller gives up: any time, or just when the callee answers (RFC 5407 §2).
  private static func cancellation(_ random: inout SeededGenerator, _ ringsFor: TimeSpan) -> TimeSpan? {
    guard random.chance(150) else { return nil }
    if random.chance(500) { return random.span(milliseconds: 0...45_000) }
    return .milliseconds(1500) + ringsFor + random.span(milliseconds: 0...300)
  }

  /// Things said in a call; half of them cross something of the other side (RFC 5407 §3).
  private static func moves(_ random: inout SeededGenerator) -> [CallPlan.Move] {
    var moves: [CallPlan.Move] = []
    while random.chance(350) {
      let isCallers = random.chance(500)
      let after = random.span(milliseconds: random.chance(300) ? 0...1500 : 1500...120_000)
      moves.append(CallPlan.Move(after: after, isCallers: isCallers, kind: move(&random)))
      if random.chance(500) {
        let other = after + random.span(milliseconds: 0...20)
        moves.append(CallPlan.Move(after: other, isCallers: !isCallers, kind: move(&random)))
      }
    }
    return moves
  }

  private static func move(_ random: inout SeededGenerator) -> CallPlan.Move.Kind {
    let methods = ["INFO", "INFO", "OPTIONS", "MESSAGE", "NOTIFY", "FROBNICATE"]
    return random.chance(600) ? .refresh : random.chance(150) ? .hangUp : .request(random.pick(methods))
  }

  private static func disaster(
    _ random: inout SeededGenerator
  ) -> (strikesCaller: Bool, kind: CallPlan.Disaster, after: TimeSpan) {
    let kinds: [CallPlan.Disaster] = [
      .dies, .restarts, .unplugged(random.span(milliseconds: 500...60_000)), .unplugged(.seconds(86_400)),
    ]
    return (random.chance(500), random.pick(kinds), random.span(milliseconds: 0...600_000))
  }
}
