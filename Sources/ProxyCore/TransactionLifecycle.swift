// RFC 3261 sections 16.2, 17.1 and 17.2: transactions come and go (B2, B65, C3, C55).

import CallState
import PagedStorage
import SIPSyntax
import SIPTransactions
import SessionTimers
import Timekeeping

/// Timer C: more than three minutes (B65, C3).
let timerCInterval = TimeSpan.seconds(185)

extension ProxyEngine {
  /// Makes the server transaction of a request that was just forwarded or is about to be answered.
  ///
  /// Returns nil when there is no memory; the request then lives on without one.
  mutating func openServer(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ key: TransactionKey,
    branch: SlabID, timer: RefreshDecision?, concluded: Bool
  ) -> SlabID? {
    var record = ServerTransactionRecord(
      key: key.hash, methodHash: key.methodHash, method: message.method,
      machine: serverMachine(for: message.method, over: arrival.flow, at: arrival.now),
      replies: replies(to: message.topVia, over: arrival.flow))
    record.branch = branch
    if message.to.hasTag || message.method == .bye { record.flags.insert(.inDialog) }
    if key.isWithoutCookie { record.flags.insert(.withoutCookie) }
    if concluded { record.flags.insert(.concluded) }
    if let timer {
      record.flags.insert(.refresh)
      record.timerMemory = timer.memory
      record.timerDecision = timer.remembered
    }
    if !concluded { attachDialog(message, bytes, to: &record) }
    guard let id = servers.insert(record) else {
      counters.add(to: .droppedOutOfMemory)
      releaseRefresh(of: record, at: arrival.now)
      return nil
    }
    if !concluded { openServers += 1 }
    shares.add(record.replies.remote.ip)
    counters.add(to: message.method == .invite ? .inviteServerTransactions : .nonInviteServerTransactions)
    return id
  }

  /// Makes the client transaction of a request about to be forwarded; its octets follow.
  mutating func openBranch(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ key: TransactionKey,
    _ target: ForwardingTarget
  ) -> SlabID? {
    var record = ClientTransactionRecord(
      machine: clientMachine(for: message.method, over: target.flow, at: arrival.now), method: message.method,
      methodHash: key.methodHash, identity: identity(of: message, bytes), flow: target.flow, server: .none)
    if message.method == .invite { record.timerC = arrival.now + timerCInterval }
    return clients.insert(record)
  }

  /// What a response has in common with its request besides the branch.
  func identity(of message: borrowing SIPMessage, _ bytes: Span<UInt8>) -> UInt32 {
    var hasher = KeyedHasher(key: processKey, output: .bits64, for: .lookup)
    hasher.appendField(bytes, message.callID)
    hasher.appendField(bytes, message.from.tag)
    hasher.append(UInt64(message.cSeq.number))
    return UInt32(truncatingIfNeeded: hasher.finish64())
  }

  /// Where the responses to a request go.
  func replies(to via: ViaValue, over flow: Flow) -> Flow {
    ViaStamp.replies(to: via, over: flow, own.transport(of: flow.listener))
  }

  private func serverMachine(
    for method: SIPMethod, over flow: Flow, at now: MonotonicInstant
  ) -> ServerMachine {
    let reliable = own.transport(of: flow.listener).isReliable
    return method == .invite
      ? .invite(InviteServerTransaction(receivedAt: now, timers: timers, reliable: reliable))
      : .nonInvite(NonInviteServerTransaction(receivedAt: now, timers: timers, reliable: reliable))
  }

  func clientMachine(for method: SIPMethod, over flow: Flow, at now: MonotonicInstant) -> ClientMachine {
    let reliable = own.transport(of: flow.listener).isReliable
    return method == .invite
      ? .invite(InviteClientTransaction(sentAt: now, timers: timers, reliable: reliable))
      : .nonInvite(NonInviteClientTransaction(sentAt: now, timers: timers, reliable: reliable))
  }

  /// The final response went upstream, or none ever will.
  mutating func conclude(_ server: UInt32) {
    guard !servers.slab[server].flags.contains(.concluded) else { return }
    servers.slab[server].flags.insert(.concluded)
    openServers -= 1
    releaseAttempt(of: server)
  }

  /// Destroys a server transaction and everything it owns (C55).
  mutating func closeServer(_ server: UInt32, at now: MonotonicInstant) {
    if !servers.slab[server].flags.contains(.concluded), servers.slab[server].method != .invite {
      trackFinal(status: 408, of: server, at: now)  // F22: nobody answered in time.
    }
    conclude(server)
    let record = servers.slab[server]
    releaseRefresh(of: record, at: now)
    // F11: another branch was answered. Without any answer this is not supposed to happen.
    let cause: DialogEnd = record.flags.contains(.succeeded) ? .setupFailed : .earlyTimeout
    endEarlyDialogs(of: server, cause: cause, at: now)
    arena.free(record.response)
    shares.remove(record.replies.remote.ip)
    servers.remove(server)
  }

  /// Destroys a client transaction and everything it owns (C55).
  mutating func closeBranch(_ client: UInt32) {
    let record = clients.slab[client]
    arena.free(record.sent)
    arena.free(record.cancelReason)
    clients.remove(client)
  }

  /// Frees the octets of a request whose result is known.
  mutating func forgetRequest(of client: UInt32) {
    arena.free(clients.slab[client].sent)
    clients.slab[client].sent = .none
    arena.free(clients.slab[client].cancelReason)
    clients.slab[client].cancelReason = .none
    clients.slab[client].contact = .none
  }

  /// The server transaction a live branch answers to.
  func server(of client: UInt32) -> UInt32? {
    let id = clients.slab[client].server
    return servers.slab.isLive(id) ? id.index : nil
  }

  /// The live branch of a server transaction.
  func branch(of server: UInt32) -> UInt32? {
    let id = servers.slab[server].branch
    return clients.slab.isLive(id) ? id.index : nil
  }
}
