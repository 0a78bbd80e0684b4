import AdminHTTP
import Histogram
import Timekeeping

/// How long something took, with the spread: microseconds to three digits, whatever their number.
struct LatencyRecord {
  /// A call is given up after 32 seconds; what takes longer counts as a minute.
  private static let longest: UInt64 = 60_000_000

  private var histogram = Histogram<UInt64>(
    highestTrackableValue: LatencyRecord.longest, numberOfSignificantValueDigits: .three)

  /// Adds one duration.
  mutating func add(microseconds: UInt32) {
    histogram.record(min(UInt64(microseconds), LatencyRecord.longest))
  }

  /// Writes number, percentiles and maximum as an object called `name`.
  func write(_ name: String, to json: inout JSONWriter) {
    json.object(name) { json in
      json.field("count", histogram.totalCount)
      guard histogram.totalCount > 0 else { return }
      json.field("mean", Int(histogram.mean))
      for (name, percentile) in [("p50", 50.0), ("p90", 90), ("p99", 99), ("p99_9", 99.9)] {
        json.field(name, histogram.valueAtPercentile(percentile))
      }
      json.field("max", histogram.max)
    }
  }
}
