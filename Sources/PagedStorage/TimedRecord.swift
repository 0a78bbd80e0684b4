public import Timekeeping

/// A slab record that can stand in a `TimingWheel`: conform to this and pass the slab to the wheel.
public protocol TimedRecord: SlabRecord {
  /// Written by the wheel alone; starts as `WheelLinks.unlinked`.
  var links: WheelLinks { get set }
  /// When the record is due; `.distantFuture` when it never is.
  var deadline: MonotonicInstant { get }
}

extension Slab: TimedEntries where Record: TimedRecord {
  @inlinable
  public func wheelLinks(of index: UInt32) -> WheelLinks { self[index].links }

  @inlinable
  public mutating func setWheelLinks(_ links: WheelLinks, of index: UInt32) { self[index].links = links }

  @inlinable
  public func deadline(of index: UInt32) -> MonotonicInstant { self[index].deadline }
}
