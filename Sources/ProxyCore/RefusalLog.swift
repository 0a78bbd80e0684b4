import SessionTimers

/// The last decisions that made no dialog (a 422), so that `why` can explain them.
///
/// A ring of fixed size: the oldest entry gives way, nothing grows.
struct RefusalLog {
  private struct Entry {
    var callID: UInt64
    var decision: SessionTimerDecision
  }

  /// Entries kept.
  static let capacity = 4096

  private var entries: [Entry] = []
  private var next = 0

  /// Adds a decision under the hash of its Call-ID.
  mutating func append(_ decision: SessionTimerDecision, callID: UInt64) {
    let entry = Entry(callID: callID, decision: decision)
    if entries.count < Self.capacity {
      if entries.isEmpty { entries.reserveCapacity(Self.capacity) }
      entries.append(entry)
    } else {
      entries[next] = entry
    }
    next = (next + 1) % Self.capacity
  }

  /// The decisions about a call, newest first.
  func decisions(callID: UInt64) -> [SessionTimerDecision] {
    var found: [SessionTimerDecision] = []
    for age in 1...Self.capacity where age <= entries.count {
      let position = (next - age + Self.capacity) % Self.capacity
      if entries[position].callID == callID { found.append(entries[position].decision) }
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
