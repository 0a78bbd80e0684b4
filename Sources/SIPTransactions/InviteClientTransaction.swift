// RFC 3261 section 17.1.1 with sections 7.2 and 8.4 of RFC 6026: the INVITE client transaction (C1, C2,
// C4, C13, C15-C25).
//
// Left open: Proceeding has no bound of its own (C17, erratum 5653); the proxy's Timer C bounds it. A
// transport error means something only where the machine has sent: Calling (the INVITE) and Completed (the
// ACK), the two arcs of RFC 6026 Figure 5; elsewhere it changes nothing. Responses the figure has no arc for
// are dropped (C24).

public import Timekeeping

/// One INVITE that we sent, until nothing about it can arrive any more. 31 bytes, no references.
public struct InviteClientTransaction: BitwiseCopyable, Sendable {
  /// The states of RFC 6026 Figure 5.
  public enum State: String, BitwiseCopyable, CaseIterable, Sendable {
    /// Sent, nothing heard.
    case calling = "Calling"
    /// A provisional response was heard.
    case proceeding = "Proceeding"
    /// A 300-699 was heard and acknowledged; its repetitions are acknowledged again.
    case completed = "Completed"
    /// A 2xx was heard; repetitions and other forks' 2xx still pass.
    case accepted = "Accepted"
    /// To be destroyed at once (C55).
    case terminated = "Terminated"
  }

  /// Timer A; `distantFuture` when it does not run.
  private(set) var retransmitAt: MonotonicInstant
  /// Timer B, D or M; `distantFuture` when none runs.
  private(set) var endsAt: MonotonicInstant
  private let base: TimerBase
  private var step: UInt8
  private let isReliable: Bool

  /// Where the machine stands.
  public private(set) var state: State

  /// The INVITE goes out now: Timer B runs, and Timer A unless the transport is reliable (C15).
  public init(sentAt now: MonotonicInstant, timers: TransactionTimers, reliable: Bool) {
    base = timers.base
    step = 0
    isReliable = reliable
    state = .calling
    retransmitAt = reliable ? .distantFuture : now + base.interval(step: 0)
    endsAt = now + base.timeout
  }

  /// When `timerFired(at:)` wants to be called next; `distantFuture` when no timer runs.
  public var deadline: MonotonicInstant { min(retransmitAt, endsAt) }

  /// Whether the record is to be freed now (C55).
  public var isTerminated: Bool { state == .terminated }

  /// Whether all that is left is to absorb what may still arrive, so that nobody waits for the end (Timers D and M).
  public var isLingering: Bool { state == .completed || state == .accepted }

  /// What to do with a provisional response.
  public enum OnProvisional: Sendable { case passUp, drop }

  /// A 1xx arrived (C16).
  public mutating func receivedProvisional(at now: MonotonicInstant) -> OnProvisional {
    switch state {
    case .calling, .proceeding:
      enter(.proceeding)
      return .passUp
    case .completed, .accepted, .terminated:
      return .drop
    }
  }

  /// What to do with a 2xx.
  public enum OnSuccess: Sendable { case passUp, drop }

  /// A 2xx arrived. It is never acknowledged here, and every one in Accepted goes up (C20, C21).
  public mutating func receivedSuccess(at now: MonotonicInstant) -> OnSuccess {
    switch state {
    case .calling, .proceeding:
      enter(.accepted, until: now + base.timeout)  // Timer M
      return .passUp
    case .accepted:
      return .passUp
    case .completed, .terminated:
      return .drop
    }
  }

  /// What to do with a 300-699.
  public enum OnFailure: Sendable { case acknowledgeAndPassUp, acknowledgeAgain, drop }

  /// A 300-699 arrived: acknowledged every time, passed up once (C18, C19).
  public mutating func receivedFailure(at now: MonotonicInstant) -> OnFailure {
    switch state {
    case .calling, .proceeding:
      if isReliable {
        enter(.terminated)  // Timer D of no length
      } else {
        enter(.completed, until: now + base.timerD)
      }
      return .acknowledgeAndPassUp
    case .completed:
      return .acknowledgeAgain
    case .accepted, .terminated:
      return .drop  // C24
    }
  }

  /// What to do when time has passed.
  public enum OnTimer: Sendable { case nothing, retransmit, timedOut, terminated }

  /// Time has passed. One step at a call; a call before `deadline` changes nothing (C1, C2, C4, C13).
  public mutating func timerFired(at now: MonotonicInstant) -> OnTimer {
    guard now >= deadline else { return .nothing }
    switch state {
    case .calling:
      guard now < endsAt else {
        enter(.terminated)  // Timer B
        return .timedOut
      }
      step = min(step + 1, TimerBase.lastStep)  // Timer A: doubles, no cap
      retransmitAt = now + base.interval(step: step)
      return .retransmit
    case .completed, .accepted:
      enter(.terminated)  // Timer D, Timer M
      return .terminated
    case .proceeding, .terminated:
      return .nothing
    }
  }

  /// What to do when the transport could not send.
  public enum OnTransportError: Sendable { case inform, nothing }

  /// What we sent last could not be sent (C25).
  public mutating func transportFailed(at now: MonotonicInstant) -> OnTransportError {
    switch state {
    case .calling, .completed:
      enter(.terminated)
      return .inform
    case .proceeding, .accepted, .terminated:
      return .nothing
    }
  }

  /// Every transition passes here: Timer A stops and at most one closing timer runs.
  private mutating func enter(_ next: State, until end: MonotonicInstant = .distantFuture) {
    state = next
    retransmitAt = .distantFuture
    endsAt = end
  }
}
