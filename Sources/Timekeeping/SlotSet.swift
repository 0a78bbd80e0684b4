/// A set of slot numbers that finds the next member in a few loads.
///
/// A bit of the upper level says that a word of the lower one is not empty: a wheel of 16,384 slots with one entry is
/// searched in at most five words, where a flat row of bits would be walked through 256.
@usableFromInline
struct SlotSet {
  /// One bit a slot.
  @usableFromInline var slots: [UInt64]
  /// One bit for each word of `slots`.
  @usableFromInline var groups: [UInt64]

  /// An empty set for numbers below `slotCount`, a multiple of 64.
  init(slotCount: Int) {
    slots = Array(repeating: 0, count: slotCount / 64)
    groups = Array(repeating: 0, count: (slotCount / 64 + 63) / 64)
  }

  @inlinable
  mutating func insert(_ slot: Int) {
    slots[slot >> 6] |= 1 &<< UInt64(slot & 63)
    groups[slot >> 12] |= 1 &<< UInt64(slot >> 6 & 63)
  }

  @inlinable
  mutating func remove(_ slot: Int) {
    slots[slot >> 6] &= ~(1 &<< UInt64(slot & 63))
    if slots[slot >> 6] == 0 { groups[slot >> 12] &= ~(1 &<< UInt64(slot >> 6 & 63)) }
  }

  /// The lowest member at or above a number; nil without one.
  @inlinable
  func first(from slot: Int) -> Int? {
    let own = slots[slot >> 6] & (~0 &<< UInt64(slot & 63))
    if own != 0 { return slot & ~63 | own.trailingZeroBitCount }
    // Words behind this one, within its group and then group by group: one for 4,096 slots.
    var group = slot >> 12
    var words = (slot >> 6 & 63) == 63 ? 0 : groups[group] & (~0 &<< UInt64((slot >> 6 & 63) + 1))
    while words == 0 {
      group += 1
      guard group < groups.count else { return nil }
      words = groups[group]
    }
    let word = group << 6 | words.trailingZeroBitCount
    return word << 6 | slots[word].trailingZeroBitCount
  }
}
