/// One slot of a `HashIndex`; a zeroed page is a row of empty slots.
@usableFromInline
struct Slot: BitwiseCopyable, Equatable, Sendable {
  @usableFromInline let bits: UInt64

  @inlinable
  init(bits: UInt64) { self.bits = bits }

  @inlinable
  init(tag: UInt32, index: UInt32) { bits = UInt64(tag) << 32 | UInt64(index &+ 1) }

  @usableFromInline static var empty: Slot { @inlinable get { Slot(bits: 0) } }

  @inlinable
  var isEmpty: Bool { bits == 0 }
  @inlinable
  var tag: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) }
  @inlinable
  var index: UInt32 { UInt32(truncatingIfNeeded: bits) &- 1 }
}

/// A linear-probing table of fixed capacity in slices of at most 1 MiB, for `HashIndex` alone.
///
/// A handle without an owner's duties: `HashIndex` gives the slices back.
@usableFromInline
struct SlotTable {
  /// Slots of one slice: 2^17, hence 1 MiB.
  @usableFromInline static var sliceShift: Int { @inlinable get { 17 } }

  @usableFromInline private(set) var slices: [MemoryBlock<Slot>] = []
  /// A power of two, or zero for the table that is not there.
  @usableFromInline private(set) var capacity = 0

  init() {}

  /// An empty table; nil, with everything given back, when memory is refused.
  init?(capacity: Int, pages: PageSource) {
    let sliceCapacity = min(capacity, 1 << Self.sliceShift)
    slices.reserveCapacity(capacity / sliceCapacity)
    for _ in 0..<capacity / sliceCapacity {
      guard let slice = pages.block(of: Slot.self, capacity: sliceCapacity) else {
        giveBack(to: pages)
        return nil
      }
      slices.append(slice)
    }
    self.capacity = capacity
  }

  var mappedBytes: Int { slices.reduce(0) { $0 + $1.byteCount } }

  func giveBack(to pages: PageSource) {
    for slice in slices { pages.giveBack(slice) }
  }

  /// Gives one slice back; the table must be empty and out of use.
  mutating func giveBackSlice(to pages: PageSource) {
    if let slice = slices.popLast() { pages.giveBack(slice) }
    if slices.isEmpty { capacity = 0 }
  }

  @inlinable
  subscript(position: Int) -> Slot {
    get { slices[position >> Self.sliceShift][position & (1 << Self.sliceShift - 1)] }
    nonmutating set { slices[position >> Self.sliceShift][position & (1 << Self.sliceShift - 1)] = newValue }
  }

  @inlinable
  func first(_ tag: UInt32, where matches: (UInt32) -> Bool) -> UInt32? {
    guard capacity > 0 else { return nil }
    let mask = capacity - 1
    var position = Int(tag) & mask
    while true {
      let slot = self[position]
      if slot.isEmpty { return nil }
      if slot.tag == tag && matches(slot.index) { return slot.index }
      position = (position + 1) & mask
    }
  }

  /// The first empty slot at or after a position; there always is one.
  func gap(from start: Int) -> Int {
    var position = start
    while !self[position].isEmpty { position = (position + 1) & (capacity - 1) }
    return position
  }

  func insert(_ slot: Slot) { self[gap(from: Int(slot.tag) & (capacity - 1))] = slot }

  /// Removes the slot and shifts its run back; false when it is not here.
  func remove(_ slot: Slot) -> Bool {
    guard capacity > 0 else { return false }
    let mask = capacity - 1
    var hole = Int(slot.tag) & mask
    while self[hole] != slot {
      if self[hole].isEmpty { return false }
      hole = (hole + 1) & mask
    }
    var position = hole
    while true {
      position = (position + 1) & mask
      let moving = self[position]
      if moving.isEmpty { break }
      // It may fill the hole unless its own home lies behind the hole.
      let home = Int(moving.tag) & mask
      if (position - home) & mask >= (position - hole) & mask {
        self[hole] = moving
        hole = position
      }
    }
    self[hole] = .empty
    return true
  }
}
