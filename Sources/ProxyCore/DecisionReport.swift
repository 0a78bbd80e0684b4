public import CallState
import PagedStorage
public import SessionTimers

/// A session-timer decision as an operator sees it.
public struct DecisionReport: Sendable {
  /// Identifier of the dialog; nil for a decision that made none (422).
  public let dialog: UInt64?
  /// The row of the rule table that decided, with its citation and explanation.
  public let clause: Clause
  /// Session-Expires as it came in.
  public let valueIn: SessionTimerDecision.Value
  /// Session-Expires as it went on, or the Min-SE of our 422.
  public let valueOut: SessionTimerDecision.Value
  /// Whether the transaction was an UPDATE; otherwise an INVITE.
  public let isUpdate: Bool
  /// Whether the caller of the dialog sent the request.
  public let fromCaller: Bool
  /// Seconds since the decision.
  public let age: UInt32

  init(_ decision: SessionTimerDecision, dialog: UInt64?, now: UInt32) {
    self.dialog = dialog
    clause = decision.clause ?? .a38
    valueIn = decision.valueIn
    valueOut = decision.valueOut
    isUpdate = decision.isUpdate
    fromCaller = decision.fromCaller
    age = now - min(now, decision.second(notAfter: now))
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
