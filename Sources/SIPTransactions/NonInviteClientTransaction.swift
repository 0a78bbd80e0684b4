// RFC 3261 section 17.1.2: the non-INVITE client transaction (C5, C6, C11, C36-C39).
//
// Left open: erratum 2769 on Timer E; it doubles at every firing up to T2 (0.5, 1, 2, 4, 4 ... s). In
// Proceeding the running Timer E is left as it is and set to T2 from its next firing on. A timeout ends with
// the core sending nothing upstream (RFC 4320 section 4.2, C39); the machine only reports it.

public import Timekeeping

/// One request other than INVITE and ACK that we sent. 31 bytes, no references.
public struct NonInviteClientTransaction: BitwiseCopyable, Sendable {
  /// The states of RFC 3261 Figure 6.
  public enum State: String, BitwiseCopyable, CaseIterable, Sendable {
    /// Sent, nothing heard.
    case trying = "Trying"
    /// A provisional response was heard; over UDP we still retransmit (C37).
    case proceeding = "Proceeding"
    /// A final response went up; its repetitions are absorbed.
    case completed = "Completed"
    /// To be destroyed at once (C55).
    case terminated = "Terminated"
  }

  /// Timer E; `distantFuture` when it does not run.
  private(set) var retransmitAt: MonotonicInstant
  /// Timer F or K; `distantFuture` when none runs.
  private(set) var endsAt: MonotonicInstant
  private let base: TimerBase
  private var step: UInt8
  private let isReliable: Bool

  /// Where the machine stands.
  public private(set) var state: State

  /// The request goes out now: Timer F runs, and Timer E unless the transport is reliable (C36).
  public init(sentAt now: MonotonicInstant, timers: TransactionTimers, reliable: Bool) {
    base = timers.base
    step = 0
    isReliable = reliable
    state = .trying
    retransmitAt = reliable ? .distantFuture : now + base.cappedInterval(step: 0)
    endsAt = now + base.timeout
  }

  /// When `timerFired(at:)` wants to be called next; `distantFuture` when no timer runs.
  public var deadline: MonotonicInstant { min(retransmitAt, endsAt) }

  /// Whether the record is to be freed now (C55).
  public var isTerminated: Bool { state == .terminated }

  /// Whether all that is left is to absorb what may still arrive, so that nobody waits for the end (Timer K).
  public var isLingering: Bool { state == .completed }

  /// What to do with a provisional response.
  public enum OnProvisional: Sendable { case passUp, drop }

  /// A 1xx arrived; Timers E and F run on (C36, C37).
  public mutating func receivedProvisional(at now: MonotonicInstant) -> OnProvisional {
    switch state {
    case .trying, .proceeding:
      state = .proceeding
      return .passUp
    case .completed, .terminated:
      return .drop
    }
  }

  /// What to do with a final response.
  public enum OnFinal: Sendable { case passUp, drop }

  /// A 200-699 arrived; only the first goes up (C38).
  public mutating func receivedFinal(at now: MonotonicInstant) -> OnFinal {
    switch state {
    case .trying, .proceeding:
      if isReliable {
        enter(.terminated)  // Timer K of no length
      } else {
        enter(.completed, until: now + base.t4Span)
      }
      return .passUp
    case .completed, .terminated:
      return .drop
    }
  }

  /// What to do when time has passed.
  public enum OnTimer: Sendable { case nothing, retransmit, timedOut, terminated }

  /// Time has passed. One step at a call; a call before `deadline` changes nothing (C5, C6, C11).
  public mutating func timerFired(at now: MonotonicInstant) -> OnTimer {
    guard now >= deadline else { return .nothing }
    switch state {
    case .trying, .proceeding:
      guard now < endsAt else {
        enter(.terminated)  // Timer F
        return .timedOut
      }
      step = min(step + 1, TimerBase.lastStep)  // Timer E
      let interval = state == .trying ? base.cappedInterval(step: step) : base.t2Span
      retransmitAt = now + interval
      return .retransmit
    case .completed:
      enter(.terminated)  // Timer K
      return .terminated
    case .terminated:
      return .nothing
    }
  }

  /// What to do when the transport could not send.
  public enum OnTransportError: Sendable { case inform, nothing }

  /// The request could not be sent (RFC 3261 §17.1.4).
  public mutating func transportFailed(at now: MonotonicInstant) -> OnTransportError {
    switch state {
    case .trying, .proceeding:
      enter(.terminated)
      return .inform
    case .completed, .terminated:
      return .nothing
    }
  }

  /// Transitions out of the retransmitting states: Timer E stops, at most one closing timer runs.
  private mutating func enter(_ next: State, until end: MonotonicInstant = .distantFuture) {
    state = next
    retransmitAt = .distantFuture
    endsAt = end
  }
}
