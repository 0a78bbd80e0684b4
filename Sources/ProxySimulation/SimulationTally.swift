public import Timekeeping

/// What a run amounted to.
public struct SimulationTally: Sendable, Equatable {
  /// Datagrams sent by anybody.
  public internal(set) var datagrams = 0
  /// Datagrams that reached the proxy.
  public internal(set) var arrivals = 0
  /// Events of any kind.
  public internal(set) var events = 0
  /// The virtual clock at the end.
  public internal(set) var end = MonotonicInstant.origin
  /// FNV-1a over every datagram and its instant: equal for equal runs.
  public internal(set) var fingerprint: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(_ bytes: [UInt8], at now: MonotonicInstant) {
    datagrams += 1
    var hash = (fingerprint ^ now.nanoseconds) &* 0x100_0000_01B3
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    fingerprint = hash
  }
}
