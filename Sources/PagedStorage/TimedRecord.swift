public import Timekeeping

/// A slab record that can stand in a `TimingWheel`: conform to this and pass the slab to the wheel.
public protocol TimedRecord: SlabRecord {
  /// Written by the wheel alone; starts as `WheelLinks.unlinked`.
  var links: WheelLinks { get set }
  /// When the record is due; `.distantFuture` when it never is.
  var deadline: MonotonicInstant { get }
}

extension Slab: TimedEntries where Record: TimedRecord {
  /// The links of a record.
  @inlinable @inline(__always)
  public func wheelLinks(of index: UInt32) -> WheelLinks { self[index].links }

  /// Stores the links of a record.
  @inlinable @inline(__always)
  public mutating func setWheelLinks(_ links: WheelLinks, of index: UInt32) { self[index].links = links }

  /// The deadline of a record.
  @inlinable @inline(__always)
  public func deadline(of index: UInt32) -> MonotonicInstant { self[index].deadline }
}
