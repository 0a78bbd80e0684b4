// RFC 3261 sections 16.11 and 17.2.1, RFC 6026 section 7.1: ACK, and requests forwarded without a
// transaction (B105–B109, C31, C34).
//
// Left open: the ACK to a stateless answer of ours. Its To tag is the one our answers carry, so it is
// recognised without memory and ends here (RFC 3261 section 8.2.7).

import PagedStorage
import SIPSyntax
import SIPTransactions
import ServerLocation
import Timekeeping

extension ProxyEngine {
  /// An ACK ends at our INVITE server transaction, or it is the ACK to a 2xx and passes.
  mutating func receiveAck(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ key: TransactionKey,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    if let server = findAcknowledged(message, bytes, key),
      case .invite(var machine) = servers.slab[server].machine,
      acknowledges(message, bytes, server), mayActOn(server, arrival)
    {
      let action = machine.receivedAck(at: arrival.now)
      servers.slab[server].machine = .invite(machine)
      servers.rearm(server)
      if case .absorbed = action {
        // Confirmed: no retransmission of the final response can be asked for any more.
        if servers.slab[server].flags.contains(.concluded) { forgetResponse(of: server) }
        return
      }
    } else if OwnResponse.isOwnTag(of: message, bytes, key: processKey) {
      return
    }
    forwardStatelessly(message, bytes, arrival, key, &bench, into: &outbox)
  }

  /// The INVITE an ACK belongs to (C49); without a cookie that INVITE may have had no To tag (C51).
  private func findAcknowledged(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ key: TransactionKey
  ) -> UInt32? {
    if let server = servers.find(key.hash, methodHash: key.methodHash) { return server }
    guard key.isWithoutCookie else { return nil }
    let initial = TransactionKey(of: message, bytes, key: processKey, ignoringToTag: true)
    return servers.find(initial.hash, methodHash: initial.methodHash)
  }

  /// C51: without a cookie the To tag must be the one of the answer.
  private func acknowledges(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ server: UInt32
  ) -> Bool {
    let record = servers.slab[server]
    guard record.flags.contains(.withoutCookie), record.flags.contains(.concluded) else { return true }
    if record.answerTagHash == 0 { return OwnResponse.isOwnTag(of: message, bytes, key: processKey) }
    return record.answerTagHash == tagHash(message.to.tag, bytes, key: processKey)
  }

  /// Forwards an ACK to a 2xx, or a CANCEL that matches nothing (B99, B106), with a branch that is a function
  /// of the received one (B107). Never a session timer (A4), never an answer to an ACK (B108).
  mutating func forwardStatelessly(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ key: TransactionKey,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    let isAck = message.method == .ack
    let unroutable: Counter = isAck ? .droppedAckUnroutable : .droppedCancelUnroutable
    guard let plan = try? RoutePlan(message, bytes, own: own, tokens: tokens) else {
      counters.add(to: unroutable)
      return
    }
    guard mayUseProxy(message, bytes, arrival, plan) else {
      counters.add(to: isAck ? .droppedAckNotAllowed : .droppedCancelNotAllowed)
      return
    }
    if case .value(0) = message.maxForwards {  // B15
      counters.add(to: unroutable)
      return
    }
    guard !isForProxy(plan, bytes),
      var target = resolveTarget(message, bytes, arrival, plan, asking: &outbox.questions)
    else {
      counters.add(to: unroutable)
      return
    }
    let start = outbox.bytes.count
    writeStateless(message, bytes, arrival, key, plan, target, &bench.edits, into: &outbox)
    if let switched = sizeSwitched(target, size: outbox.bytes.count - start, at: arrival.now) {  // D3
      target = switched
      outbox.bytes.truncate(to: start)
      writeStateless(message, bytes, arrival, key, plan, target, &bench.edits, into: &outbox)
    }
    let fits = outbox.bytes.count - start <= Self.largestDatagram
    guard fits || own.transport(of: target.flow.listener).isReliable else {
      outbox.bytes.truncate(to: start)
      counters.add(to: unroutable)
      return
    }
    outbox.finish(from: start, over: target.flow)
    if target.switchedForSize {  // D4: when TCP refuses it, its repetition takes UDP.
      outbox.note(
        hop: statelessHops.add(ServerTarget(transport: .tcp, address: target.flow.remote)))
    }
    namePeer(of: target, plan, bytes, in: &outbox)
    counters.add(to: isAck ? .acksForwarded : .cancelsForwardedStatelessly)
  }

  private func writeStateless(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ key: TransactionKey,
    _ plan: RoutePlan, _ target: ForwardingTarget, _ edits: inout MessageEdits, into outbox: inout Outbox
  ) {
    edits.removeAll()
    addForwardingEdits(message, bytes, arrival, plan, target, to: &edits) { [branches] output in
      branches.writeStateless(key.hash, to: &output)
    }
    copy(message, bytes, edits, into: &outbox)
  }
}
