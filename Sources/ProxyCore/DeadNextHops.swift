// RFC 3263 section 4.3: an address that just failed is tried last for a while (D78 asks for no more than probes).

import SIPSyntax
import ServerLocation
import Timekeeping

/// Remembers next hops that did not answer or refused a connection.
///
/// A small table in which a newer failure may displace an older one: what is forgotten is only tried again.
struct DeadNextHops {
  private struct Entry {
    var target: ServerTarget
    var until: MonotonicInstant
  }

  /// How long a failed address is tried last; as long as a transaction waits for it by default.
  private static let memory = TimeSpan.seconds(32)
  private static let slotCount = 256
  private var entries: [Entry?] = Array(repeating: nil, count: slotCount)
  private var count = 0

  /// Notes a failure.
  mutating func note(_ address: SocketAddress, over transport: TransportProtocol, at now: MonotonicInstant) {
    let target = ServerTarget(transport: transport, address: address)
    let slot = Self.slot(of: target)
    if entries[slot] == nil { count += 1 }
    entries[slot] = Entry(target: target, until: now + Self.memory)
  }

  /// Whether an address failed within the last 32 s.
  mutating func contains(_ target: ServerTarget, at now: MonotonicInstant) -> Bool {
    guard count > 0 else { return false }
    let slot = Self.slot(of: target)
    guard let entry = entries[slot], entry.target == target else { return false }
    if now < entry.until { return true }
    entries[slot] = nil
    count -= 1
    return false
  }

  /// The targets in their order, those that failed lately behind the others.
  mutating func sorted(_ targets: [ServerTarget], at now: MonotonicInstant) -> [ServerTarget] {
    guard count > 0 else { return targets }
    var alive: [ServerTarget] = []
    var dead: [ServerTarget] = []
    for target in targets {
      if contains(target, at: now) { dead.append(target) } else { alive.append(target) }
    }
    return alive + dead
  }

  private static func slot(of target: ServerTarget) -> Int {
    let address = target.address
    let mixed =
      (address.ip.high ^ address.ip.low ^ UInt64(address.port) << 16 ^ UInt64(target.transport.rawValue) << 40)
      &* 0x9E37_79B9_7F4A_7C15
    return Int(truncatingIfNeeded: mixed >> 56)
  }
}
