import SessionTimers

/// Why a call was refused with 503.
public enum CallRefusal: UInt8, BitwiseCopyable, CaseIterable, Sendable {
  /// `--max-dialogs` are held.
  case dialogLimit
  /// `--max-transactions`, or this source's share of them, are held.
  case transactionLimit
  /// The process is about to end.
  case draining

  /// One line for an operator.
  public var explanation: String {
    switch self {
    case .dialogLimit: "as many dialogs as --max-dialogs allows were held"
    case .transactionLimit:
      "as many transactions as --max-transactions allows, or as one source may have, were held"
    case .draining: "the proxy was about to end"
    }
  }
}

/// The last calls that made no dialog, refused with 422 or 503, so that `why` can explain them.
///
/// A ring of fixed size: the oldest entry gives way, nothing grows.
struct RefusalLog {
  /// What happened to a call: a session-timer decision, or a refusal and its second on the same clock.
  enum Reason {
    case decision(SessionTimerDecision)
    case refusal(CallRefusal, second: UInt32)
  }

  private struct Entry {
    var callID: UInt64
    var reason: Reason
  }

  /// Entries kept.
  static let capacity = 4096

  private var entries: [Entry] = []
  private var next = 0

  /// Adds an entry under the hash of its Call-ID.
  mutating func append(_ reason: Reason, callID: UInt64) {
    let entry = Entry(callID: callID, reason: reason)
    if entries.count < Self.capacity {
      if entries.isEmpty { entries.reserveCapacity(Self.capacity) }
      entries.append(entry)
    } else {
      entries[next] = entry
    }
    next = (next + 1) % Self.capacity
  }

  /// What happened to a call, newest first.
  func reasons(callID: UInt64) -> [Reason] {
    var found: [Reason] = []
    for age in 1...Self.capacity where age <= entries.count {
      let position = (next - age + Self.capacity) % Self.capacity
      if entries[position].callID == callID { found.append(entries[position].reason) }
    }
    return found
  }
}

extension SessionTimerDecision {
  /// The same decision, sent by the caller of its dialog or by the callee.
  func from(caller: Bool) -> SessionTimerDecision {
    SessionTimerDecision(bits: caller ? bits | 1 << 6 : bits & ~(1 << 6))
  }
}
