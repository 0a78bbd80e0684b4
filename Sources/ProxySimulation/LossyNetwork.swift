import SIPSyntax
import Timekeeping

/// How badly a simulated network behaves.
public struct NetworkProfile: Sendable {
  /// Datagrams lost, of a thousand.
  public var loss: Int
  /// Datagrams that arrive twice, of a thousand.
  public var duplication: Int
  /// Datagrams that take the long way, and so are overtaken by later ones, of a thousand.
  public var straying: Int
  /// Milliseconds the ordinary way takes.
  public var delay: ClosedRange<Int>
  /// Milliseconds the long way takes; below the 5 s of Timer T4.
  public var strayDelay: ClosedRange<Int>
}

/// Decides for each datagram whether, when and how often it arrives; the seed alone makes the decisions.
struct LossyNetwork {
  let profile: NetworkProfile
  private var random: SeededGenerator
  /// Addresses whose cable is pulled: nothing reaches them, nothing comes from them.
  private var unplugged: Set<SocketAddress> = []

  init(profile: NetworkProfile, random: SeededGenerator) {
    self.profile = profile
    self.random = random
  }

  /// Cuts an address off for ever.
  mutating func unplug(_ address: SocketAddress) { unplugged.insert(address) }

  /// After how long each copy of a datagram arrives; none when it is lost.
  mutating func journeys(from sender: SocketAddress, to receiver: SocketAddress) -> [TimeSpan] {
    if unplugged.contains(sender) || unplugged.contains(receiver) || random.chance(profile.loss) { return [] }
    var journeys = [journey()]
    if random.chance(profile.duplication) { journeys.append(journey()) }
    return journeys
  }

  private mutating func journey() -> TimeSpan {
    let isStray = random.chance(profile.straying)
    return random.span(milliseconds: isStray ? profile.strayDelay : profile.delay)
  }
}
