// RFC 3261 section 17.2.2 (with erratum 1470) and RFC 4320: the non-INVITE server transaction (C10,
// C40-C47).
//
// Left open: what becomes of a transaction that the core never answers, which RFC 4320 section 4.2 makes
// the rule after a timeout or a 408 downstream. It goes on absorbing retransmissions until the sender has
// given up and the network is clear: 64*T1 + T4 after the request, then it ends by itself. Without this
// bound a 408 downstream would let the sender's next retransmission start the request anew. The 408 itself
// (C47) is the core's matter. The only provisional is the 100 (C43), at the same time over every transport
// (C46).

public import Timekeeping

/// One request other than INVITE and ACK that we received. 30 bytes, no references.
public struct NonInviteServerTransaction: BitwiseCopyable, Sendable {
  /// The states of RFC 3261 Figure 8.
  public enum State: String, BitwiseCopyable, CaseIterable, Sendable {
    /// Nothing sent yet; retransmissions are absorbed.
    case trying = "Trying"
    /// The 100 was sent.
    case proceeding = "Proceeding"
    /// A final response was sent.
    case completed = "Completed"
    /// To be destroyed at once (C55).
    case terminated = "Terminated"
  }

  /// The delayed 100; `distantFuture` when it does not run.
  private(set) var tryingAt: MonotonicInstant
  /// The bound of an unanswered request, or Timer J; `distantFuture` when terminated.
  private(set) var endsAt: MonotonicInstant
  private let base: TimerBase
  private let isReliable: Bool

  /// Where the machine stands.
  public private(set) var state: State

  /// The request arrived now and goes to the core.
  public init(receivedAt now: MonotonicInstant, timers: TransactionTimers, reliable: Bool) {
    base = timers.base
    isReliable = reliable
    state = .trying
    tryingAt = now + timers.nonInviteTryingDelay
    endsAt = now + (base.timeout + base.t4Span)
  }

  /// When `timerFired(at:)` wants to be called next; `distantFuture` when no timer runs.
  public var deadline: MonotonicInstant { min(tryingAt, endsAt) }

  /// Whether the record is to be freed now (C55).
  public var isTerminated: Bool { state == .terminated }

  /// Whether all that is left is to absorb what may still arrive, so that nobody waits for the end (Timer J).
  public var isLingering: Bool { state == .completed }

  /// What to do with a repeated request; it never goes to the core.
  public enum OnRetransmission: Sendable { case resendProvisional, resendFinal, absorb }

  /// The request arrived again (C40).
  public mutating func receivedRetransmission(at now: MonotonicInstant) -> OnRetransmission {
    switch state {
    case .trying, .terminated:
      return .absorb
    case .proceeding:
      return .resendProvisional
    case .completed:
      return .resendFinal
    }
  }

  /// What to do with a response of the core.
  public enum OnSend: Sendable { case send, discard }

  /// The core wants to send a 100: never after a final, and over UDP not before its time (C44).
  public mutating func sendTrying(at now: MonotonicInstant) -> OnSend {
    switch state {
    case .trying:
      guard isReliable || now >= tryingAt else { return .discard }
      state = .proceeding
      tryingAt = .distantFuture
      return .send
    case .proceeding:
      return .send
    case .completed, .terminated:
      return .discard
    }
  }

  /// The core sent a 100 of its own accord; see `sendTrying(at:)`.
  public mutating func sentTrying(at now: MonotonicInstant) { _ = sendTrying(at: now) }

  /// The core wants to send a 200-699; only the first is sent (C41, C42).
  public mutating func sendFinal(at now: MonotonicInstant) -> OnSend {
    switch state {
    case .trying, .proceeding:
      if isReliable {
        enter(.terminated)  // Timer J of no length
      } else {
        enter(.completed, until: now + base.timeout)
      }
      return .send
    case .completed, .terminated:
      return .discard
    }
  }

  /// What to do when time has passed.
  public enum OnTimer: Sendable { case nothing, sendTrying, terminated }

  /// Time has passed. One step at a call; a call before `deadline` changes nothing (C10, C45).
  public mutating func timerFired(at now: MonotonicInstant) -> OnTimer {
    guard now >= deadline else { return .nothing }
    switch state {
    case .trying:
      guard now < endsAt else {
        enter(.terminated)
        return .terminated
      }
      state = .proceeding
      tryingAt = .distantFuture
      return .sendTrying
    case .proceeding, .completed:
      enter(.terminated)
      return .terminated
    case .terminated:
      return .nothing
    }
  }

  /// What to do when the transport could not send.
  public enum OnTransportError: Sendable { case inform, nothing }

  /// A response could not be sent. The machine stays where it is until its timers end it (C35).
  public mutating func transportFailed(at now: MonotonicInstant) -> OnTransportError {
    switch state {
    case .trying, .terminated:
      return .nothing
    case .proceeding, .completed:
      return .inform
    }
  }

  /// Transitions out of the open states: the 100 is no longer due, at most one closing timer runs.
  private mutating func enter(_ next: State, until end: MonotonicInstant = .distantFuture) {
    state = next
    tryingAt = .distantFuture
    endsAt = end
  }
}
