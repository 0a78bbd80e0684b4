// G10: fairness between sources when what is being asked of the DNS runs out.
//
// As for transactions: the last tenth is kept for sources that hold no more than a sixteenth of all. A source is an
// IPv4 address, or the /64 that one IPv6 host has to itself, by a keyed hash (G11).

import PagedStorage
import SIPSyntax

/// On whose behalf something is asked: a bucket of sources, or the proxy itself.
struct Asker: Hashable, Sendable, BitwiseCopyable {
  /// Askers that are told apart.
  static let count = 4_096
  /// The proxy, which no share limits.
  static let proxy = Asker(index: UInt16.max)

  fileprivate let index: UInt16
  private init(index: UInt16) { self.index = index }

  /// A source; none is the proxy itself.
  init(_ source: IPAddress?, key: HashKey) {
    guard let source = source?.canonical else {
      self = .proxy
      return
    }
    var hasher = KeyedHasher(key: key, output: .bits64, for: .lookup)
    hasher.append(source.high)
    hasher.append(source.family == .v4 ? source.low : 0)
    index = UInt16(truncatingIfNeeded: hasher.finish64() & UInt64(Asker.count - 1))
  }
}

/// How much each asker holds of something that has a limit.
struct AskerShares {
  private let limit: Int
  private var held = [UInt16](repeating: 0, count: Asker.count)

  init(limit: Int) { self.limit = limit }

  /// Whether an asker may have one more when there are `total`.
  func admits(_ asker: Asker, total: Int) -> Bool {
    if total < limit - limit / 10 { return true }
    return total < limit && (asker == .proxy || Int(held[Int(asker.index)]) < max(1, limit / 16))
  }

  /// An asker has one more.
  mutating func add(_ asker: Asker) {
    if asker != .proxy, held[Int(asker.index)] < .max { held[Int(asker.index)] += 1 }
  }

  /// An asker has one less.
  mutating func remove(_ asker: Asker) {
    if asker != .proxy, held[Int(asker.index)] > 0 { held[Int(asker.index)] -= 1 }
  }
}
