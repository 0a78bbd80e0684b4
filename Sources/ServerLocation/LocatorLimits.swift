public import Timekeeping

/// What a ``ServerLocator`` may use at most, whatever zones hold and peers ask for (G10).
///
/// The last tenth of open questions and of waiting locations is for sources that have no more than a sixteenth.
public struct LocatorLimits: Sendable {
  /// Answers kept, questions that are being asked included.
  public var cachedAnswers = 4_096
  /// Octets of all answers kept, as estimated from names and records.
  public var cachedOctets = 8 << 20
  /// Questions that are being asked at one time; a location that needs one more fails.
  public var openQuestions = 1_024
  /// Locations that wait at one time; one more fails.
  public var pendingLocations = 4_096
  /// How long a location waits before it is settled with what is known by then.
  public var timeLimit = TimeSpan.seconds(5)
  /// Seconds an answer is kept at most.
  public var longestTimeToLive: UInt32 = 86_400
  /// Seconds an answer is kept at most that says there is nothing.
  public var longestNegativeTimeToLive: UInt32 = 60
  /// Seconds a question that failed is not asked again.
  public var failureTimeToLive: UInt32 = 5

  /// Limits fit for one worker: a few megabytes.
  public init() {}

  /// Targets of one location, and records kept of one answer.
  static let targets = 64
  /// NAPTR records of one answer that are followed.
  static let services = 8
  /// Questions that one location has open at one time.
  static let questionsAtOnce = 16
  /// Of those who wait for a lookup, how many may have it ask on their behalf.
  static let payers = 16
  /// Locations looked at again, and locations reported, in one call.
  static let stepsAtOnce = 64
  /// Cache entries looked at in one call that forgets expired ones.
  static let sweep = 256
  /// Time between two such calls.
  static let sweepInterval = TimeSpan.seconds(10)
}
