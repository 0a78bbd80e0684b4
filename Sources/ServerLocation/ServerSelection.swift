// RFC 2782, "Weight" and "Usage rules", and the choice between IPv6 and IPv4.
//
// Left open by the RFCs: the order of servers that are alike in priority and weight zero (drawn anew each time, so
// that load spreads), and which of a server's addresses comes first. For that we take the precedences of RFC 6724
// §2.1, which put IPv6 before IPv4 but tunnels and unique local addresses behind it; equal ones stay as answered.

import PagedStorage
import SIPSyntax

/// A stream of numbers that the key of the process decides (SplitMix64); good for spreading load, not for secrets.
struct SelectionGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(key: HashKey) {
    var hasher = KeyedHasher(key: key, output: .bits64)
    hasher.append(UInt64(0x7365_7276_6572_7321))  // so that no other use of the key draws the same numbers
    state = hasher.finish64()
  }

  /// The stream of one request, or of one call: the same seed draws the same order.
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

enum ServerSelection {
  /// Servers in the order in which one request tries them (D54): by priority, and by weighted chance within it.
  ///
  /// `servers` are sorted by priority already. Quadratic in the servers of one priority, of which at most
  /// ``LocatorLimits/targets`` are kept.
  static func ordered(
    _ servers: [ServiceServer], using random: inout some RandomNumberGenerator
  ) -> [ServiceServer] {
    guard servers.count > 1 else { return servers }
    var ordered = servers
    var start = 0
    while start < ordered.count {
      var end = start + 1
      while end < ordered.count, ordered[end].priority == ordered[start].priority { end += 1 }
      arrange(&ordered, start..<end, using: &random)
      start = end
    }
    return ordered
  }

  /// Orders servers of one priority: those of weight zero stand first in the list that is drawn from.
  private static func arrange(
    _ servers: inout [ServiceServer], _ range: Range<Int>, using random: inout some RandomNumberGenerator
  ) {
    guard range.count > 1 else { return }
    servers[range].shuffle(using: &random)
    servers[range].sort { $0.weight == 0 && $1.weight != 0 }
    var total = servers[range].reduce(UInt32(0)) { $0 + UInt32($1.weight) }
    for position in range.dropLast() {
      let drawn = UInt32.random(in: 0...total, using: &random)
      var chosen = position
      var sum = UInt32(servers[chosen].weight)
      while sum < drawn, chosen + 1 < range.upperBound {
        chosen += 1
        sum += UInt32(servers[chosen].weight)
      }
      let server = servers.remove(at: chosen)
      servers.insert(server, at: position)
      total -= UInt32(server.weight)
    }
  }

  /// Addresses of one host in the order in which they are tried.
  static func ordered(v6: [IPAddress], v4: [IPAddress]) -> [IPAddress] {
    if v6.isEmpty { return v4 }
    if v4.isEmpty, v6.count == 1 { return v6 }
    // Sorting by position too makes it stable.
    return (v6 + v4).enumerated()
      .sorted { (-precedence(of: $0.element), $0.offset) < (-precedence(of: $1.element), $1.offset) }
      .map(\.element)
  }

  /// The precedence of the policy table of RFC 6724 §2.1.
  static func precedence(of address: IPAddress) -> Int {
    if address.family == .v4 { return 35 }
    if address.high == 0 { return address.low == 1 ? 50 : address.low >> 32 == 0 ? 1 : 40 }
    if address.high >> 48 == 0x2002 { return 30 }
    if address.high >> 32 == 0x2001_0000 { return 5 }
    if address.high >> 57 == 0x7E { return 3 }
    if address.high >> 54 == 0x3FB || address.high >> 48 == 0x3FFE { return 1 }
    return 40
  }
}
