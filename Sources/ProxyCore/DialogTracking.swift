// RFC 3261 sections 12, 13.2.2.4 and 15: which dialog a message belongs to, and when dialogs end.

import CallState
import PagedStorage
import SIPSyntax
import Timekeeping

extension ProxyEngine {
  /// The dialog a message names and the side its From tag belongs to (F1).
  func findDialog(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) -> DialogMatch? {
    dialogs.match(callID: message.callID, tag: message.from.tag, otherTag: message.to.tag, in: bytes)
  }

  /// Ties an in-dialog INVITE, UPDATE or BYE to its dialog; a refresh keeps it from expiring (A89). A BYE without
  /// To tag belongs to the dialog of a callee that has none (F6).
  mutating func attachDialog(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, to record: inout ServerTransactionRecord
  ) {
    let isRefresh = record.flags.contains(.refresh)
    guard isRefresh && message.to.hasTag || message.method == .bye else { return }
    guard let dialog = findDialog(message, bytes) else { return }
    record.dialog = dialog.id
    dialogs.noteRequest(cSeq: message.cSeq.number, from: dialog.side, on: dialog.id)
    if isRefresh {
      dialogs.openRefresh(dialog.id)
      record.flags.insert(.holdsRefresh)
    }
  }

  /// The refresh has its final response or never will: the dialog may expire again (A89).
  mutating func releaseRefresh(of server: UInt32, at now: MonotonicInstant) {
    let record = servers.slab[server]
    servers.slab[server].flags.remove(.holdsRefresh)
    releaseRefresh(of: record, at: now)
  }

  /// The same for a record that is not in the table.
  mutating func releaseRefresh(of record: ServerTransactionRecord, at now: MonotonicInstant) {
    if record.flags.contains(.holdsRefresh) { dialogs.closeRefresh(record.dialog) }
  }

  /// Ends what is still early of an INVITE's dialogs (F10, F11).
  mutating func endEarlyDialogs(of server: UInt32, cause: DialogEnd, at now: MonotonicInstant) {
    guard !servers.slab[server].earlyDialogs.isNone else { return }
    var chain = servers.slab[server].earlyDialogs
    dialogs.endEarly(chain: &chain, cause: cause, at: now)
    servers.slab[server].earlyDialogs = .none
  }

  /// A final response to an in-dialog request decides about the dialog: BYE with 2xx, 481 or 408 ends it, as
  /// does 481 to a refresh; nothing else does (F22, F24–F26).
  mutating func trackFinal(status: UInt16, of server: UInt32, at now: MonotonicInstant) {
    let record = servers.slab[server]
    guard record.flags.contains(.inDialog) else { return }
    if record.method == .bye, status < 300 || status == 481 || status == 408 {
      dialogs.end(record.dialog, cause: .bye, at: now)
    } else if record.flags.contains(.refresh), status == 481 {
      dialogs.end(record.dialog, cause: .notFound481, at: now)
    }
  }
}
