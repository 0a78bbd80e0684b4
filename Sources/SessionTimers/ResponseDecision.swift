// RFC 4028 section 8.2: what a proxy does to a response to a session refresh request, row by row (A61-A68).
//
// Left open: a 2xx whose Session-Expires cannot be read (A66), where the record lives as long as one
// without a timer; and a caller that named the callee as refresher when the callee knows no timers (A65),
// where the text makes the caller the refresher and erratum 8926 would leave the response alone:
// `honorsRefresherUAS`.
//
// What never happens here: a Session-Expires that is there is not in the result, so it cannot change,
// however short, long or odd it is (A71); Min-SE in a response is not looked at (A80). A 422 from
// downstream is an ordinary failure (A60). The same 2xx gives the same decision every time (A75).

public import SIPSyntax

/// What has become of the timer of the response's dialog, from the time the response is forwarded (A77).
public enum SessionTimerResult: BitwiseCopyable, Equatable, Sendable {
  /// No 2xx: whatever runs, runs on (A67, A68, A79).
  case unchanged
  /// The session has no timer; one that ran is switched off (A62, A63, A78).
  case off
  /// The session expires `interval` after the 2xx is forwarded; `refresher` is nil when it names nobody.
  case runs(interval: DeltaSeconds, refresher: Refresher?)
  /// A timer was set that we cannot read: as without one, but counted apart (A66).
  case unreadable
}

/// A Session-Expires row that we put into a response.
public struct InsertedSessionExpires: BitwiseCopyable, Equatable, Sendable {
  /// The interval as we sent it downstream, not ours and not the caller's (A69).
  public var interval: DeltaSeconds
  /// Always the caller: nobody else here can refresh (RFC 4028 §8.2).
  public var refresher: Refresher { .uac }
}

/// What a proxy does to a response before forwarding it.
public struct ResponseDecision: BitwiseCopyable, Equatable, Sendable {
  /// The Session-Expires to add; nil leaves the response as it is.
  public var insert: InsertedSessionExpires?
  /// What the response means for its dialog (A74: for its own dialog only).
  public var timer: SessionTimerResult
  /// The row that decided.
  public var clause: Clause

  /// Whether `timer` is to be listed in Require, once, in addition to what stands there (A70).
  public var requireTimer: Bool { insert != nil }
}

extension SessionTimerPolicy {
  /// RFC 4028 §8.2 for one response to an INVITE or UPDATE whose request left `memory`.
  public func decision(
    forStatus status: UInt16, sessionExpires: FieldReading<SessionExpires>, memory: SessionTimerMemory
  ) -> ResponseDecision {
    guard status >= 200 else { return ResponseDecision(.unchanged, .a68) }
    guard status < 300 else { return ResponseDecision(.unchanged, .a67) }

    switch sessionExpires {
    case .present(let field):
      return ResponseDecision(.runs(interval: field.interval, refresher: field.refresher), .a61)
    case .opaque:
      return ResponseDecision(.unreadable, .a66)
    case .absent:
      guard memory.asked else { return ResponseDecision(.off, .a62) }
      guard memory.supportsTimer else { return ResponseDecision(.off, .a63) }
      guard memory.refresherInRequest == .uas else { return answering(.a64, memory) }
      return honorsRefresherUAS ? ResponseDecision(.off, .a65) : answering(.a65, memory)
    }
  }

  /// The callee knows no timers and the caller does: we answer in the callee's place.
  private func answering(_ clause: Clause, _ memory: SessionTimerMemory) -> ResponseDecision {
    var decision = ResponseDecision(.runs(interval: memory.interval, refresher: .uac), clause)
    decision.insert = InsertedSessionExpires(interval: memory.interval)
    return decision
  }
}

extension ResponseDecision {
  fileprivate init(_ timer: SessionTimerResult, _ clause: Clause) {
    self.insert = nil
    self.timer = timer
    self.clause = clause
  }
}
