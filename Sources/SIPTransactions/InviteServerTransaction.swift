// RFC 3261 section 17.2.1 with sections 7.1 and 8.5-8.8 of RFC 6026: the INVITE server transaction (C7-C9,
// C12, C26-C35).
//
// Left open: when the 100 goes out. We send it when nothing else was sent within `tryingDelay`, or at once
// when the INVITE is repeated before that. So Proceeding has two faces here: `unanswered` before anything was
// sent, `proceeding` after. An ACK before any final, which no figure knows, is absorbed.

public import Timekeeping

/// One INVITE that we received, until nothing about it can arrive any more. 31 bytes, no references.
public struct InviteServerTransaction: BitwiseCopyable, Sendable {
  /// The states of RFC 6026 Figure 7; Proceeding is split by whether anything was sent.
  public enum State: String, BitwiseCopyable, CaseIterable, Sendable {
    /// Proceeding, nothing sent yet: a 100 is due.
    case unanswered = "Proceeding (unanswered)"
    /// A provisional response was sent.
    case proceeding = "Proceeding"
    /// A 2xx was sent; retransmissions of the INVITE are absorbed, ACKs go to the core.
    case accepted = "Accepted"
    /// A 300-699 was sent and not yet acknowledged.
    case completed = "Completed"
    /// The 300-699 was acknowledged; further ACKs are absorbed.
    case confirmed = "Confirmed"
    /// To be destroyed at once (C55).
    case terminated = "Terminated"
  }

  /// The delayed 100 or Timer G; `distantFuture` when neither runs.
  private(set) var repeatAt: MonotonicInstant
  /// Timer H, I or L; `distantFuture` when none runs.
  private(set) var endsAt: MonotonicInstant
  private let base: TimerBase
  private var step: UInt8
  private let isReliable: Bool

  /// Where the machine stands.
  public private(set) var state: State

  /// The INVITE arrived now and goes to the core (C26).
  public init(receivedAt now: MonotonicInstant, timers: TransactionTimers, reliable: Bool) {
    base = timers.base
    step = 0
    isReliable = reliable
    state = .unanswered
    repeatAt = now + timers.tryingDelay
    endsAt = .distantFuture
  }

  /// When `timerFired(at:)` wants to be called next; `distantFuture` when no timer runs.
  public var deadline: MonotonicInstant { min(repeatAt, endsAt) }

  /// Whether the record is to be freed now (C55).
  public var isTerminated: Bool { state == .terminated }

  /// Whether all that is left is to absorb what may still arrive, so that nobody waits for the end (Timers L and I).
  public var isLingering: Bool { state == .accepted || state == .confirmed }

  /// What to do with a repeated INVITE; it never goes to the core.
  public enum OnRetransmission: Sendable { case sendTrying, resendProvisional, resendFinal, absorb }

  /// The INVITE arrived again (C27, C29, C33). After `sendTrying` the machine counts the 100 as sent.
  public mutating func receivedRetransmission(at now: MonotonicInstant) -> OnRetransmission {
    switch state {
    case .unanswered:
      enter(.proceeding)
      return .sendTrying
    case .proceeding:
      return .resendProvisional
    case .completed:
      return .resendFinal
    case .accepted, .confirmed, .terminated:
      return .absorb
    }
  }

  /// What to do with a response of the core.
  public enum OnSend: Sendable { case send, discard }

  /// The core wants to send a 1xx: only before a final response.
  public mutating func sendProvisional(at now: MonotonicInstant) -> OnSend {
    switch state {
    case .unanswered, .proceeding:
      enter(.proceeding)
      return .send
    case .accepted, .completed, .confirmed, .terminated:
      return .discard
    }
  }

  /// The core sent a 100 of its own accord (overload).
  public mutating func sentTrying(at now: MonotonicInstant) { _ = sendProvisional(at: now) }

  /// The core sent a 1xx.
  public mutating func sentProvisional(at now: MonotonicInstant) { _ = sendProvisional(at: now) }

  /// The core wants to send a 2xx; further ones pass in Accepted, none is repeated here (C28, C30).
  public mutating func sendSuccess(at now: MonotonicInstant) -> OnSend {
    switch state {
    case .unanswered, .proceeding:
      enter(.accepted, until: now + base.timeout)  // Timer L
      return .send
    case .accepted:
      return .send
    case .completed, .confirmed, .terminated:
      return .discard
    }
  }

  /// The core wants to send a 300-699: Timer H runs, and Timer G unless reliable (C32).
  public mutating func sendFailure(at now: MonotonicInstant) -> OnSend {
    switch state {
    case .unanswered, .proceeding:
      enter(.completed, until: now + base.timeout)
      if !isReliable { repeatAt = now + base.cappedInterval(step: 0) }
      return .send
    case .accepted, .completed, .confirmed, .terminated:
      return .discard
    }
  }

  /// What to do with an ACK.
  public enum OnAck: Sendable { case passToCore, absorbed }

  /// An ACK arrived: that of a 2xx goes to the core, that of a 300-699 ends here (C31, C34).
  public mutating func receivedAck(at now: MonotonicInstant) -> OnAck {
    switch state {
    case .accepted:
      return .passToCore
    case .completed:
      if isReliable {
        enter(.terminated)  // Timer I of no length
      } else {
        enter(.confirmed, until: now + base.t4Span)
      }
      return .absorbed
    case .unanswered, .proceeding, .confirmed, .terminated:
      return .absorbed
    }
  }

  /// What to do when time has passed.
  public enum OnTimer: Sendable { case nothing, sendTrying, retransmitFinal, ackMissing, terminated }

  /// Time has passed. One step at a call; a call before `deadline` changes nothing (C7-C9, C12, C26).
  public mutating func timerFired(at now: MonotonicInstant) -> OnTimer {
    guard now >= deadline else { return .nothing }
    switch state {
    case .unanswered:
      enter(.proceeding)
      return .sendTrying
    case .completed:
      guard now < endsAt else {
        enter(.terminated)  // Timer H
        return .ackMissing
      }
      step = min(step + 1, TimerBase.lastStep)  // Timer G
      repeatAt = now + base.cappedInterval(step: step)
      return .retransmitFinal
    case .accepted, .confirmed:
      enter(.terminated)  // Timer L, Timer I
      return .terminated
    case .proceeding, .terminated:
      return .nothing
    }
  }

  /// What to do when the transport could not send.
  public enum OnTransportError: Sendable { case inform, nothing }

  /// A response could not be sent. The machine stays where it is until its timers end it (C35).
  public mutating func transportFailed(at now: MonotonicInstant) -> OnTransportError {
    switch state {
    case .unanswered, .proceeding, .accepted, .completed:
      return .inform
    case .confirmed, .terminated:
      return .nothing
    }
  }

  /// Every transition passes here: what ran stops, and at most one closing timer runs.
  private mutating func enter(_ next: State, until end: MonotonicInstant = .distantFuture) {
    state = next
    repeatAt = .distantFuture
    endsAt = end
  }
}
