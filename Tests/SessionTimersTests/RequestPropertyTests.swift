import SIPSyntax
import SessionTimers
import Testing

@Suite("RFC 4028 §8.1: what holds for every request")
struct RequestPropertyTests {
  /// A hundred thousand inputs, most of them at the edges of the conditions.
  static func forEachInput(seed: UInt64, count: Int = 100_000, _ body: (RequestInput) throws -> Void) rethrows
  {
    var generator = SeededGenerator(state: seed)
    for _ in 0..<count { try body(input(&generator)) }
  }

  private static func input(_ generator: inout SeededGenerator) -> RequestInput {
    let least: UInt32 = Bool.random(using: &generator) ? 90 : .random(in: 90...4_000, using: &generator)
    let wanted: UInt32? =
      Int.random(in: 0..<4, using: &generator) == 0
      ? nil
      : (Bool.random(using: &generator) ? max(1800, least) : .random(in: least...9_000, using: &generator))
    let anchors: [UInt32] = [0, 1, 89, 90, 91, least, wanted ?? 1800, 1800, 3600, .max]
    func number(_ near: [UInt32]) -> UInt32 {
      let anchor = near.randomElement(using: &generator) ?? 90
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: return anchor &- 1
      case 1: return anchor &+ 1
      case 2: return .random(in: 0...10_000, using: &generator)
      default: return anchor
      }
    }
    func field(_ near: [UInt32]) -> Field {
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: return .none
      case 1: return Bool.random(using: &generator) ? .opaque : .none
      default: return .value(number(near))
      }
    }
    let minSE = field(anchors)
    var near = anchors
    if case .value(let seconds) = minSE { near += [seconds, seconds, seconds] }
    return RequestInput(
      timer: .random(using: &generator), interval: field(near), minSE: minSE, wanted: wanted, least: least,
      refresher: [nil, .uac, .uas].randomElement(using: &generator) ?? nil)
  }

  @Test("The decision equals a naive reading of the table (A22-A38)", arguments: [4028, 1, 2] as [UInt64])
  func agreesWithNaiveTable(seed: UInt64) throws {
    var seen: [String: Int] = [:]
    var failures = 0
    try Self.forEachInput(seed: seed) { input in
      let columns = Columns(input)
      let matching = naiveTable.filter { $0.matches(columns) }
      let observed = try input.decide().observed(on: input)
      seen[observed.clause, default: 0] += 1
      if matching.count == 1, matching[0].observed(columns) == observed { return }
      failures += 1
      if failures <= 5 {
        Issue.record("seed \(seed): \(input): \(observed), table: \(matching.map { $0.observed(columns) })")
      }
    }
    #expect(failures == 0)
    #expect(Set(seen.keys) == Set(naiveTable.map(\.name)))
    #expect(seen.values.allSatisfy { $0 > 100 }, "\(seen)")
  }

  @Test("No prohibition of RFC 4028 §8.1 is ever broken (A40-A44, G14)", arguments: [71, 72] as [UInt64])
  func prohibitions(seed: UInt64) throws {
    var broken: [String] = []
    try Self.forEachInput(seed: seed) { input in
      let decision = try input.decide()
      func forbid(_ rule: String, _ isBroken: Bool) {
        if isBroken, broken.count < 5 { broken.append("seed \(seed): \(rule): \(input): \(decision)") }
      }
      guard case .forward(let change) = decision else {
        forbid("A98: 422 only with timer support", !input.timer)
        forbid(
          "A55: Min-SE of a 422 is at least 90",
          decision != .reject(minSE: DeltaSeconds(input.least), clause: .a26))
        return
      }
      let sent = input.interval.applying(change.sessionExpires)
      let m = input.request.effectiveMinSE.seconds
      forbid(
        "A40: refresher",
        change.memory.refresherInRequest != (input.intervalIsReadable ? input.refresher : nil))
      forbid("A41: Min-SE touched with timer support", input.timer && change.minSE != .keep)
      if case .value(let before) = input.minSE, case .value(let after) = input.minSE.applying(change.minSE) {
        forbid("A42: Min-SE decreased", after < before)
      }
      if case .value(let after) = sent {
        forbid("A43: Session-Expires below Min-SE", after < m)
        if case .value(let before) = input.interval {
          let minSEAfter = input.minSE.applying(change.minSE)
          var lower = m
          if case .value(let raised) = minSEAfter { lower = max(lower, raised) }
          forbid("A44: Session-Expires increased", before >= lower && after > before)
          forbid("§8.1: Session-Expires raised to more than Min-SE", after > before && after != lower)
        }
        forbid("A69: memory differs from what is sent", change.memory.interval.seconds != after)
        forbid("A3: forwarded with an interval but not asked", !change.memory.asked)
      } else {
        forbid("A3: asked without an interval", change.memory.asked)
      }
      forbid(
        "A17: opaque Session-Expires touched", input.interval == .opaque && change.sessionExpires != .keep)
      forbid("A3: timer support forgotten", change.memory.supportsTimer != input.timer)
      if change.sessionExpires == .keep { return }
      forbid("A12: inserted beside a field", change.sessionExpires.isInsertion != (input.interval == .none))
    }
    #expect(broken.isEmpty)
  }
}

extension RequestInput {
  var intervalIsReadable: Bool { if case .value = interval { true } else { false } }
}

extension ValueChange {
  var isInsertion: Bool { if case .insert = self { true } else { false } }
}
