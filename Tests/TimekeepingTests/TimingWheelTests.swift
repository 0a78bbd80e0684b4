import Testing
import Timekeeping

/// Entries in two arrays; index = position.
struct ArrayEntries: TimedEntries {
  var links: [WheelLinks]
  var deadlines: [MonotonicInstant]

  init(_ deadlines: [MonotonicInstant]) {
    self.deadlines = deadlines
    links = Array(repeating: .unlinked, count: deadlines.count)
  }

  func wheelLinks(of index: UInt32) -> WheelLinks { links[Int(index)] }
  mutating func setWheelLinks(_ links: WheelLinks, of index: UInt32) { self.links[Int(index)] = links }
  func deadline(of index: UInt32) -> MonotonicInstant { deadlines[Int(index)] }
}

extension MonotonicInstant {
  /// An instant in seconds since the origin.
  static func second(_ count: Double) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: UInt64(count * 1_000_000_000))
  }
}

/// A wheel of 64 slots of one second that starts at the origin.
func secondsWheel() -> TimingWheel { TimingWheel(slotCount: 64, tick: .seconds(1), start: .origin) }

extension TimingWheel {
  /// Everything due at `now`, in the order in which it comes.
  mutating func popAll(at now: MonotonicInstant, in entries: inout ArrayEntries) -> [UInt32] {
    var budget = Int.max
    var popped: [UInt32] = []
    while let index = popDue(at: now, in: &entries, budget: &budget) { popped.append(index) }
    return popped
  }
}

@Suite("A88, A89: an entry comes within one tick after its deadline, never before")
struct TimingWheelTests {
  @Test(
    "an entry comes when the tick ends in which its deadline lies",
    arguments: [0.25, 1, 1.5, 7, 63, 64, 65, 500.75])
  func comesInTime(deadline: Double) {
    var entries = ArrayEntries([.second(deadline)])
    var wheel = secondsWheel()
    wheel.insert(0, in: &entries)
    let due = deadline.rounded(.up)
    #expect(wheel.popAll(at: .second(deadline - 0.001), in: &entries) == [])
    #expect(wheel.popAll(at: .second(due), in: &entries) == [0])
    #expect(wheel.count == 0)
    #expect(wheel.nextWakeUp == nil)
    #expect(!entries.links[0].isLinked)
  }

  @Test("an entry inserted with a deadline in the past comes at the next tick")
  func insertedLate() {
    var entries = ArrayEntries([.second(3)])
    var wheel = secondsWheel()
    #expect(wheel.popAll(at: .second(10.5), in: &entries) == [])
    wheel.insert(0, in: &entries)
    #expect(wheel.nextWakeUp == .second(11))
    #expect(wheel.popAll(at: .second(11), in: &entries) == [0])
  }

  @Test("a removed entry does not come, and removing it again does nothing")
  func removal() {
    var entries = ArrayEntries([.second(3), .second(3), .second(3)])
    var wheel = secondsWheel()
    for index: UInt32 in 0..<3 { wheel.insert(index, in: &entries) }
    wheel.remove(1, in: &entries)
    wheel.remove(1, in: &entries)
    #expect(wheel.count == 2)
    #expect(wheel.popAll(at: .second(3), in: &entries).sorted() == [0, 2])
  }

  @Test("an entry without a deadline is not linked")
  func distantFuture() {
    var entries = ArrayEntries([.distantFuture, .second(2)])
    var wheel = secondsWheel()
    wheel.insert(0, in: &entries)
    wheel.insert(1, in: &entries)
    #expect(wheel.count == 1)
    entries.deadlines[1] = .distantFuture
    wheel.deadlineMoved(1, from: .second(2), in: &entries)
    #expect(wheel.count == 0)
    #expect(wheel.nextWakeUp == nil)
  }

  @Test("a deadline moved later is found out when the old slot comes up, at the price of one look")
  func movedLater() {
    var entries = ArrayEntries([.second(3)])
    var wheel = secondsWheel()
    wheel.insert(0, in: &entries)
    entries.deadlines[0] = .second(90)
    wheel.deadlineMoved(0, from: .second(3), in: &entries)
    #expect(wheel.nextWakeUp == .second(3))
    var budget = 5
    #expect(wheel.popDue(at: .second(3), in: &entries, budget: &budget) == nil)
    #expect(budget == 4)
    #expect(wheel.popAll(at: .second(89.9), in: &entries) == [])
    #expect(wheel.popAll(at: .second(90), in: &entries) == [0])
  }

  @Test("A77: a deadline moved earlier counts at once")
  func movedEarlier() {
    var entries = ArrayEntries([.second(50)])
    var wheel = secondsWheel()
    wheel.insert(0, in: &entries)
    entries.deadlines[0] = .second(5)
    wheel.deadlineMoved(0, from: .second(50), in: &entries)
    #expect(wheel.nextWakeUp == .second(5))
    #expect(wheel.popAll(at: .second(5), in: &entries) == [0])
  }

  @Test("moved later and then earlier, the earlier one counts")
  func movedBothWays() {
    var entries = ArrayEntries([.second(5)])
    var wheel = secondsWheel()
    wheel.insert(0, in: &entries)
    entries.deadlines[0] = .second(50)
    wheel.deadlineMoved(0, from: .second(5), in: &entries)
    entries.deadlines[0] = .second(20)
    wheel.deadlineMoved(0, from: .second(50), in: &entries)
    #expect(wheel.popAll(at: .second(19.9), in: &entries) == [])
    #expect(wheel.popAll(at: .second(20), in: &entries) == [0])
  }

  @Test("a deadline of an unlinked entry links it")
  func movedWhileUnlinked() {
    var entries = ArrayEntries([.distantFuture])
    var wheel = secondsWheel()
    wheel.insert(0, in: &entries)
    entries.deadlines[0] = .second(4)
    wheel.deadlineMoved(0, from: .distantFuture, in: &entries)
    #expect(wheel.popAll(at: .second(4), in: &entries) == [0])
  }

  @Test("entries linked loosely come together, none of them early, at the next multiple of 32 ticks")
  func loosely() {
    var entries = ArrayEntries([.second(3), .second(31.5), .second(33), .distantFuture])
    var wheel = TimingWheel(slotCount: 128, tick: .seconds(1), start: .origin)
    wheel.insert(0, in: &entries)
    for index: UInt32 in 0..<4 { wheel.linkLoosely(index, in: &entries) }
    #expect(wheel.count == 3)
    #expect(wheel.nextWakeUp == .second(32))
    #expect(wheel.popAll(at: .second(31.9), in: &entries) == [])
    #expect(wheel.popAll(at: .second(32), in: &entries).sorted() == [0, 1])
    #expect(wheel.popAll(at: .second(63.9), in: &entries) == [])
    #expect(wheel.popAll(at: .second(64), in: &entries) == [2])
  }

  @Test("an entry linked loosely whose deadline is turns away, or beyond reach, never comes early")
  func looselyBeyondOneTurn() {
    var entries = ArrayEntries([.second(500), MonotonicInstant(nanoseconds: .max - 1)])
    var wheel = secondsWheel()
    wheel.linkLoosely(0, in: &entries)
    wheel.linkLoosely(1, in: &entries)
    #expect(wheel.popAll(at: .second(499.9), in: &entries) == [])
    #expect(wheel.popAll(at: .second(512), in: &entries) == [0])
    #expect(wheel.count == 1)
  }

  @Test("a spent budget leaves a backlog that the next calls work off")
  func budget() {
    var entries = ArrayEntries(Array(repeating: .second(2), count: 100))
    var wheel = secondsWheel()
    for index: UInt32 in 0..<100 { wheel.insert(index, in: &entries) }
    var seen: Set<UInt32> = []
    for round in 1...10 {
      var budget = 10
      while let index = wheel.popDue(at: .second(2), in: &entries, budget: &budget) { seen.insert(index) }
      #expect(wheel.hasBacklog == (round < 10))
      #expect(wheel.nextWakeUp == (round < 10 ? .second(2) : nil))
    }
    #expect(seen.count == 100)
  }

  @Test("an entry of the slot being worked off can be removed and one can be armed for it")
  func changesDuringBacklog() {
    var entries = ArrayEntries(Array(repeating: .second(2), count: 5))
    var wheel = secondsWheel()
    for index: UInt32 in 0..<4 { wheel.insert(index, in: &entries) }
    var budget = 1
    let first = wheel.popDue(at: .second(2), in: &entries, budget: &budget)
    #expect(first == 3)
    wheel.remove(2, in: &entries)
    wheel.remove(1, in: &entries)
    wheel.insert(4, in: &entries)
    #expect(wheel.popAll(at: .second(2), in: &entries) == [0])
    #expect(wheel.popAll(at: .second(3), in: &entries) == [4])
    #expect(wheel.count == 0)
  }

  @Test("A90: an instant earlier than one already seen, or than the start, is harmless")
  func timeStandsStill() {
    var entries = ArrayEntries([.second(105)])
    var wheel = TimingWheel(slotCount: 64, tick: .seconds(1), start: .second(100))
    wheel.insert(0, in: &entries)
    #expect(wheel.popAll(at: .second(99), in: &entries) == [])
    #expect(wheel.popAll(at: .second(104), in: &entries) == [])
    #expect(wheel.popAll(at: .second(101), in: &entries) == [])
    #expect(wheel.popAll(at: .second(105), in: &entries) == [0])
  }

  @Test("after a jump of many turns everything due comes at once")
  func longJump() {
    var entries = ArrayEntries((0..<200).map { .second(Double($0 * 7)) })
    var wheel = secondsWheel()
    for index in 0..<200 { wheel.insert(UInt32(index), in: &entries) }
    #expect(wheel.popAll(at: .second(1000), in: &entries).sorted() == (0...142).map(UInt32.init))
    #expect(wheel.popAll(at: .second(5000), in: &entries).sorted() == (143..<200).map(UInt32.init))
  }
}
