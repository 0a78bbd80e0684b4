import Synchronization

/// From a keyed hash to the index of a record, at a cost that does not depend on the growth moment.
///
/// Open addressing over eight-byte slots: the low 32 bits of the hash, and the record's index. The
/// caller's `matches` compares the record itself, of which a miss touches none. Load stays at or
/// below 3/4. The table doubles without a stop: the smaller one stays and every change moves a few
/// of its slots (a whole run of neighbours at a time, so that no probe chain is ever cut in two),
/// then gives its memory back slice by slice. Removal shifts the run back and leaves no tombstones.
public struct HashIndex: ~Copyable {
  private let pages: PageSource
  /// Swift passes a struct that holds an atomic by address, and would copy this one, which is large, at every borrow.
  private let inPlace = Atomic<Bool>(false)
  /// Where all insertions go.
  @usableFromInline var current = SlotTable()
  /// The smaller table that is being emptied; no slots when there is none.
  @usableFromInline var old = SlotTable()
  /// The next slot of `old` to move; runs `old.capacity` slots on from the start, wrapping.
  private var cursor = 0
  private var slotsToMove = 0
  /// Tables already empty, whose slices are given back one a change.
  private var emptied = SlotTable()
  /// Records in the index.
  public private(set) var count = 0

  private static let slotsMovedPerChange = 8
  private static let initialCapacity = PageSource.pageSize / MemoryLayout<UInt64>.stride

  /// An empty index; takes no memory before the first record.
  public init(pages: PageSource) { self.pages = pages }

  deinit {
    for table in [current, old, emptied] { table.giveBack(to: pages) }
  }

  /// Bytes of pages held now, including those of a table being emptied.
  public var mappedBytes: Int { current.mappedBytes + old.mappedBytes + emptied.mappedBytes }

  /// The record under this hash for which `matches` says yes. O(1) expected.
  @inlinable
  public func first(_ hash: Hash128, where matches: (UInt32) -> Bool) -> UInt32? {
    let tag = UInt32(truncatingIfNeeded: hash.low)
    if let found = current.first(tag, where: matches) { return found }
    return old.capacity == 0 ? nil : old.first(tag, where: matches)
  }

  /// Adds a record that the caller knows to be absent; false when memory is refused. O(1).
  public mutating func insert(_ hash: Hash128, index: UInt32) -> Bool {
    moveSome()
    if (count + 1) * 4 > current.capacity * 3 {
      // Refused memory is survivable while the table has gaps: a fuller table is only slower.
      guard grow() || (count + 1) * 8 <= current.capacity * 7 else { return false }
    }
    current.insert(Slot(tag: UInt32(truncatingIfNeeded: hash.low), index: index))
    count += 1
    return true
  }

  /// Removes a record that is in the index; does nothing when it is not. O(1).
  public mutating func remove(_ hash: Hash128, index: UInt32) {
    moveSome()
    let slot = Slot(tag: UInt32(truncatingIfNeeded: hash.low), index: index)
    if current.remove(slot) || old.remove(slot) { count -= 1 }
  }

  // MARK: Growth

  private mutating func grow() -> Bool {
    guard old.capacity == 0 else { return false }
    let capacity = max(Self.initialCapacity, current.capacity * 2)
    guard let larger = SlotTable(capacity: capacity, pages: pages) else { return false }
    old = current
    current = larger
    guard old.capacity > 0 else { return true }
    // Start behind a gap, so that the first run moved is a whole one.
    cursor = old.gap(from: 0) & (old.capacity - 1)
    slotsToMove = old.capacity
    return true
  }

  /// Moves at least eight slots of the old table, and goes on to the end of a run.
  private mutating func moveSome() {
    if emptied.capacity > 0 { emptied.giveBackSlice(to: pages) }
    guard old.capacity > 0 else { return }
    var moved = 0
    while slotsToMove > 0 {
      let slot = old[cursor]
      if slot.isEmpty {
        if moved >= Self.slotsMovedPerChange { return }
      } else {
        old[cursor] = .empty
        current.insert(slot)
      }
      cursor = (cursor + 1) & (old.capacity - 1)
      slotsToMove -= 1
      moved += 1
    }
    // The previous table has been given back long before the next one is empty: it needs one change
    // per MiB, and emptying this one took one per eight slots.
    emptied.giveBack(to: pages)
    emptied = old
    old = SlotTable()
  }
}
