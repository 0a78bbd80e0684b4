// RFC 3261 sections 9.1, 9.2 and 16.10, RFC 3326: CANCEL received and CANCEL sent (B92, B95–B104).

import PagedStorage
import SIPSyntax
import SIPTransactions
import Timekeeping

extension ProxyEngine {
  /// A CANCEL is answered at once and cancels the branch of the INVITE it matches; one that matches nothing is
  /// forwarded without a transaction (B95, B99, B102).
  mutating func receiveCancel(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ key: TransactionKey,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    if let known = servers.find(key.hash, methodHash: key.methodHash) {
      receiveRetransmission(of: known, arrival, &bench, into: &outbox)
      return
    }
    guard let server = servers.findCancelled(key.hash), mayActOn(server, arrival) else {
      forwardStatelessly(message, bytes, arrival, key, &bench, into: &outbox)
      return
    }
    answerStatefully(message, bytes, arrival, key, .cancelAnswer, &bench, into: &outbox)
    // B100, B102: nothing follows for a request that is no INVITE, or has its final response.
    guard servers.slab[server].method == .invite, !servers.slab[server].flags.contains(.concluded) else {
      return
    }
    servers.slab[server].flags.insert(.cancelled)
    guard let branch = branch(of: server) else {
      // It waits for the DNS: there is nothing to cancel downstream.
      conclude(server, with: .requestTerminated, at: arrival.now, &bench, into: &outbox)
      return
    }
    keepReason(message, bytes, for: branch)
    cancel(branch, at: arrival.now, &bench, into: &outbox)
  }

  /// B104: the Reason of a received CANCEL goes into ours.
  private mutating func keepReason(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, for branch: UInt32
  ) {
    guard let row = message.first(.reason), clients.slab[branch].cancelReason.isNone else { return }
    let range = message[field: row].row
    clients.slab[branch].cancelReason =
      arena.store(bytes, from: range.lowerBound, to: range.upperBound) ?? .none
  }

  /// Cancels a branch: now if it has a provisional response, when the first one comes otherwise (B96).
  mutating func cancel(
    _ branch: UInt32, at now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    let flags = clients.slab[branch].flags
    guard !flags.contains(.cancelSent), !flags.contains(.concluded) else { return }
    guard flags.contains(.provisionalReceived) else {
      clients.slab[branch].flags.insert(.cancelPending)
      return
    }
    clients.slab[branch].flags.remove(.cancelPending)
    clients.slab[branch].flags.insert(.cancelSent)
    clients.slab[branch].cancelLimit = now + timers.timeout  // B92
    clients.slab[branch].timerC = .distantFuture
    clients.rearm(branch)
    sendCancel(for: branch, at: now, &bench, into: &outbox)
  }

  /// B97, B98: a CANCEL built from the INVITE we sent, to where it went, on a transaction of its own.
  private mutating func sendCancel(
    for branch: UInt32, at now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    guard loadRequest(of: branch, into: &bench) else { return }
    let invite = clients.slab[branch]
    let start = outbox.bytes.count
    writeHopRequest("CANCEL", from: bench.stored, bench.storedBytes.bytes.span, into: &outbox.bytes)
    if !invite.cancelReason.isNone {
      arena.withBytes(of: invite.cancelReason) { outbox.bytes.append($0) }
    }
    outbox.bytes.append("Content-Length: 0\r\n\r\n")
    counters.add(to: .cancelsSent)

    var record = ClientTransactionRecord(
      machine: clientMachine(for: .cancel, over: invite.flow, at: now), method: .cancel,
      methodHash: UInt32(SIPMethod.cancel.rawValue), identity: invite.identity, flow: invite.flow,
      server: .none)
    record.flags.insert(.isCancel)
    guard let id = clients.insert(record) else {
      outbox.finish(from: start, over: invite.flow)
      counters.add(to: .droppedOutOfMemory)
      return
    }
    outbox.finish(from: start, over: invite.flow, branch: id)
    counters.add(to: .nonInviteClientTransactions)
    clients.slab[id.index].sent =
      arena.store(outbox.bytes.bytes.span, from: start, to: outbox.bytes.count) ?? .none
    clients.slab[branch].counterpart = id
    let octets = bench.storedBytes.bytes
    namePeer(of: bench.stored, octets.span, over: invite.flow, in: &outbox)
  }

  /// The part that CANCEL (B97) and ACK to a non-2xx (C22) share: Request-URI, our Via alone, Route, From, To,
  /// Call-ID, the CSeq number and Max-Forwards of the request we sent. The ACK brings its own To.
  func writeHopRequest(
    _ method: StaticString, from message: borrowing SIPMessage, _ bytes: Span<UInt8>,
    withTo: Bool = true, into output: inout OutputBuffer
  ) {
    output.append(method)
    output.append(UInt8(ascii: " "))
    output.append(bytes, message.requestURI)
    output.append(" SIP/2.0\r\n")
    if let via = message.first(.via) { output.append(bytes, message[field: via].row) }
    output.append("Max-Forwards: 70\r\n")
    var route = message.first(.route)
    while let row = route {
      output.append(bytes, message[field: row].row)
      route = message.next(after: row)
    }
    if let from = message.first(.from) { output.append(bytes, message[field: from].row) }
    if withTo, let to = message.first(.to) { output.append(bytes, message[field: to].row) }
    if let callID = message.first(.callID) { output.append(bytes, message[field: callID].row) }
    output.append("CSeq: ")
    output.append(decimal: UInt64(message.cSeq.number))
    output.append(UInt8(ascii: " "))
    output.append(method)
    output.append("\r\n")
  }
}
