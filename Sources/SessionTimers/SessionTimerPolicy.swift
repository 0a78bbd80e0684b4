// RFC 4028 sections 4 and 5: what a proxy may ask for and what it may insist on (A6-A10).
//
// Left open: the values. We ask for 1800 s and accept 90 s unless told otherwise; the user may switch asking
// off, which leaves the minimum in force. A smaller interval than 1800 s is accepted with a warning (A7).

public import SIPSyntax

/// What we want of session timers: the whole configuration of RFC 4028 section 8 at a proxy.
public struct SessionTimerPolicy: BitwiseCopyable, Equatable, Sendable {
  /// The interval we ask for (S in the requirements); nil when we never ask, which is "off".
  public let sessionExpires: DeltaSeconds?

  /// The shortest interval we accept (M in the requirements), at least 90 s.
  public let minSE: DeltaSeconds

  /// Whether a caller's `refresher=uas` keeps us from answering for a callee without timers (A65): the
  /// proposal of erratum 8926; false follows the text of RFC 4028 §8.2.
  public let honorsRefresherUAS: Bool

  /// The default of Min-SE and the least value anybody may choose (RFC 4028 §5).
  public static let leastMinSE = DeltaSeconds(90)

  /// The interval RFC 4028 §4 recommends, our default, and the one below which we warn (A7).
  public static let recommendedSessionExpires = DeltaSeconds(1800)

  /// 1800 s asked for, 90 s accepted, RFC 4028 §8.2 by its text.
  public static let standard = SessionTimerPolicy(
    unchecked: recommendedSessionExpires, minSE: leastMinSE, honorsRefresherUAS: false)

  /// A policy, refused when RFC 4028 or common sense forbids it (A6, A8).
  ///
  /// - Parameter sessionExpires: nil never asks for a timer.
  /// - Throws: `PolicyError` when `minSE` is below 90 s, or `sessionExpires` below `minSE`.
  public init(
    sessionExpires: DeltaSeconds? = recommendedSessionExpires,
    minSE: DeltaSeconds = leastMinSE,
    honorsRefresherUAS: Bool = false
  ) throws(PolicyError) {
    guard minSE >= Self.leastMinSE else { throw .minSETooSmall(minSE) }
    if let sessionExpires, sessionExpires < minSE {
      throw .sessionExpiresBelowMinSE(sessionExpires, minSE: minSE)
    }
    self.init(unchecked: sessionExpires, minSE: minSE, honorsRefresherUAS: honorsRefresherUAS)
  }

  private init(unchecked sessionExpires: DeltaSeconds?, minSE: DeltaSeconds, honorsRefresherUAS: Bool) {
    self.sessionExpires = sessionExpires
    self.minSE = minSE
    self.honorsRefresherUAS = honorsRefresherUAS
  }

  /// What is legal here but unwise; for the log at start-up. Allocates.
  public var warnings: [Warning] {
    guard let sessionExpires, sessionExpires < Self.recommendedSessionExpires else { return [] }
    return [.sessionExpiresTooSmall(sessionExpires)]
  }

  /// Why a policy is refused; the description names flag, value and legal range.
  public enum PolicyError: Error, Equatable, CustomStringConvertible {
    /// Below 90 s (A6).
    case minSETooSmall(DeltaSeconds)
    /// We would ask for an interval that we refuse (A8).
    case sessionExpiresBelowMinSE(DeltaSeconds, minSE: DeltaSeconds)

    /// One line for the user.
    public var description: String {
      switch self {
      case .minSETooSmall(let value):
        return "--min-se \(value.seconds) is too small: RFC 4028 section 5 allows 90 seconds and more"
      case .sessionExpiresBelowMinSE(let value, let minSE):
        return "--session-expires \(value.seconds) is below --min-se \(minSE.seconds): "
          + "choose \(minSE.seconds) seconds or more, or off"
      }
    }
  }

  /// A legal setting that RFC 4028 advises against.
  public enum Warning: Equatable, Sendable, CustomStringConvertible {
    /// Below 1800 s (A7).
    case sessionExpiresTooSmall(DeltaSeconds)

    /// One line for the user.
    public var description: String {
      switch self {
      case .sessionExpiresTooSmall(let value):
        return "--session-expires \(value.seconds) is below the 1800 seconds that RFC 4028 section 4 "
          + "recommends: calls will be refreshed more often"
      }
    }
  }
}
