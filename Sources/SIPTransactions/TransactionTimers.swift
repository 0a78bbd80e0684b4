// RFC 3261 section 17 and Appendix A (Table 4), RFC 6026 section 8.11: the lengths of Timers A to M.
//
// Left open by the RFCs: T1 may be chosen (larger freely, smaller only in closed networks, C14). We let
// the user choose T1 and keep T2 and T4 at their defaults, but never T2 below T1, so that the back-off
// never runs backwards. Every length is whole milliseconds, so that a machine fits into 32 bytes.

public import Timekeeping

/// The lengths of the transaction timers, all derived from T1 (RFC 3261 Table 4, C1-C14).
public struct TransactionTimers: BitwiseCopyable, Hashable, Sendable {
  let base: TimerBase

  /// How long an INVITE may go unanswered before we send a 100 of our own; below the 200 ms of
  /// RFC 3261 §17.2.1 (C26).
  public let tryingDelay: TimeSpan

  /// How long any other request may go unanswered before we send a 100, and before we may: the time
  /// a client's Timer E takes to be reset to T2, 3.5 s by default (RFC 4320 §4.1, C44, C45).
  public let nonInviteTryingDelay: TimeSpan

  /// Timers for a round-trip estimate; `t1` is rounded down to milliseconds and raised to at least one.
  public init(t1: TimeSpan = .milliseconds(500), tryingDelay: TimeSpan = .milliseconds(150)) {
    let t1 = UInt32(clamping: max(1, t1.wholeMilliseconds))
    base = TimerBase(t1: t1, t2: max(4_000, t1), t4: 5_000)
    self.tryingDelay = max(.zero, tryingDelay)

    // Timer E starts at T1 and doubles: sum what passes until it is set to T2 for the first time.
    var elapsed = base.interval(step: 0)
    var step: UInt8 = 1
    while base.cappedInterval(step: step) < base.t2Span {
      elapsed = elapsed + base.interval(step: step)
      step += 1
    }
    nonInviteTryingDelay = elapsed
  }

  /// Estimate of a round trip, default 500 ms.
  public var t1: TimeSpan { .milliseconds(Int64(base.t1)) }

  /// Longest interval between retransmissions of non-INVITE requests and of finals to INVITE: 4 s.
  public var t2: TimeSpan { base.t2Span }

  /// How long the network may keep a message: 5 s.
  public var t4: TimeSpan { base.t4Span }

  /// Timers B, F, H, J, L and M: 64*T1, 32 s by default.
  public var timeout: TimeSpan { base.timeout }

  /// Timer D: at least 32 s, whatever T1 is (RFC 6026 §8.4, C4).
  public var timerD: TimeSpan { base.timerD }
}

/// T1, T2 and T4 in the 12 bytes that every machine carries.
struct TimerBase: BitwiseCopyable, Hashable, Sendable {
  /// Milliseconds, at least 1.
  let t1: UInt32
  /// Milliseconds, at least `t1`.
  let t2: UInt32
  /// Milliseconds.
  let t4: UInt32

  /// Doublings beyond which an interval no longer grows; more than 64*T1 can ever hold.
  static let lastStep: UInt8 = 30

  /// Interval after `step` doublings of T1, without a cap (Timer A). At most 2^62 ms, so it cannot overflow.
  func interval(step: UInt8) -> TimeSpan { .milliseconds(Int64(t1) << Int64(min(step, Self.lastStep))) }

  /// Interval after `step` doublings of T1, at most T2 (Timers E and G).
  func cappedInterval(step: UInt8) -> TimeSpan { min(interval(step: step), t2Span) }

  var t2Span: TimeSpan { .milliseconds(Int64(t2)) }
  var t4Span: TimeSpan { .milliseconds(Int64(t4)) }
  var timeout: TimeSpan { .milliseconds(Int64(t1) * 64) }
  var timerD: TimeSpan { max(.seconds(32), timeout) }
}
