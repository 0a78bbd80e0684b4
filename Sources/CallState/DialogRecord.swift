import PagedStorage
import SessionTimers
import Timekeeping

/// The fixed part of a dialog: 120 bytes in a slab; Call-ID, tags and Contacts are in a blob (F9, F36).
///
/// Instants are whole seconds since the table's start, which last 136 years.
struct DialogRecord: TimedRecord {
  /// `low` hashes the whole key, `high` the Call-ID alone.
  var hash: Hash128
  /// Call-ID, tags and Contacts: a ``DialogText``.
  var text: Blob
  /// Its place in the wheel.
  var links = WheelLinks.unlinked
  /// Tells this dialog from those that had its slot before.
  var generation: UInt32 = 0
  /// When the record is due, rounded up so that it never goes early (A88); `never` for no expiry.
  var expiresAt: UInt32
  /// When the record was made.
  var createdAt: UInt32
  /// When the 2xx came; 0 for an early dialog.
  var confirmedAt: UInt32 = 0
  /// The session interval in seconds, as the 2xx said.
  var interval: UInt32 = 0
  /// The next record in the chain of early dialogs of one transaction.
  var sibling: UInt32 = Self.none
  /// Highest CSeq numbers seen from either side; nothing is refused because of them (F21).
  var callerCSeq: UInt32 = 0
  /// The callee's, likewise.
  var calleeCSeq: UInt32 = 0
  /// The INVITE of either side whose 2xx was the last to be applied (A76).
  var callerInviteApplied: UInt32 = 0
  /// The callee's, likewise.
  var calleeInviteApplied: UInt32 = 0
  /// INVITE and UPDATE transactions of this dialog that are still open (A89).
  var openRefreshes: UInt32 = 0
  /// Early, or confirmed with or without a session timer.
  var standing: Standing
  /// Who refreshes, as a ``DialogSide``; `noRefresher` when the 2xx did not say.
  var refresher: UInt8 = Self.noRefresher
  /// The user's number for the transport on the caller's side.
  var callerTransport: UInt8 = 0
  /// The user's number for the transport on the callee's side.
  var calleeTransport: UInt8 = 0
  /// What is either so or not.
  var flags: Flags = []
  /// The last four session-timer decisions, newest first.
  var decisions = Decisions()

  /// As `expiresAt`: the record is never due.
  static let never = UInt32.max
  /// As `sibling`: the chain ends here.
  static let none = UInt32.max
  /// As `refresher`: nobody, or nobody knows.
  static let noRefresher = UInt8.max

  /// Facts of one bit each.
  struct Flags: OptionSet, BitwiseCopyable {
    let rawValue: UInt8
    /// Made by a refresh, not by a first INVITE.
    static let adopted = Flags(rawValue: 1)
    /// The expiration is the longest life we allow, not the session's (G16).
    static let capped = Flags(rawValue: 2)
    /// Belongs to the chain of a transaction, which frees the record.
    static let chained = Flags(rawValue: 4)
    /// `callerInviteApplied` means something.
    static let callerInviteSeen = Flags(rawValue: 8)
    /// `calleeInviteApplied` means something.
    static let calleeInviteSeen = Flags(rawValue: 16)
    /// Ended early, and not by a BYE: a 2xx that comes after all says that the call is up.
    static let neverUp = Flags(rawValue: 32)
  }

  /// The last four decisions; a new one pushes the oldest out.
  struct Decisions: BitwiseCopyable {
    var newest = SessionTimerDecision.none
    var second = SessionTimerDecision.none
    var third = SessionTimerDecision.none
    var oldest = SessionTimerDecision.none

    /// Adds the newest.
    mutating func push(_ decision: SessionTimerDecision) {
      oldest = third
      third = second
      second = newest
      newest = decision
    }
  }

  /// Shares its place with a wheel link, which a free record does not need.
  var freeLink: UInt32 {
    get { links.next }
    set { links.next = newValue }
  }

  /// The deadline on the wheel's clock, whose origin is the table's start.
  var deadline: MonotonicInstant { DialogClock.instant(ofSecond: expiresAt) }

  /// Remembers whose INVITE was applied; false when it was that one already, or a later one: a late copy of
  /// an older 2xx says nothing any more (A76). One side's INVITEs never overlap (RFC 3261 §14.1).
  mutating func noteApplied(_ refresh: SessionRefresh) -> Bool {
    guard refresh.isInvite else { return true }
    switch refresh.sender {
    case .caller:
      if flags.contains(.callerInviteSeen) && refresh.cSeq <= callerInviteApplied { return false }
      flags.insert(.callerInviteSeen)
      callerInviteApplied = refresh.cSeq
    case .callee:
      if flags.contains(.calleeInviteSeen) && refresh.cSeq <= calleeInviteApplied { return false }
      flags.insert(.calleeInviteSeen)
      calleeInviteApplied = refresh.cSeq
    }
    return true
  }
}

/// Between instants and the whole seconds that records hold.
struct DialogClock {
  /// When the table was made: second 0.
  let start: MonotonicInstant

  /// Seconds from the start to `instant`, rounded down, for display.
  func second(of instant: MonotonicInstant) -> UInt32 {
    UInt32(clamping: relative(instant).nanoseconds / 1_000_000_000)
  }

  /// The first whole second at or after `span` from `instant`.
  func second(after span: TimeSpan, from instant: MonotonicInstant) -> UInt32 {
    let due = (relative(instant) + span).nanoseconds
    let whole = due / 1_000_000_000 + (due % 1_000_000_000 == 0 ? 0 : 1)
    return UInt32(clamping: min(whole, UInt64(DialogRecord.never - 1)))
  }

  /// The same instant on a clock whose origin is the table's start.
  func relative(_ instant: MonotonicInstant) -> MonotonicInstant {
    guard instant != .distantFuture else { return instant }
    return MonotonicInstant.origin + instant.duration(since: max(.origin, min(start, instant)))
  }

  /// Back from the relative clock.
  func absolute(_ relative: MonotonicInstant) -> MonotonicInstant {
    start + relative.duration(since: .origin)
  }

  /// The instant of a whole second, on the relative clock.
  static func instant(ofSecond second: UInt32) -> MonotonicInstant {
    if second == DialogRecord.never { return .distantFuture }
    return MonotonicInstant(nanoseconds: UInt64(second) * 1_000_000_000)
  }
}
