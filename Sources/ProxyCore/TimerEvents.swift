// RFC 3261 sections 16.8, 17.1 and 17.2: what happens when time passes (B90–B92, C1–C13, A86).
//
// Left open: how much at once. Each call does a bounded amount of work and leaves the rest for the next,
// so that a second in which a million dialogs expire does not hold up a single call.

import CallState
import PagedStorage
import SIPSyntax
import SIPTransactions
import ServerLocation
import Timekeeping

/// Most entries of one wheel that one call looks at.
private let sliceBudget = 250

extension ProxyEngine {
  /// Fires what is due, a slice of each wheel.
  mutating func advance(
    to now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    var budget = sliceBudget
    while let client = clients.popDue(at: now, budget: &budget) {
      fire(client: client, now, &bench, into: &outbox)
    }
    budget = sliceBudget
    while let server = servers.popDue(at: now, budget: &budget) {
      fire(server: server, now, &bench, into: &outbox)
    }
    dialogs.expire(at: now, budget: sliceBudget)
    own.forgetNames(at: now)
    var settled: [LocationID] = []
    locator.advance(to: now, asking: &outbox.questions, settled: &settled)
    resume(settled, at: now, &bench, into: &outbox)
  }

  /// The earliest instant at which something can be due.
  var nextDeadline: MonotonicInstant? {
    var earliest = clients.nextWakeUp ?? .distantFuture
    earliest = min(earliest, servers.nextWakeUp ?? .distantFuture)
    earliest = min(earliest, dialogs.nextWakeUp ?? .distantFuture)
    earliest = min(earliest, locator.nextDeadline ?? .distantFuture)
    return earliest == .distantFuture ? nil : earliest
  }

  private mutating func fire(
    server: UInt32, _ now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    switch servers.slab[server].machine {
    case .invite(var machine):
      let action = machine.timerFired(at: now)
      servers.slab[server].machine = .invite(machine)
      switch action {
      case .nothing, .terminated: break
      case .sendTrying: sendTrying(server, &bench, into: &outbox)
      case .retransmitFinal: resendResponse(of: server, into: &outbox)
      case .ackMissing: counters.add(to: .timerHFired)
      }
    case .nonInvite(var machine):
      let action = machine.timerFired(at: now)
      servers.slab[server].machine = .nonInvite(machine)
      switch action {
      case .nothing, .terminated: break
      case .sendTrying: sendTrying(server, &bench, into: &outbox)
      }
    }
    if servers.slab[server].machine.isTerminated {
      closeServer(server, at: now)
    } else {
      servers.relink(server)
    }
  }

  private mutating func fire(
    client: UInt32, _ now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    if clients.slab[client].cancelLimit <= now {
      endCancelledBranch(client, now, &bench, into: &outbox)
      return
    }
    if clients.slab[client].timerC <= now {
      fireTimerC(client, now, &bench, into: &outbox)
      if !clients.slab.isLive(index: client) { return }
    }
    switch clients.slab[client].machine {
    case .invite(var machine):
      let action = machine.timerFired(at: now)
      clients.slab[client].machine = .invite(machine)
      switch action {
      case .nothing, .terminated: break
      case .retransmit: resendRequest(of: client, into: &outbox)
      case .timedOut:
        counters.add(to: .timerBFired)
        failBranch(client, with: .requestTimeout, now, &bench, into: &outbox)
      }
    case .nonInvite(var machine):
      let action = machine.timerFired(at: now)
      clients.slab[client].machine = .nonInvite(machine)
      switch action {
      case .nothing, .terminated: break
      case .retransmit: resendRequest(of: client, into: &outbox)
      case .timedOut:
        counters.add(to: .timerFFired)
        failBranch(client, with: .requestTimeout, now, &bench, into: &outbox)
      }
    }
    if clients.slab[client].machine.isTerminated {
      closeBranch(client)
    } else {
      clients.relink(client)
    }
  }

  /// B90: a branch that only rings is cancelled. B91: one that said nothing counts as 408.
  private mutating func fireTimerC(
    _ client: UInt32, _ now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    counters.add(to: .timerCFired)
    clients.slab[client].timerC = .distantFuture
    if clients.slab[client].flags.contains(.provisionalReceived) {
      cancel(client, at: now, &bench, into: &outbox)
    } else {
      failBranch(client, with: .requestTimeout, now, &bench, into: &outbox)
      closeBranch(client)
    }
  }

  /// B92: 64*T1 after our CANCEL the branch counts as cancelled, whatever the next hop does.
  private mutating func endCancelledBranch(
    _ client: UInt32, _ now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    counters.add(to: .droppedTimedOutBranch)
    let byClient = server(of: client).map { servers.slab[$0].flags.contains(.cancelled) } ?? false
    failBranch(client, with: byClient ? .requestTerminated : .requestTimeout, now, &bench, into: &outbox)
    closeBranch(client)
  }

  /// A branch ended without a final response: the request goes another way, or an INVITE is answered and anything
  /// else is not (B61, B79).
  private mutating func failBranch(
    _ client: UInt32, with answer: OwnResponse, _ now: MonotonicInstant, _ bench: inout Workbench,
    into outbox: inout Outbox
  ) {
    guard !clients.slab[client].flags.contains(.concluded) else { return }
    clients.slab[client].flags.insert(.concluded)
    // D55: no response at all.
    if clients.slab[client].flags.isDisjoint(with: [.provisionalReceived, .isCancel]) {
      noteDead(client, at: now)
      if failOver(from: client, timedOut: true, at: now, &bench, into: &outbox) { return }
    }
    guard let server = server(of: client), !servers.slab[server].flags.contains(.concluded) else { return }
    guard servers.slab[server].method == .invite else {
      abandon(server, at: now)
      return
    }
    conclude(server, with: answer, at: now, &bench, into: &outbox)
  }
}
