import SIPSyntax
import Timekeeping

/// Remembers which local address the kernel uses toward a peer, so that a wildcard listener can write
/// it down without a system call per message.
struct SourceAddressCache {
  private struct Entry {
    var peer: IPAddress
    var local: IPAddress
    var until: MonotonicInstant
  }

  private static let lifetime = TimeSpan.seconds(30)
  private static let slotCount = 256
  private var entries: [Entry?] = Array(repeating: nil, count: slotCount)
  private let ask: @Sendable (IPAddress) -> IPAddress?

  init(asking ask: @escaping @Sendable (IPAddress) -> IPAddress?) { self.ask = ask }

  /// The local address toward `peer`, at most 30 s old; nil when there is no route.
  mutating func local(toward peer: IPAddress, at now: MonotonicInstant) -> IPAddress? {
    let mixed = (peer.high ^ peer.low) &* 0x9E37_79B9_7F4A_7C15
    let slot = Int(truncatingIfNeeded: mixed >> 56)
    if let entry = entries[slot], entry.peer == peer, now < entry.until { return entry.local }
    guard let local = ask(peer) else { return nil }
    entries[slot] = Entry(peer: peer, local: local, until: now + Self.lifetime)
    return local
  }
}
