import SIPSyntax
import ServerLocation

/// The next hops of the latest large requests that left without a transaction: nothing else remembers where an ACK went
/// when its connection is refused, and its repetition must not go there again (D4).
struct StatelessHops {
  private static let capacity = 256
  private var targets: [ServerTarget] = []
  private var next = 0

  /// Remembers a hop; the number is never 0.
  mutating func add(_ target: ServerTarget) -> UInt16 {
    if targets.count < Self.capacity {
      targets.append(target)
      return UInt16(clamping: targets.count)
    }
    targets[next] = target
    defer { next = (next + 1) % Self.capacity }
    return UInt16(clamping: next + 1)
  }

  /// The hop a ticket names; nil for the ticket of a branch.
  func target(of ticket: SendTicket) -> ServerTarget? {
    let index = Int(ticket.hop) - 1
    return targets.indices.contains(index) ? targets[index] : nil
  }
}
