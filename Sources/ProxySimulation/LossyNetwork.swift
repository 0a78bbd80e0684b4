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
  /// Milliseconds the long way takes; twice that stays below the 5 s of T4, for there may be two ways to go.
  public var strayDelay: ClosedRange<Int>
  /// Requests of the proxy that the system refuses to send, of a thousand.
  public var refusals: Int
  /// Whether it refuses those to a program that has ended, instead of losing them.
  public var refusesToTheDead: Bool
  /// Messages on a connection that are its last, of a thousand.
  public var breakage: Int
}

/// Decides for each datagram whether, when and how often it arrives; the seed alone makes the decisions.
struct LossyNetwork {
  let profile: NetworkProfile
  private var random: SeededGenerator
  /// Addresses whose cable is pulled until then: nothing reaches them, nothing comes from them.
  private var unplugged: [SocketAddress: MonotonicInstant] = [:]

  init(profile: NetworkProfile, random: SeededGenerator) {
    self.profile = profile
    self.random = random
  }

  /// Cuts an address off for a while.
  mutating func unplug(_ address: SocketAddress, until end: MonotonicInstant) { unplugged[address] = end }

  /// Whether the system refuses to send a request instead of losing it.
  mutating func refuses(toTheDead isDead: Bool) -> Bool {
    isDead && profile.refusesToTheDead || profile.refusals > 0 && random.chance(profile.refusals)
  }

  /// Whether an address is cut off.
  func isUnplugged(_ address: SocketAddress, at now: MonotonicInstant) -> Bool {
    unplugged[address].map { now < $0 } ?? false
  }

  /// After how long the connection breaks that just took a message; nil when it does not.
  mutating func breakage() -> TimeSpan? {
    guard profile.breakage > 0, random.chance(profile.breakage) else { return nil }
    return random.span(milliseconds: 0...1000)
  }

  /// How long a message takes on a connection: a lost segment comes late.
  mutating func streamDelay() -> TimeSpan {
    journey() + (random.chance(profile.loss) ? .milliseconds(500) : .zero)
  }

  /// After how long each copy of a datagram arrives; none when it is lost.
  mutating func journeys(
    from sender: SocketAddress, to receiver: SocketAddress, at now: MonotonicInstant
  ) -> [TimeSpan] {
    if isUnplugged(sender, at: now) || isUnplugged(receiver, at: now) { return [] }
    if random.chance(profile.loss) { return [] }
    var journeys = [journey()]
    if random.chance(profile.duplication) { journeys.append(journey()) }
    return journeys
  }

  private mutating func journey() -> TimeSpan {
    let isStray = random.chance(profile.straying)
    return random.span(milliseconds: isStray ? profile.strayDelay : profile.delay)
  }
}
