// The events and timers of the four machines, as Docs/STATE-MACHINES.md names them.

package import Timekeeping

extension InviteClientTransaction: TabulatedMachine {
  /// What can happen to an INVITE client transaction.
  package enum Event: String, CaseIterable, Sendable {
    case provisional = "1xx"
    case success = "2xx"
    case failure = "300-699"
    case transportError = "Transport error"
  }

  package static var title: String { "INVITE client transaction" }

  package static func fresh(reliable: Bool) -> Self {
    Self(sentAt: .origin, timers: TransactionTimers(), reliable: reliable)
  }

  package var runningTimers: [(name: String, at: MonotonicInstant)] {
    let closing: String
    switch state {
    case .calling: closing = "Timer B"
    case .completed: closing = "Timer D"
    case .accepted: closing = "Timer M"
    case .proceeding, .terminated: closing = ""
    }
    return running(("Timer A", retransmitAt), (closing, endsAt))
  }

  package mutating func apply(_ event: Event) -> String {
    switch event {
    case .provisional: return "\(receivedProvisional(at: .origin))"
    case .success: return "\(receivedSuccess(at: .origin))"
    case .failure: return "\(receivedFailure(at: .origin))"
    case .transportError: return "\(transportFailed(at: .origin))"
    }
  }

  package mutating func fire(at now: MonotonicInstant) -> String { "\(timerFired(at: now))" }
}

extension InviteServerTransaction: TabulatedMachine {
  /// What can happen to an INVITE server transaction.
  package enum Event: String, CaseIterable, Sendable {
    case retransmission = "INVITE"
    case provisional = "1xx from core"
    case success = "2xx from core"
    case failure = "300-699 from core"
    case ack = "ACK"
    case transportError = "Transport error"
  }

  package static var title: String { "INVITE server transaction" }

  package static func fresh(reliable: Bool) -> Self {
    Self(receivedAt: .origin, timers: TransactionTimers(), reliable: reliable)
  }

  package var runningTimers: [(name: String, at: MonotonicInstant)] {
    let closing: String
    switch state {
    case .completed: closing = "Timer H"
    case .confirmed: closing = "Timer I"
    case .accepted: closing = "Timer L"
    case .unanswered, .proceeding, .terminated: closing = ""
    }
    return running((state == .unanswered ? "Delay of 100" : "Timer G", repeatAt), (closing, endsAt))
  }

  package mutating func apply(_ event: Event) -> String {
    switch event {
    case .retransmission: return "\(receivedRetransmission(at: .origin))"
    case .provisional: return "\(sendProvisional(at: .origin))"
    case .success: return "\(sendSuccess(at: .origin))"
    case .failure: return "\(sendFailure(at: .origin))"
    case .ack: return "\(receivedAck(at: .origin))"
    case .transportError: return "\(transportFailed(at: .origin))"
    }
  }

  package mutating func fire(at now: MonotonicInstant) -> String { "\(timerFired(at: now))" }
}

extension NonInviteClientTransaction: TabulatedMachine {
  /// What can happen to a non-INVITE client transaction.
  package enum Event: String, CaseIterable, Sendable {
    case provisional = "1xx"
    case final = "200-699"
    case transportError = "Transport error"
  }

  package static var title: String { "Non-INVITE client transaction" }

  package static func fresh(reliable: Bool) -> Self {
    Self(sentAt: .origin, timers: TransactionTimers(), reliable: reliable)
  }

  package var runningTimers: [(name: String, at: MonotonicInstant)] {
    running(("Timer E", retransmitAt), (state == .completed ? "Timer K" : "Timer F", endsAt))
  }

  package mutating func apply(_ event: Event) -> String {
    switch event {
    case .provisional: return "\(receivedProvisional(at: .origin))"
    case .final: return "\(receivedFinal(at: .origin))"
    case .transportError: return "\(transportFailed(at: .origin))"
    }
  }

  package mutating func fire(at now: MonotonicInstant) -> String { "\(timerFired(at: now))" }
}

extension NonInviteServerTransaction: TabulatedMachine {
  /// What can happen to a non-INVITE server transaction.
  package enum Event: String, CaseIterable, Sendable {
    case retransmission = "Request"
    case trying = "100 from core"
    case final = "200-699 from core"
    case transportError = "Transport error"
  }

  package static var title: String { "Non-INVITE server transaction" }

  package static func fresh(reliable: Bool) -> Self {
    Self(receivedAt: .origin, timers: TransactionTimers(), reliable: reliable)
  }

  package var runningTimers: [(name: String, at: MonotonicInstant)] {
    running(
      ("Delay of 100", tryingAt), (state == .completed ? "Timer J" : "Bound of an unanswered request", endsAt)
    )
  }

  package mutating func apply(_ event: Event) -> String {
    switch event {
    case .retransmission: return "\(receivedRetransmission(at: .origin))"
    case .trying: return "\(sendTrying(at: .origin))"
    case .final: return "\(sendFinal(at: .origin))"
    case .transportError: return "\(transportFailed(at: .origin))"
    }
  }

  package mutating func fire(at now: MonotonicInstant) -> String { "\(timerFired(at: now))" }
}

/// Those of the two timers that run.
private func running(
  _ first: (name: String, at: MonotonicInstant), _ second: (name: String, at: MonotonicInstant)
) -> [(name: String, at: MonotonicInstant)] {
  [first, second].filter { $0.at < .distantFuture }
}
