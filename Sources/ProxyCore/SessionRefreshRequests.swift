// RFC 4028 section 8: the rules of SessionTimers applied to messages. Requests first, then responses.

import CallState
import PagedStorage
import SIPSyntax
import SessionTimers
import Timekeeping

/// A request's decision with what it was based on.
struct RefreshDecision {
  let request: SessionRefreshRequest
  let verdict: RequestDecision
  /// The decision in the eight bytes that are kept.
  let remembered: SessionTimerDecision

  /// What the transaction remembers (A3).
  var memory: SessionTimerMemory {
    switch verdict {
    case .reject: .none
    case .forward(let change): change.memory
    }
  }
}

extension ProxyEngine {
  /// RFC 4028 §8.1 for an INVITE or UPDATE, in a dialog we know, one we do not (A52), or none.
  func decideRefresh(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival
  ) -> RefreshDecision {
    let request = SessionRefreshRequest(message, bytes)
    let verdict = configuration.sessionTimers.decision(for: request)
    let remembered = verdict.remembered(
      about: request, isUpdate: message.method == .update, fromCaller: true,
      atSecond: dialogs.second(of: arrival.now))
    return RefreshDecision(request: request, verdict: verdict, remembered: remembered)
  }

  /// Writes the decision into the copy: digits are replaced where they stand, so every parameter keeps its
  /// place (A12, A14, A40); a new row goes to the end of the header section.
  func addSessionTimerEdits(
    _ decision: RefreshDecision, _ message: borrowing SIPMessage, to edits: inout MessageEdits
  ) {
    guard case .forward(let change) = decision.verdict else { return }
    switch change.sessionExpires {
    case .keep, .replaceMalformed:
      break
    case .insert(let interval):
      insertRow("Session-Expires: ", interval, message, to: &edits)
    case .replace(let interval):
      guard case .present(let field) = decision.request.sessionExpires else { break }
      replaceDigits(field.digits, interval, in: &edits)
    }
    switch change.minSE {
    case .keep:
      break
    case .insert(let interval):
      insertRow("Min-SE: ", interval, message, to: &edits)
    case .replace(let interval):
      guard case .present(let field) = decision.request.minSE else { break }
      replaceDigits(field.digits, interval, in: &edits)
    case .replaceMalformed(let interval):
      var row = message.first(.minSE)
      while let index = row {
        edits.delete(message[field: index].row)
        row = message.next(after: index)
      }
      insertRow("Min-SE: ", interval, message, to: &edits)
    }
  }

  /// Counts what a decision changes in a request, once however many copies of it are sent.
  func countEdits(of decision: RefreshDecision) {
    guard case .forward(let change) = decision.verdict else { return }
    count(change, decision.request)
  }

  private func insertRow(
    _ name: StaticString, _ interval: DeltaSeconds, _ message: borrowing SIPMessage,
    to edits: inout MessageEdits
  ) {
    edits.begin(insertingAt: message.headersEnd)
    edits.text.append(name)
    edits.text.append(decimal: UInt64(interval.seconds))
    edits.text.append("\r\n")
    edits.end()
  }

  private func replaceDigits(_ digits: ByteRange, _ interval: DeltaSeconds, in edits: inout MessageEdits) {
    edits.begin(replacing: digits)
    edits.text.append(decimal: UInt64(interval.seconds))
    edits.end()
  }

  private func count(_ change: RequestChange, _ request: SessionRefreshRequest) {
    if request.minSE == .opaque { counters.add(to: .sessionTimerFieldsOpaque) }  // A18
    countUnknownRefresher(request.sessionExpires)
    switch (change.sessionExpires, request.sessionExpires) {
    case (.insert, _): counters.add(to: .sessionExpiresInserted)
    case (.replace(let interval), .present(let field)):
      counters.add(to: interval > field.interval ? .sessionExpiresRaised : .sessionExpiresLowered)
    case (_, .opaque): counters.add(to: .sessionTimerFieldsOpaque)
    case (_, .present): counters.add(to: .sessionExpiresAccepted)
    case (_, .absent): break
    }
    switch change.minSE {
    case .keep: break
    case .insert: counters.add(to: .minSEInserted)
    case .replace, .replaceMalformed: counters.add(to: .minSERaised)
    }
  }

  /// A20: forwarded as it is, and counted.
  func countUnknownRefresher(_ field: FieldReading<SessionExpires>) {
    if case .present(let field) = field, field.hasUnknownRefresher { counters.add(to: .refresherUnknown) }
  }

  /// A 422 makes no dialog; its decision goes to the dialog it was sent in, or to the log of refusals.
  mutating func remember(
    refused decision: RefreshDecision, _ message: borrowing SIPMessage, _ bytes: Span<UInt8>
  ) {
    if message.to.hasTag, let dialog = findDialog(message, bytes) {
      let fromCaller = dialog.side == .caller
      dialogs.recordDecision(decision.remembered.from(caller: fromCaller), on: dialog.id)
    } else {
      refusals.append(.decision(decision.remembered), callID: callIDHash(message, bytes))
    }
  }

  /// Hash under which the log of refusals finds a call.
  func callIDHash(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) -> UInt64 {
    callIDHash(bytes, message.callID)
  }

  /// The same for a Call-ID given by an operator.
  func callIDHash(_ bytes: Span<UInt8>, _ callID: ByteRange) -> UInt64 {
    var hasher = KeyedHasher(key: processKey, output: .bits64, for: .lookup)
    hasher.appendField(bytes, callID)
    return hasher.finish64()
  }
}
