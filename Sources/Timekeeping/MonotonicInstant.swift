/// A span of time in whole nanoseconds; arithmetic saturates, so no sum of spans can trap.
public struct TimeSpan: Comparable, Hashable, Sendable, BitwiseCopyable {
  /// Length in nanoseconds; negative spans are legal.
  public let nanoseconds: Int64

  /// A span of that many nanoseconds.
  @inlinable
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// No time at all.
  public static let zero = TimeSpan(nanoseconds: 0)

  /// A span of whole seconds, saturating at about 292 years.
  @inlinable
  public static func seconds(_ count: Int64) -> TimeSpan { TimeSpan(scaling: count, by: 1_000_000_000) }

  /// A span of whole milliseconds.
  @inlinable
  public static func milliseconds(_ count: Int64) -> TimeSpan { TimeSpan(scaling: count, by: 1_000_000) }

  /// Whole milliseconds in this span, rounded toward zero.
  @inlinable
  public var wholeMilliseconds: Int64 { nanoseconds / 1_000_000 }

  /// Whole seconds in this span, rounded toward zero.
  @inlinable
  public var wholeSeconds: Int64 { nanoseconds / 1_000_000_000 }

  @inlinable
  init(scaling count: Int64, by unit: Int64) {
    let (product, overflow) = count.multipliedReportingOverflow(by: unit)
    self.init(nanoseconds: overflow ? (count < 0 ? .min : .max) : product)
  }

  /// Shorter before longer.
  @inlinable
  public static func < (left: TimeSpan, right: TimeSpan) -> Bool { left.nanoseconds < right.nanoseconds }

  /// The sum, saturating.
  @inlinable
  public static func + (left: TimeSpan, right: TimeSpan) -> TimeSpan {
    let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.nanoseconds)
    return TimeSpan(nanoseconds: overflow ? (right.nanoseconds < 0 ? .min : .max) : sum)
  }

  /// A multiple, saturating.
  @inlinable
  public static func * (span: TimeSpan, factor: Int64) -> TimeSpan {
    let (product, overflow) = span.nanoseconds.multipliedReportingOverflow(by: factor)
    return TimeSpan(nanoseconds: overflow ? ((span.nanoseconds < 0) != (factor < 0) ? .min : .max) : product)
  }
}

/// A point on a clock that never steps, in nanoseconds since an origin the edge chose.
///
/// The core never reads a clock: every event carries the instant at which it happens.
public struct MonotonicInstant: Comparable, Hashable, Sendable, BitwiseCopyable {
  /// Nanoseconds since the clock's origin.
  public let nanoseconds: UInt64

  /// The instant that many nanoseconds after the clock's origin.
  @inlinable
  public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// The clock's origin.
  public static let origin = MonotonicInstant(nanoseconds: 0)

  /// Later than every instant that can be reached.
  public static let distantFuture = MonotonicInstant(nanoseconds: .max)

  /// Earlier before later.
  @inlinable
  public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }

  /// The instant `span` later (or earlier, when negative), saturating at both ends of the clock.
  @inlinable
  public static func + (instant: MonotonicInstant, span: TimeSpan) -> MonotonicInstant {
    if span.nanoseconds >= 0 {
      let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(UInt64(span.nanoseconds))
      return overflow ? .distantFuture : MonotonicInstant(nanoseconds: sum)
    }
    let (difference, overflow) = instant.nanoseconds.subtractingReportingOverflow(span.nanoseconds.magnitude)
    return overflow ? .origin : MonotonicInstant(nanoseconds: difference)
  }

  /// Time from `earlier` to this instant; negative when `earlier` is later.
  @inlinable
  public func duration(since earlier: MonotonicInstant) -> TimeSpan {
    if nanoseconds >= earlier.nanoseconds {
      return TimeSpan(nanoseconds: Int64(clamping: nanoseconds - earlier.nanoseconds))
    }
    return TimeSpan(nanoseconds: -Int64(clamping: earlier.nanoseconds - nanoseconds))
  }
}
