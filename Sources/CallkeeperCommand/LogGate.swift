import Timekeeping

/// Lets a few of many like lines into the log: one in a minute, which says how many were held back before it.
struct LogGate: Sendable {
  /// Least time between two lines.
  static let interval = TimeSpan.seconds(60)

  private var opensAt: MonotonicInstant?
  private var heldBack = 0

  /// How many lines were held back since the last one, if this one may be written; nil if not.
  mutating func pass(at now: MonotonicInstant) -> Int? {
    if let opensAt, now < opensAt {
      heldBack += 1
      return nil
    }
    opensAt = now + LogGate.interval
    defer { heldBack = 0 }
    return heldBack
  }
}
