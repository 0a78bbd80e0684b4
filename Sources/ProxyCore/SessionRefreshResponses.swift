// RFC 4028 section 8.2 applied to a response on its way upstream, and what it means for its dialog.

import CallState
import PagedStorage
import SIPSyntax
import SessionTimers
import Timekeeping

extension ProxyEngine {
  /// Adds what the rules want in a 2xx: Session-Expires and `timer` in Require (A64, A70).
  func addSessionTimerEdits(
    _ decision: ResponseDecision, _ message: borrowing SIPMessage, _ bytes: Span<UInt8>,
    to edits: inout MessageEdits
  ) {
    guard let insert = decision.insert else { return }
    edits.begin(insertingAt: message.headersEnd)
    edits.text.append("Session-Expires: ")
    edits.text.append(decimal: UInt64(insert.interval.seconds))
    edits.text.append(";refresher=uac\r\n")
    edits.end()
    counters.add(to: .sessionExpiresInsertedInResponse)
    guard decision.requireTimer, !containsOption(.timer, in: .require, message, bytes) else { return }
    counters.add(to: .requireTimerAdded)
    if let row = message.first(.require), !message[field: row].value.isEmpty {
      edits.begin(insertingAt: message[field: row].value.upperBound)
      edits.text.append(", timer")
    } else {
      edits.begin(insertingAt: message.headersEnd)
      edits.text.append("Require: timer\r\n")
    }
    edits.end()
  }

  /// The rules' decision about a response to a request that remembered `server`'s timer (A61–A68).
  func decideRefreshResponse(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, of server: UInt32
  ) -> ResponseDecision {
    let sessionExpires = readSessionExpires(message, bytes)
    if message.status < 300 {
      countUnknownRefresher(sessionExpires)
      if sessionExpires == .opaque { counters.add(to: .sessionTimerFieldsOpaque) }  // A17, A66
    }
    return configuration.sessionTimers.decision(
      forStatus: message.status, sessionExpires: sessionExpires, memory: servers.slab[server].timerMemory)
  }

  /// A 2xx to an INVITE or UPDATE goes upstream: its dialog is confirmed, found again or adopted, and its
  /// timer runs from now (A61–A66, A74–A78, F2, F3, F33).
  mutating func trackSuccess(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ decision: ResponseDecision, of server: UInt32,
    at now: MonotonicInstant
  ) {
    let record = servers.slab[server]
    let isUpdate = record.method == .update
    guard let dialog = dialogOfSuccess(message, bytes, of: server, at: now) else { return }
    let sender = dialog.side
    let refresh = SessionRefresh(cSeq: message.cSeq.number, isInvite: !isUpdate, sender: sender)
    if !dialogs.applyTimer(decision.timer, of: refresh, to: dialog.id, at: now) { return }
    let fromCaller = sender == .caller
    if !record.timerDecision.isNone {
      dialogs.recordDecision(record.timerDecision.from(caller: fromCaller), on: dialog.id)
    }
    dialogs.recordDecision(
      decision.remembered(isUpdate: isUpdate, fromCaller: fromCaller, atSecond: dialogs.second(of: now)),
      on: dialog.id)
  }

  /// The dialog a 2xx belongs to, made when there is none; nil when it is over or the table is full.
  private mutating func dialogOfSuccess(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, of server: UInt32, at now: MonotonicInstant
  ) -> DialogMatch? {
    let isInDialog = servers.slab[server].flags.contains(.inDialog)
    let contact = contact(message, bytes)
    let key = dialogKey(message)
    let hash = dialogs.hash(of: key, in: bytes)
    let known = dialogs.match(key, hash: hash, in: bytes)
    if isInDialog, let known {
      let other: DialogSide = known.side == .caller ? .callee : .caller
      dialogs.updateContact(of: other, to: contact, in: bytes, on: known.id, at: now)
      updateRequestContact(of: server, side: known.side, on: known.id, at: now)
      return known
    }
    if known == nil, !mayMakeDialog(message, bytes, of: server) { return nil }
    let setup = dialogSetup(message, key, hash, contact: contact, of: server)
    let request = branch(of: server).map { clients.slab[$0].sent } ?? .none
    let id = Self.makeDialog(
      in: &dialogs, arena: arena, request: request, setup, bytes, adopting: isInDialog, at: now)
    guard let id else {
      counters.add(to: .dialogLimitReached)
      return nil
    }
    if !isInDialog {
      var chain = servers.slab[server].earlyDialogs
      dialogs.join(id, to: &chain)
      servers.slab[server].earlyDialogs = chain
      if known == nil { servers.slab[server].answeredForkCount += 1 }
    }
    return DialogMatch(id: id, side: .caller)
  }

  /// Whether a 2xx of a dialog that is not in the table makes it. A request without To tag is in no dialog, so only
  /// an INVITE does (F5); forks beyond the limit pass without a record, lest one call fill the table (G10).
  private func mayMakeDialog(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, of server: UInt32
  ) -> Bool {
    let record = servers.slab[server]
    guard message.from.hasTag || message.to.hasTag, !isOver(message, bytes, of: server) else { return false }
    if record.flags.contains(.inDialog) { return true }
    guard record.method == .invite else { return false }
    guard Int(record.answeredForkCount) < configuration.maxForks else {
      counters.add(to: .earlyDialogLimitReached)
      return false
    }
    return true
  }

  /// Whether the dialog of a 2xx, unknown now, was known to its transaction: it has ended since, and neither a
  /// late copy of the 2xx nor a late first one brings it back (A76, F22, F23).
  private func isOver(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>, of server: UInt32) -> Bool {
    let record = servers.slab[server]
    if record.flags.contains(.inDialog) { return !record.dialog.isNone }
    return dialogs.hasEnded(dialogKey(message), in: bytes, chain: record.earlyDialogs)
  }

  private static func makeDialog(
    in dialogs: inout DialogTable, arena: borrowing ByteArena, request: Blob, _ setup: DialogSetup,
    _ response: Span<UInt8>, adopting: Bool, at now: MonotonicInstant
  ) -> SlabID? {
    arena.withBytes(of: request) { request in
      adopting
        ? dialogs.adopt(setup, response: response, request: request, at: now)
        : dialogs.createConfirmed(setup, response: response, request: request, at: now)
    }
  }

  /// A 101-199 with a To tag opens an early dialog, or keeps it (F2, F3).
  mutating func trackProvisional(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, of server: UInt32, at now: MonotonicInstant
  ) {
    guard message.to.hasTag, !servers.slab[server].flags.contains(.inDialog) else { return }
    let key = dialogKey(message)
    let hash = dialogs.hash(of: key, in: bytes)
    if let known = dialogs.match(key, hash: hash, in: bytes) {
      dialogs.prolongEarly(known.id, at: now)
      return
    }
    guard Int(servers.slab[server].earlyDialogCount) < configuration.maxForks else {
      counters.add(to: .earlyDialogLimitReached)
      return
    }
    let setup = dialogSetup(message, key, hash, contact: contact(message, bytes), of: server)
    let request = branch(of: server).map { clients.slab[$0].sent } ?? .none
    var chain = servers.slab[server].earlyDialogs
    let id = Self.makeEarlyDialog(
      in: &dialogs, arena: arena, request: request, setup, bytes, chain: &chain, at: now)
    servers.slab[server].earlyDialogs = chain
    if id == nil {
      counters.add(to: .dialogLimitReached)
    } else {
      servers.slab[server].earlyDialogCount += 1
    }
  }

  private static func makeEarlyDialog(
    in dialogs: inout DialogTable, arena: borrowing ByteArena, request: Blob, _ setup: DialogSetup,
    _ response: Span<UInt8>, chain: inout SlabID, at now: MonotonicInstant
  ) -> SlabID? {
    arena.withBytes(of: request) { request in
      dialogs.createEarly(setup, response: response, request: request, chain: &chain, at: now)
    }
  }

  /// The key of the dialog that a response to the caller's request shows.
  private func dialogKey(_ message: borrowing SIPMessage) -> DialogKeyView {
    DialogKeyView(callID: message.callID, callerTag: message.from.tag, calleeTag: message.to.tag)
  }

  private func dialogSetup(
    _ message: borrowing SIPMessage, _ key: DialogKeyView, _ hash: Hash128, contact: ByteRange,
    of server: UInt32
  ) -> DialogSetup {
    let branch = branch(of: server)
    var setup = DialogSetup(
      key: key, calleeContact: contact, callerContact: branch.map { clients.slab[$0].contact } ?? .none,
      cSeq: message.cSeq.number,
      callerTransport: own.transport(of: servers.slab[server].replies.listener).rawValue,
      calleeTransport: branch.map { own.transport(of: clients.slab[$0].flow.listener).rawValue } ?? 0)
    setup.hash = hash
    return setup
  }

  /// F17: the Contact of a refresh that succeeded is its sender's new target.
  private mutating func updateRequestContact(
    of server: UInt32, side: DialogSide, on dialog: SlabID, at now: MonotonicInstant
  ) {
    guard let branch = branch(of: server) else { return }
    let contact = clients.slab[branch].contact
    guard !contact.isEmpty else { return }
    Self.updateContact(
      in: &dialogs, arena: arena, request: clients.slab[branch].sent, contact, side: side, on: dialog, at: now
    )
  }

  private static func updateContact(
    in dialogs: inout DialogTable, arena: borrowing ByteArena, request: Blob, _ contact: ByteRange,
    side: DialogSide, on dialog: SlabID, at now: MonotonicInstant
  ) {
    arena.withBytes(of: request) { request in
      guard contact.upperBound <= request.count else { return }
      dialogs.updateContact(of: side, to: contact, in: request, on: dialog, at: now)
    }
  }
}
