// RFC 3261 sections 16.7, 17.1.3 and 18.1.2 as replaced by RFC 6026 and RFC 4320: a response arrives. It
// belongs to a branch of ours or it goes nowhere (B67, B69, B70, D25, D26).

import PagedStorage
import SIPSyntax
import SIPTransactions
import Timekeeping

extension ProxyEngine {
  /// Takes one well-formed response.
  mutating func receiveResponse(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ bench: inout Workbench,
    into outbox: inout Outbox
  ) {
    counters.add(to: .responsesReceived)
    guard isOwnVia(message.topVia, bytes) else {
      counters.add(to: .droppedForeignVia)
      return
    }
    guard let branch = message.topVia.branch, let client = findBranch(branch, message, bytes) else {
      counters.add(to: .droppedStrayResponse)
      return
    }
    guard
      clients.slab[client].flags.contains(.isCancel) || canGoUpstream(message, bytes, ownVia: &bench.ownVia)
    else {
      counters.add(to: .droppedUnsendableResponse)
      return
    }
    if clients.slab[client].method == .invite {
      receiveInviteResponse(message, bytes, arrival, client, &bench, into: &outbox)
    } else {
      receiveNonInviteResponse(message, bytes, arrival, client, &bench, into: &outbox)
    }
  }

  /// C48: our branch, written by this process, and the method of CSeq. A CANCEL shares its INVITE's branch.
  private func findBranch(
    _ branch: ByteRange, _ message: borrowing SIPMessage, _ bytes: Span<UInt8>
  ) -> UInt32? {
    guard var id = branches.read(branch, in: bytes), clients.slab.isLive(id) else { return nil }
    let method = message.cSeq.method
    if method == .cancel, clients.slab[id.index].method == .invite {
      id = clients.slab[id.index].counterpart
      guard clients.slab.isLive(id) else { return nil }
    }
    let hash = method.hash(name: message.cSeq.methodName, in: bytes, key: processKey)
    guard clients.slab[id.index].methodHash == hash,
      clients.slab[id.index].identity == identity(of: message, bytes)
    else { return nil }
    return id.index
  }

  private mutating func receiveInviteResponse(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ client: UInt32,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    guard case .invite(var machine) = clients.slab[client].machine else { return }
    let now = arrival.now
    switch message.status {
    case ..<200:
      let action = machine.receivedProvisional(at: now)
      clients.slab[client].machine = .invite(machine)
      if case .passUp = action { takeProvisional(message, bytes, client, now, &bench, into: &outbox) }
    case ..<300:
      let action = machine.receivedSuccess(at: now)
      clients.slab[client].machine = .invite(machine)
      clients.slab[client].timerC = .distantFuture
      clients.slab[client].cancelLimit = .distantFuture
      if case .passUp = action {
        forwardSuccess(message, bytes, client, now, &bench, into: &outbox)
      } else {
        counters.add(to: .droppedLateResponse)
      }
    default:
      let action = machine.receivedFailure(at: now)
      clients.slab[client].machine = .invite(machine)
      clients.slab[client].timerC = .distantFuture
      clients.slab[client].cancelLimit = .distantFuture
      switch action {
      case .acknowledgeAndPassUp: takeInviteFailure(message, bytes, client, now, &bench, into: &outbox)
      case .acknowledgeAgain: resendRequest(of: client, into: &outbox)
      case .drop: counters.add(to: .droppedLateResponse)
      }
    }
    clients.rearm(client)
  }

  /// B71, B72, B96: 100 ends here; 101–199 restart Timer C and go upstream; a waiting CANCEL leaves.
  private mutating func takeProvisional(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ client: UInt32, _ now: MonotonicInstant,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    clients.slab[client].flags.insert(.provisionalReceived)
    if message.status > 100 {
      if !clients.slab[client].flags.contains(.cancelSent) {
        clients.slab[client].timerC = now + timerCInterval
      }
      if let server = server(of: client) {
        forwardProvisional(message, bytes, server, now, &bench, into: &outbox)
      }
    }
    if clients.slab[client].flags.contains(.cancelPending) {
      cancel(client, at: now, &bench, into: &outbox)
    }
  }

  /// C18, C22: the ACK leaves for where the INVITE went and is kept for repetition; the response goes up.
  private mutating func takeInviteFailure(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ client: UInt32, _ now: MonotonicInstant,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    let start = outbox.bytes.count
    var ackEnd = start
    if loadRequest(of: client, into: &bench) {
      writeHopRequest(
        "ACK", from: bench.stored, bench.storedBytes.bytes.span, withTo: false, into: &outbox.bytes)
      if let to = message.first(.to) { outbox.bytes.append(bytes, message[field: to].row) }
      outbox.bytes.append("Content-Length: 0\r\n\r\n")
      outbox.finish(from: start, over: clients.slab[client].flow)
      ackEnd = outbox.bytes.count
      counters.add(to: .acksSent)
      let octets = bench.storedBytes.bytes
      namePeer(of: bench.stored, octets.span, over: clients.slab[client].flow, in: &outbox)
    }
    clients.slab[client].flags.insert(.concluded)
    if let server = server(of: client) {
      takeFinal(message, bytes, client, server, now, &bench, into: &outbox)
    }
    forgetRequest(of: client)
    if ackEnd > start {
      clients.slab[client].sent = arena.store(outbox.bytes.bytes.span, from: start, to: ackEnd) ?? .none
    }
  }

  private mutating func receiveNonInviteResponse(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ client: UInt32,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    guard case .nonInvite(var machine) = clients.slab[client].machine else { return }
    let now = arrival.now
    if message.status < 200 {
      // C43: no provisional response to a non-INVITE is forwarded.
      _ = machine.receivedProvisional(at: now)
      clients.slab[client].flags.insert(.provisionalReceived)
      clients.slab[client].machine = .nonInvite(machine)
      clients.rearm(client)
      return
    }
    let action = machine.receivedFinal(at: now)
    clients.slab[client].machine = .nonInvite(machine)
    guard case .passUp = action else {
      counters.add(to: .droppedLateFinal)
      return
    }
    clients.slab[client].flags.insert(.concluded)
    if let server = server(of: client) {
      takeFinal(message, bytes, client, server, now, &bench, into: &outbox)
    } else if !clients.slab[client].flags.contains(.isCancel) {
      counters.add(to: .droppedLateResponse)  // B68, B85
    }
    forgetRequest(of: client)
    clients.rearm(client)
  }

  /// Sends the request, or the ACK, of a branch again.
  mutating func resendRequest(of client: UInt32, into outbox: inout Outbox) {
    let record = clients.slab[client]
    guard !record.sent.isNone else { return }
    let start = outbox.bytes.count
    arena.withBytes(of: record.sent) { outbox.bytes.append($0) }
    let branch = SlabID(index: client, generation: record.generation)
    outbox.finish(from: start, over: record.flow, branch: branch)
    counters.add(to: .requestRetransmissionsSent)
  }
}
