/// The two links that chain an entry into a slot of a `TimingWheel`; they live inside the entry.
///
/// Intrusive links cost eight bytes and no allocation, and let an entry leave in constant time.
/// Only the wheel writes them; a new entry starts with `WheelLinks.unlinked`.
public struct WheelLinks: BitwiseCopyable, Hashable, Sendable {
  /// The entry behind this one in its slot, or `UInt32.max` at the end.
  public var next: UInt32
  /// The entry before this one; for the first of a slot the slot itself, told apart by the top bit.
  public var previous: UInt32

  /// Links from their parts.
  @inlinable
  public init(next: UInt32, previous: UInt32) {
    self.next = next
    self.previous = previous
  }

  /// Not in any slot.
  public static var unlinked: WheelLinks {
    @inlinable get { WheelLinks(next: .max, previous: .max) }
  }

  /// Whether the entry stands in a slot of the wheel.
  @inlinable
  public var isLinked: Bool { previous != .max }
}

/// Storage that holds, for each entry of a wheel, its links and its deadline.
///
/// Entries are named by a 31-bit index, so that the wheel itself holds nothing but list heads.
public protocol TimedEntries: ~Copyable {
  /// The links of a live entry.
  func wheelLinks(of index: UInt32) -> WheelLinks
  /// Stores the links of a live entry.
  mutating func setWheelLinks(_ links: WheelLinks, of index: UInt32)
  /// The current deadline, which may have moved since the entry was linked;
  /// `MonotonicInstant.distantFuture` means that the entry has none.
  func deadline(of index: UInt32) -> MonotonicInstant
}
