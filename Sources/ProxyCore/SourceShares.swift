// C56, G10 (RFC 6026 section 10, RFC 7339 section 5.10.2): fairness between sources when transactions run out.
//
// Left open: how. The last tenth of the table is kept for sources that hold less than a sixteenth of it, so
// one flooding source cannot lock out the others. Counts are kept for keyed hash buckets of the address; two
// sources that share a bucket share its fate, which a sender cannot arrange (G11).

import PagedStorage
import SIPSyntax

/// How many server transactions each source holds.
struct SourceShares {
  private static let bucketCount = 16_384
  private var held = [UInt32](repeating: 0, count: bucketCount)
  private let key: HashKey

  init(key: HashKey) { self.key = key }

  /// A transaction of this source was made.
  mutating func add(_ source: IPAddress) { held[bucket(source)] &+= 1 }

  /// A transaction of this source was destroyed.
  mutating func remove(_ source: IPAddress) {
    let bucket = bucket(source)
    held[bucket] -= min(held[bucket], 1)
  }

  /// Whether a new request of this source may have a transaction when `total` of `limit` exist.
  func admits(_ source: IPAddress, total: Int, limit: Int) -> Bool {
    if total < limit - limit / 10 { return true }
    return total < limit && Int(held[bucket(source)]) <= limit / 16
  }

  private func bucket(_ source: IPAddress) -> Int {
    let source = source.canonical
    var hasher = KeyedHasher(key: key, output: .bits64, for: .lookup)
    hasher.append(source.high)
    hasher.append(source.low)
    return Int(truncatingIfNeeded: hasher.finish64() & UInt64(Self.bucketCount - 1))
  }
}
