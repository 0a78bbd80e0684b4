// RFC 3261 sections 16.6 item 7 and 16.9, RFC 3263 section 4.3: the next way when one fails (B61, B93, D54, D55).
//
// Left open: what a failure is, and the last word when all ways failed. A 503, a transport failure and silence are
// failures; any other answer ends the search. 408 is the answer when one of the ways kept silent, 500 else: what is
// down is not this proxy (B80).

import CallState
import PagedStorage
import SIPSyntax
import ServerLocation
import SessionTimers
import Timekeeping

extension ProxyEngine {
  /// Opens the transaction of a request that has several ways to go, or waits for the DNS; nil without memory.
  mutating func openAttempt(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ key: TransactionKey,
    _ targets: TargetSet, timer: RefreshDecision?
  ) -> UInt32? {
    guard
      let original = arena.store(bytes, from: message.startLine.lowerBound, to: message.messageEnd)
    else {
      counters.add(to: .droppedOutOfMemory)
      return nil
    }
    guard
      let server = openServer(message, bytes, arrival, key, branch: .none, timer: timer, concluded: false)
    else {
      arena.free(original)
      return nil
    }
    let record = ForwardingAttempt(
      server: server, arrival: arrival.flow,
      isFromClient: connections.isOpenedByPeer(arrival.flow.connection), original: original)
    guard let attempt = attempts.slab.allocate(record) else {
      counters.add(to: .droppedOutOfMemory)
      arena.free(original)
      closeServer(server.index, at: arrival.now)
      return nil
    }
    servers.slab[server.index].attempt = attempt
    set(targets, of: attempt)
    return server.index
  }

  mutating func set(_ targets: TargetSet, of attempt: SlabID) {
    switch targets {
    case .one(let target):
      let transport = own.transport(of: target.flow.listener)
      attempts.slab[attempt.index].append(AttemptTarget(address: target.flow.remote, transport: transport))
      attempts.slab[attempt.index].pushesNextHop = target.pushesNextHop
    case .several(let list, let pushesNextHop):
      for target in list {
        attempts.slab[attempt.index].append(
          AttemptTarget(address: target.address, transport: target.transport))
      }
      attempts.slab[attempt.index].pushesNextHop = pushesNextHop
    case .pending(let location):
      attempts.wait(attempt, for: location)
    case .refused, .ours:
      break
    }
  }

  /// Sends the request the next way, or says the last word.
  mutating func takeNextWay(
    for server: UInt32, at now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    if !sendNextWay(for: server, at: now, &bench, into: &outbox) {
      answerFailure(of: server, at: now, &bench, into: &outbox)
    }
  }

  /// A branch failed: whether the request goes another way now.
  mutating func failOver(
    from client: UInt32, timedOut: Bool, at now: MonotonicInstant, _ bench: inout Workbench,
    into outbox: inout Outbox
  ) -> Bool {
    guard let server = server(of: client), attempts.slab.isLive(servers.slab[server].attempt),
      servers.slab[server].flags.isDisjoint(with: [.concluded, .cancelled])
    else { return false }
    if timedOut { attempts.slab[servers.slab[server].attempt.index].hasTimedOut = true }
    guard sendNextWay(for: server, at: now, &bench, into: &outbox) else { return false }
    clients.slab[client].server = .none
    endEarlyDialogs(of: server, cause: .setupFailed, at: now)
    counters.add(to: .failovers)
    return true
  }

  /// Sends a copy to the first of the remaining addresses that one of our sockets can reach.
  private mutating func sendNextWay(
    for server: UInt32, at now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) -> Bool {
    let id = servers.slab[server].attempt
    guard loadOriginal(of: id, into: &bench) else { return false }
    let attempt = id.index
    let arrival = attempts.slab[attempt].arriving(at: now)
    let octets = bench.storedBytes.bytes
    guard let plan = try? RoutePlan(bench.stored, octets.span, own: own, tokens: tokens) else { return false }
    let key = TransactionKey(of: bench.stored, octets.span, key: processKey)
    let loop = loopPart(bench.stored, octets.span, arrival, plan)
    let refresh =
      bench.stored.method.isSessionRefresh ? decideRefresh(bench.stored, octets.span, arrival) : nil
    while let way = attempts.slab[attempt].takeNext() {
      guard
        case .one(var target) = reach(
          way.address, way.transport, arrival, pushesNextHop: attempts.slab[attempt].pushesNextHop)
      else { continue }
      target.ignoresSize = way.ignoresSize
      target.switchedForSize = way.switchedForSize
      switch sendCopy(
        bench.stored, octets.span, arrival, key, plan, loop, target, refresh, &bench.edits, into: &outbox)
      {
      case .sent(let client):
        clients.slab[client.index].server = attempts.slab[attempt].server
        servers.slab[server].branch = client
        return true
      case .tooLargeForDatagram:
        let isDead = deadHops.contains(ServerTarget(transport: .tcp, address: way.address), at: now)
        attempts.slab[attempt].switchForSize(way.address, tcpIsDead: isDead)
      case .tooLarge, .noMemory:
        continue
      }
    }
    return false
  }

  /// All ways failed, or the request has none.
  mutating func answerFailure(
    of server: UInt32, at now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    let attempt = servers.slab[server].attempt
    let timedOut = attempts.slab.isLive(attempt) && attempts.slab[attempt.index].hasTimedOut
    if timedOut, servers.slab[server].method != .invite {
      abandon(server, at: now)
    } else {
      conclude(server, with: timedOut ? .requestTimeout : .serverError, at: now, &bench, into: &outbox)
    }
  }

  /// Ends a request without an answer from downstream by one of ours; a cancelled INVITE by 487 (B90–B93, B103).
  mutating func conclude(
    _ server: UInt32, with answer: OwnResponse, at now: MonotonicInstant, _ bench: inout Workbench,
    into outbox: inout Outbox
  ) {
    let wasCancelled = servers.slab[server].flags.contains(.cancelled)
    let last = wasCancelled && servers.slab[server].method == .invite ? .requestTerminated : answer
    guard self.answer(server, with: last, at: now, &bench, into: &outbox) else {
      // The copy of the request was lost to a lack of memory: nothing can be said any more.
      closeServer(server, at: now)
      return
    }
    trackFinal(status: last.status, of: server, at: now)
    endEarlyDialogs(of: server, cause: .setupFailed, at: now)
    releaseRefresh(of: server, at: now)
  }

  /// Copies the request as it was received out of the arena and parses it.
  mutating func loadOriginal(of attempt: SlabID, into bench: inout Workbench) -> Bool {
    guard attempts.slab.isLive(attempt) else { return false }
    let record = attempts.slab[attempt.index]
    bench.storedBytes.removeAll()
    arena.withBytes(of: record.original) { bench.storedBytes.append($0) }
    let octets = bench.storedBytes.bytes
    let isDatagram = !own.transport(of: record.arrival.listener).isReliable
    guard case .wellFormed = bench.stored.parse(octets.span, datagram: isDatagram) else { return false }
    return true
  }

  /// Forgets the ways of a request that has its answer.
  mutating func releaseAttempt(of server: UInt32) {
    let attempt = servers.slab[server].attempt
    guard attempts.slab.isLive(attempt) else { return }
    arena.free(attempts.slab[attempt.index].original)
    attempts.slab.free(attempt.index)
    servers.slab[server].attempt = .none
  }
}
