// RFC 3261 sections 8.2.6, 8.2.7, 16.1, 17.2: answering a request ourselves, with a transaction or without
// (B3, A56, G5, G6), and repeating what was sent.

import PagedStorage
import SIPSyntax
import SIPTransactions
import Timekeeping

extension ProxyEngine {
  /// One answer, nothing remembered: strangers, broken requests, overload.
  mutating func answerStatelessly(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ answer: OwnResponse,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    guard message.hasTopVia else {  // E19
      counters.add(to: .droppedUnanswerable)
      return
    }
    write(answer, message, bytes, arrival, &bench, into: &outbox)
  }

  /// An answer on a server transaction of its own, repeated as section 17.2 says.
  mutating func answerStatefully(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ key: TransactionKey,
    _ answer: OwnResponse, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    guard
      let server = openServer(
        message, bytes, arrival, key, branch: .none, timer: nil, concluded: true)
    else {
      answerStatelessly(message, bytes, arrival, .unavailable(retryAfter: 5), &bench, into: &outbox)
      return
    }
    let start = outbox.bytes.count
    write(answer, message, bytes, arrival, &bench, into: &outbox)
    settle(server.index, status: answer.status, at: arrival.now)
    rememberAnswerTag(message, bytes, of: server.index)
    keepResponse(of: server.index, outbox.bytes.bytes.span, from: start)
    servers.rearm(server.index)
  }

  private mutating func write(
    _ answer: OwnResponse, _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival,
    _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    let start = outbox.bytes.count
    let stamp = ViaStamp(message.topVia, source: arrival.flow.remote)
    answer.write(
      to: message, bytes, via: .received(stamp), tagKey: processKey, edits: &bench.edits, into: &outbox.bytes)
    outbox.finish(from: start, over: replies(to: message.topVia, over: arrival.flow))
    counters.add(to: answer.counter)
  }

  /// Gives a request that was forwarded its final answer, from the copy its branch keeps. False when there is no
  /// copy: then nothing was sent, and the caller ends the transaction.
  mutating func answer(
    _ server: UInt32, with answer: OwnResponse, at now: MonotonicInstant, _ bench: inout Workbench,
    into outbox: inout Outbox
  ) -> Bool {
    guard let start = sendFromCopy(answer, server, &bench, into: &outbox) else { return false }
    conclude(server)
    settle(server, status: answer.status, at: now)
    rememberAnswerTag(bench.stored, bench.storedBytes.bytes.span, of: server)
    keepResponse(of: server, outbox.bytes.bytes.span, from: start)
    servers.rearm(server)
    return true
  }

  /// Writes a response from the copy of the request that a branch keeps, or from the request as received while it
  /// has no branch, and says where it starts in the outbox.
  private mutating func sendFromCopy(
    _ answer: OwnResponse, _ server: UInt32, _ bench: inout Workbench, into outbox: inout Outbox
  ) -> Int? {
    let via: ViaSource
    let attempt = servers.slab[server].attempt
    if let branch = branch(of: server), loadRequest(of: branch, into: &bench) {
      via = .forwarded
    } else if loadOriginal(of: attempt, into: &bench) {
      let source = attempts.slab[attempt.index].arrival.remote
      via = .received(ViaStamp(bench.stored.topVia, source: source))
    } else {
      return nil
    }
    let start = outbox.bytes.count
    let octets = bench.storedBytes.bytes
    answer.write(
      to: bench.stored, octets.span, via: via, tagKey: processKey, edits: &bench.edits, into: &outbox.bytes)
    outbox.finish(from: start, over: servers.slab[server].replies)
    counters.add(to: answer.counter)
    return start
  }

  /// Sends the 100 that is due, if the request is still at hand (C26, C45).
  mutating func sendTrying(_ server: UInt32, _ bench: inout Workbench, into outbox: inout Outbox) {
    guard !servers.slab[server].flags.contains(.concluded) else { return }
    if !servers.slab[server].response.isNone {
      resendResponse(of: server, into: &outbox)
    } else {
      _ = sendFromCopy(.trying, server, &bench, into: &outbox)
    }
  }

  /// Moves the machine of a server transaction whose final response leaves now.
  mutating func settle(_ server: UInt32, status: UInt16, at now: MonotonicInstant) {
    switch servers.slab[server].machine {
    case .invite(var machine):
      _ = status < 300 ? machine.sendSuccess(at: now) : machine.sendFailure(at: now)
      servers.slab[server].machine = .invite(machine)
    case .nonInvite(var machine):
      _ = machine.sendFinal(at: now)
      servers.slab[server].machine = .nonInvite(machine)
    }
  }

  /// Keeps a response for repetition, in place of an earlier one.
  mutating func keepResponse(of server: UInt32, _ bytes: Span<UInt8>, from start: Int) {
    forgetResponse(of: server)
    guard let blob = arena.store(bytes, from: start, to: bytes.count) else {
      counters.add(to: .droppedOutOfMemory)
      return
    }
    servers.slab[server].response = blob
  }

  /// Frees a response nobody can ask for again.
  mutating func forgetResponse(of server: UInt32) {
    arena.free(servers.slab[server].response)
    servers.slab[server].response = .none
  }

  /// Sends the kept response again.
  mutating func resendResponse(of server: UInt32, into outbox: inout Outbox) {
    let record = servers.slab[server]
    guard !record.response.isNone else { return }
    let start = outbox.bytes.count
    arena.withBytes(of: record.response) { outbox.bytes.append($0) }
    outbox.finish(from: start, over: record.replies)
    counters.add(to: .finalRetransmissionsSent)
  }

  /// Copies the request of a branch out of the arena and parses it. False when it is gone.
  mutating func loadRequest(of branch: UInt32, into bench: inout Workbench) -> Bool {
    let blob = clients.slab[branch].sent
    guard !blob.isNone else { return false }
    bench.storedBytes.removeAll()
    arena.withBytes(of: blob) { bench.storedBytes.append($0) }
    let octets = bench.storedBytes.bytes
    guard case .wellFormed = bench.stored.parse(octets.span, forwarded: true) else { return false }
    return true
  }

  /// C51: an ACK of an RFC 2543 client is known by the To tag of the answer; 0 stands for a tag of ours.
  mutating func rememberAnswerTag(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, of server: UInt32
  ) {
    guard servers.slab[server].flags.contains(.withoutCookie) else { return }
    servers.slab[server].answerTagHash =
      message.to.hasTag ? tagHash(message.to.tag, bytes, key: processKey) : 0
  }
}
