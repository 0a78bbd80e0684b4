public import CallState
import PagedStorage
public import SessionTimers

/// A session-timer decision, or a refused call, as an operator sees it.
public struct DecisionReport: Sendable {
  /// Identifier of the dialog; nil for what made none (422, 503).
  public let dialog: UInt64?
  /// The row of the rule table that decided, such as `A22`, or `503`.
  public let name: String
  /// Where that is written.
  public let citation: String
  /// One line for people.
  public let explanation: String
  /// Session-Expires as it came in.
  public let valueIn: SessionTimerDecision.Value
  /// Session-Expires as it went on, or the Min-SE of our 422.
  public let valueOut: SessionTimerDecision.Value
  /// Whether the transaction was an UPDATE; otherwise an INVITE.
  public let isUpdate: Bool
  /// Whether the caller of the dialog sent the request.
  public let fromCaller: Bool
  /// Seconds since then.
  public let age: UInt32

  init(_ decision: SessionTimerDecision, dialog: UInt64?, now: UInt32) {
    let clause = decision.clause ?? .a38
    self.dialog = dialog
    name = clause.name
    citation = clause.citation
    explanation = clause.explanation
    valueIn = decision.valueIn
    valueOut = decision.valueOut
    isUpdate = decision.isUpdate
    fromCaller = decision.fromCaller
    age = now - min(now, decision.second(notAfter: now))
  }

  init(_ refusal: CallRefusal, second: UInt32, now: UInt32) {
    dialog = nil
    name = "503"
    citation = "RFC 3261 §21.5.4"
    explanation = refusal.explanation
    valueIn = .absent
    valueOut = .absent
    isUpdate = false
    fromCaller = true
    age = now - min(now, second)
  }

  init(_ reason: RefusalLog.Reason, now: UInt32) {
    switch reason {
    case .decision(let decision): self.init(decision, dialog: nil, now: now)
    case .refusal(let refusal, let second): self.init(refusal, second: second, now: now)
    }
  }
}

/// A part of the answer to "why does this call have this timer".
public struct DecisionPage: Sendable {
  /// The decisions found, those of one dialog newest first.
  public let reports: [DecisionReport]
  /// Where to go on; nil when the whole table was looked at.
  public let next: UInt32?
}

extension DialogView {
  /// The dialog's identifier as one number.
  public var publicID: UInt64 { UInt64(id.index) << 32 | UInt64(id.generation) }

  static func slabID(of publicID: UInt64) -> SlabID {
    SlabID(index: UInt32(publicID >> 32), generation: UInt32(truncatingIfNeeded: publicID))
  }
}
