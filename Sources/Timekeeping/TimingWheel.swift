import Synchronization

/// A flat, hashed timing wheel whose entries live in the caller's storage.
///
/// One slot is one tick. Slot k comes up at `start + k * tick` and holds deadlines of the tick that
/// ends there, so nothing fires early and nothing fires later than one tick after its deadline
/// (A88, A89). Deadlines beyond one turn stand in their slot and are looked at once a turn: there
/// are no levels, hence no cascade that could stall the loop.
///
/// Moving a deadline later costs nothing: the entry is moved when its old slot comes up. Moving it
/// earlier relinks at once (A77). An entry whose deadline is `.distantFuture` is not linked at all.
public struct TimingWheel: ~Copyable {
  /// First entry of each slot; one more list at the end holds the slot being worked off.
  @usableFromInline var heads: [UInt32]
  /// Which slots hold an entry.
  @usableFromInline var occupancy: SlotSet
  @usableFromInline let mask: UInt64
  @usableFromInline let tick: UInt64
  @usableFromInline let start: UInt64
  /// The first tick whose slot was not taken yet.
  @usableFromInline var nextTick: UInt64 = 0
  /// The tick whose slot is being worked off.
  @usableFromInline var drainingTick: UInt64 = 0
  /// The latest tick that a caller has told us was reached.
  @usableFromInline var latestTick: UInt64 = 0
  @usableFromInline var linked = 0
  /// Swift passes a struct that holds an atomic by address, and would copy this one, which is large, at every borrow.
  private let inPlace = Atomic<Bool>(false)

  /// Ticks between the slots of entries that nobody waits for; a power of two, and few beside the slots of a wheel.
  @usableFromInline static var looseTicks: UInt64 { @inlinable get { 32 } }
  @usableFromInline static var end: UInt32 { @inlinable get { .max } }
  @usableFromInline static var headMark: UInt32 { @inlinable get { 0x8000_0000 } }

  /// A wheel of `slotCount` slots (a power of two, 64 or more) of one `tick` each.
  ///
  /// Memory: four bytes and one bit a slot, taken here once.
  public init(slotCount: Int, tick: TimeSpan, start: MonotonicInstant) {
    precondition(slotCount >= 64 && slotCount <= 1 << 24 && slotCount & (slotCount - 1) == 0)
    precondition(tick.nanoseconds > 0)
    heads = Array(repeating: Self.end, count: slotCount + 1)
    occupancy = SlotSet(slotCount: slotCount)
    mask = UInt64(slotCount - 1)
    self.tick = UInt64(tick.nanoseconds)
    self.start = start.nanoseconds
  }

  /// Linked entries, including those whose slot has come up but that were not popped yet.
  public var count: Int { linked }

  /// Links an entry by its deadline; a deadline already past comes up at the next tick. O(1).
  @inlinable
  public mutating func insert<E: TimedEntries & ~Copyable>(_ index: UInt32, in entries: inout E) {
    precondition(index < Self.headMark && !entries.wheelLinks(of: index).isLinked)
    let deadline = entries.deadline(of: index)
    guard deadline != .distantFuture else { return }
    linked += 1
    link(index, due: deadline, in: &entries)
  }

  /// Takes an entry out; does nothing when it is not linked. O(1).
  @inlinable
  public mutating func remove<E: TimedEntries & ~Copyable>(_ index: UInt32, in entries: inout E) {
    guard unlink(index, in: &entries) else { return }
    linked -= 1
  }

  /// Tells the wheel that the deadline of an entry was overwritten; call it afterwards. O(1).
  @inlinable
  public mutating func deadlineMoved<E: TimedEntries & ~Copyable>(
    _ index: UInt32, from old: MonotonicInstant, in entries: inout E
  ) {
    let deadline = entries.deadline(of: index)
    let isLinked = entries.wheelLinks(of: index).isLinked
    if isLinked && deadline >= old && deadline != .distantFuture { return }
    if isLinked { remove(index, in: &entries) }
    insert(index, in: &entries)
  }

  /// Links an entry, anew if it was linked, so that it may come up as much as 32 ticks after its deadline. O(1).
  ///
  /// For an end that nobody waits for. Such entries gather in few slots: what is not urgent wakes the loop seldom, and
  /// is done while its code and tables are at hand.
  @inlinable
  public mutating func linkLoosely<E: TimedEntries & ~Copyable>(_ index: UInt32, in entries: inout E) {
    remove(index, in: &entries)
    let deadline = entries.deadline(of: index)
    guard deadline != .distantFuture else { return }
    linked += 1
    let due = max(tick(endingAfter: deadline), nextTick)
    put(index, intoSlotOf: (due &+ (Self.looseTicks - 1)) & ~(Self.looseTicks - 1), in: &entries)
  }

  /// The next entry due at `now`, already unlinked; nil when none is, or when `budget` is spent.
  ///
  /// Each entry looked at costs one of `budget`, also one that is only moved on because its deadline
  /// became later. Entries of one slot come in no particular order.
  @inlinable
  public mutating func popDue<E: TimedEntries & ~Copyable>(
    at now: MonotonicInstant, in entries: inout E, budget: inout Int
  ) -> UInt32? {
    guard now.nanoseconds >= start else { return nil }
    let reached = (now.nanoseconds - start) / tick
    latestTick = max(latestTick, reached)
    let draining = heads.count - 1
    while budget > 0 {
      if heads[draining] == Self.end && !beginNextSlot(upTo: reached, in: &entries) { return nil }
      let index = heads[draining]
      budget -= 1
      _ = unlink(index, in: &entries)
      let deadline = entries.deadline(of: index)
      if deadline <= now {
        linked -= 1
        return index
      }
      if deadline == .distantFuture {
        linked -= 1
      } else {
        link(index, due: deadline, in: &entries)
      }
    }
    return nil
  }

  /// Whether entries whose slot has come up still wait, because a budget was spent.
  public var hasBacklog: Bool {
    if heads[heads.count - 1] != Self.end { return true }
    guard let next = nextOccupiedTick() else { return false }
    return next <= latestTick
  }

  /// The earliest instant at which `popDue` could return something; nil when nothing is linked.
  ///
  /// Never later than the end of the tick of the earliest deadline; may be earlier when deadlines
  /// have moved. A few loads, whatever the number of slots.
  public var nextWakeUp: MonotonicInstant? {
    if heads[heads.count - 1] != Self.end { return instant(ofTick: drainingTick) }
    guard let next = nextOccupiedTick() else { return nil }
    return instant(ofTick: next)
  }
}

// MARK: - Slots

extension TimingWheel {
  /// Puts an unlinked entry at the head of the slot in which its deadline ends.
  @inlinable
  mutating func link<E: TimedEntries & ~Copyable>(
    _ index: UInt32, due deadline: MonotonicInstant, in entries: inout E
  ) {
    put(index, intoSlotOf: max(tick(endingAfter: deadline), nextTick), in: &entries)
  }

  /// The number of the tick at whose end a deadline has passed.
  @inlinable
  func tick(endingAfter deadline: MonotonicInstant) -> UInt64 {
    let elapsed = deadline.nanoseconds > start ? deadline.nanoseconds - start : 0
    let (whole, rest) = elapsed.quotientAndRemainder(dividingBy: tick)
    return rest == 0 ? whole : whole + 1
  }

  /// Puts an unlinked entry at the head of the slot that comes up at a tick.
  @inlinable
  mutating func put<E: TimedEntries & ~Copyable>(
    _ index: UInt32, intoSlotOf due: UInt64, in entries: inout E
  ) {
    let slot = Int(due & mask)
    let first = heads[slot]
    heads[slot] = index
    entries.setWheelLinks(WheelLinks(next: first, previous: Self.headMark | UInt32(slot)), of: index)
    if first == Self.end {
      occupancy.insert(slot)
    } else {
      var links = entries.wheelLinks(of: first)
      links.previous = index
      entries.setWheelLinks(links, of: first)
    }
  }

  /// Takes an entry out of its list and says whether it was in one.
  @inlinable
  mutating func unlink<E: TimedEntries & ~Copyable>(_ index: UInt32, in entries: inout E) -> Bool {
    let links = entries.wheelLinks(of: index)
    guard links.isLinked else { return false }
    entries.setWheelLinks(.unlinked, of: index)
    if links.next != Self.end {
      var behind = entries.wheelLinks(of: links.next)
      behind.previous = links.previous
      entries.setWheelLinks(behind, of: links.next)
    }
    if links.previous & Self.headMark == 0 {
      var before = entries.wheelLinks(of: links.previous)
      before.next = links.next
      entries.setWheelLinks(before, of: links.previous)
    } else {
      let slot = Int(links.previous & ~Self.headMark)
      heads[slot] = links.next
      if links.next == Self.end && slot < heads.count - 1 {
        occupancy.remove(slot)
      }
    }
    return true
  }

  /// Moves the next occupied slot, if it has come up, to the list being worked off.
  ///
  /// Taking the whole slot away first keeps entries that go round once more, or that are armed
  /// meanwhile, out of the way of the entries still to be looked at.
  @inlinable
  mutating func beginNextSlot<E: TimedEntries & ~Copyable>(upTo reached: UInt64, in entries: inout E) -> Bool
  {
    guard let due = nextOccupiedTick(), due <= reached else {
      nextTick = max(nextTick, reached &+ 1)
      return false
    }
    let slot = Int(due & mask)
    let draining = heads.count - 1
    let first = heads[slot]
    heads[slot] = Self.end
    occupancy.remove(slot)
    heads[draining] = first
    var links = entries.wheelLinks(of: first)
    links.previous = Self.headMark | UInt32(draining)
    entries.setWheelLinks(links, of: first)
    drainingTick = due
    nextTick = due + 1
    return true
  }

  /// The tick of the first occupied slot at or after `nextTick`.
  @usableFromInline
  func nextOccupiedTick() -> UInt64? {
    let from = Int(nextTick & mask)
    guard let slot = occupancy.first(from: from) ?? occupancy.first(from: 0) else { return nil }
    return nextTick &+ (UInt64(slot) &- UInt64(from)) & mask
  }

  private func instant(ofTick number: UInt64) -> MonotonicInstant {
    let (span, overflow) = number.multipliedReportingOverflow(by: tick)
    if overflow { return .distantFuture }
    let (sum, sumOverflow) = start.addingReportingOverflow(span)
    return sumOverflow ? .distantFuture : MonotonicInstant(nanoseconds: sum)
  }
}
