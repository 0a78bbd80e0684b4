// What passing messages tell about a dialog and nobody but the operator reads (F9, F17). Nothing here decides
// where a message goes or whether it may (F16, F20, F21).

public import PagedStorage
public import SIPSyntax
public import SessionTimers
public import Timekeeping

extension DialogTable {
  /// Notes the CSeq number of a request of either side; an older number than one seen changes nothing (F21).
  public mutating func noteRequest(cSeq: UInt32, from side: DialogSide, on id: SlabID) {
    guard let place = place(of: id) else { return }
    switch side {
    case .caller: records[place].callerCSeq = max(records[place].callerCSeq, cSeq)
    case .callee: records[place].calleeCSeq = max(records[place].calleeCSeq, cSeq)
    }
  }

  /// Records the Contact of one side after a target refresh: INVITE or UPDATE, its 2xx or its reliable 1xx
  /// (F17; RFC 6141 §4.6). It stays when the re-INVITE fails afterwards (F18). An empty range changes nothing.
  public mutating func updateContact(
    of side: DialogSide, to contact: ByteRange, in bytes: Span<UInt8>, on id: SlabID, at now: MonotonicInstant
  ) {
    guard let place = place(of: id) else { return }
    switch texts.replaceContact(of: side, in: records[place].text, with: contact, of: bytes) {
    case .same: return
    case .inPlace: break
    case .moved(let text):
      texts.free(records[place].text)
      records[place].text = text
    }
    report(.targetChanged, place, at: now)
  }

  /// Remembers a session-timer decision; the last four are kept, for `callkeeper why`.
  public mutating func recordDecision(_ decision: SessionTimerDecision, on id: SlabID) {
    guard let place = place(of: id) else { return }
    records[place].decisions.push(decision)
  }

  /// Seconds since the table's start, the clock of recorded decisions.
  public func second(of instant: MonotonicInstant) -> UInt32 { clock.second(of: instant) }
}
