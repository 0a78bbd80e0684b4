import Testing
import Timekeeping

/// SplitMix64: the same seed gives the same test.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}

/// Drives a wheel and a plain dictionary side by side.
struct WheelModel: ~Copyable {
  static let tick: UInt64 = 100
  static let population = 300
  var random: SeededGenerator
  var wheel = TimingWheel(
    slotCount: 64, tick: TimeSpan(nanoseconds: Int64(tick)), start: MonotonicInstant(nanoseconds: 12_345))
  var entries = ArrayEntries(Array(repeating: .distantFuture, count: population))
  /// Linked entries, and when each was last linked or moved earlier.
  var linked: [UInt32: MonotonicInstant] = [:]
  /// Those of them that may come late.
  var loose: Set<UInt32> = []
  var now = MonotonicInstant(nanoseconds: 12_345)

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  /// Mostly within the wheel, sometimes many turns away, sometimes already past.
  mutating func someDeadline() -> MonotonicInstant {
    switch Int.random(in: 0..<10, using: &random) {
    case 0: return now + TimeSpan(nanoseconds: -Int64.random(in: 0...500, using: &random))
    case 1: return now + TimeSpan(nanoseconds: Int64.random(in: 0...40_000, using: &random))
    default: return now + TimeSpan(nanoseconds: Int64.random(in: 0...5000, using: &random))
    }
  }

  mutating func change() {
    let index = UInt32.random(in: 0..<UInt32(Self.population), using: &random)
    if linked[index] == nil {
      entries.deadlines[Int(index)] = someDeadline()
      wheel.insert(index, in: &entries)
      linked[index] = now
      loose.remove(index)
    } else if Int.random(in: 0..<3, using: &random) == 0 {
      entries.deadlines[Int(index)] = someDeadline()
      wheel.linkLoosely(index, in: &entries)
      linked[index] = now
      loose.insert(index)
    } else if Bool.random(using: &random) {
      let old = entries.deadlines[Int(index)]
      entries.deadlines[Int(index)] = someDeadline()
      wheel.deadlineMoved(index, from: old, in: &entries)
      linked[index] = now
    } else {
      wheel.remove(index, in: &entries)
      linked[index] = nil
    }
  }

  /// Moves time and takes what is due, with budgets of all sizes.
  mutating func advance() {
    let step =
      Int.random(in: 0..<20, using: &random) == 0 ? 30_000 : Int64.random(in: 0...400, using: &random)
    if Bool.random(using: &random), let wakeUp = wheel.nextWakeUp {
      #expect(linked.keys.allSatisfy { wakeUp <= latest(of: $0) }, "a wake-up must not be late")
      now = max(now, wakeUp)
    } else {
      now = now + TimeSpan(nanoseconds: step)
    }
    repeat {
      var budget = Int.random(in: 1...40, using: &random)
      let given = budget
      var popped = 0
      while let index = wheel.popDue(at: now, in: &entries, budget: &budget) {
        popped += 1
        #expect(linked.removeValue(forKey: index) != nil, "only linked entries come")
        #expect(entries.deadlines[Int(index)] <= now, "nothing comes early")
      }
      #expect(given - budget >= popped)
    } while wheel.hasBacklog
    for index in linked.keys {
      #expect(latest(of: index) > now, "nothing comes later than a tick after its deadline")
    }
    #expect(wheel.count == linked.count)
  }

  /// The instant by which an entry must have come: the end of the tick of its deadline or its arming, 32 ticks for
  /// one that was linked loosely.
  func latest(of index: UInt32) -> MonotonicInstant {
    let due = max(entries.deadlines[Int(index)], linked[index] ?? .origin)
    return due + TimeSpan(nanoseconds: Int64(Self.tick)) * (loose.contains(index) ? 32 : 1)
  }
}

@Suite("TimingWheel against a dictionary")
struct TimingWheelModelTests {
  @Test("insertions, removals, moves and jumps agree with the model", arguments: [1, 2, 3, 4, 5] as [UInt64])
  func agreesWithModel(seed: UInt64) {
    var model = WheelModel(seed: seed)
    for _ in 0..<1500 {
      for _ in 0..<Int.random(in: 0...8, using: &model.random) { model.change() }
      model.advance()
    }
    for _ in 0..<WheelModel.population * 4 { model.advance() }
    model.now = model.now + .seconds(1)
    model.advance()
    #expect(model.linked.isEmpty)
    #expect(model.wheel.nextWakeUp == nil)
  }
}
