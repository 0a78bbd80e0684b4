// RFC 3261 sections 16.9, 17.1.4 and 17.2.4, RFC 6026 section 8.8: the system refused to send (B93, B94, C25, C35).
//
// Left open: what a full socket buffer is. It is loss, as in the network: the edge drops and counts, and the
// machines repeat. Only a refusal that names the destination comes here.

import CallState
import PagedStorage
import SIPSyntax
import SIPTransactions
import ServerLocation
import Timekeeping

extension ProxyEngine {
  /// A request could not be sent: the branch ends as if 503 had been received, so the next address is tried, and
  /// without one 500 goes upstream (B80, B93). An INVITE that rings already has arrived, whatever broke since.
  mutating func sendFailed(
    _ ticket: SendTicket, isLocal: Bool, _ now: MonotonicInstant, _ bench: inout Workbench,
    into outbox: inout Outbox
  ) {
    if let hop = statelessHops.target(of: ticket) {
      if !isLocal { deadHops.note(hop.address, over: hop.transport, at: now) }
      return
    }
    guard clients.slab.isLive(ticket.branch) else { return }
    let client = ticket.branch.index
    guard transportFailed(client, at: now) else { return }
    // What has its answer came from a hop that lives.
    if !isLocal, clients.slab[client].flags.isDisjoint(with: [.concluded, .isCancel]) {
      noteDead(client, at: now)
    }
    if !clients.slab[client].flags.contains(.concluded) {
      clients.slab[client].flags.insert(.concluded)
      refuse(client, now, &bench, into: &outbox)
    }
    closeBranch(client)
  }

  /// The address of a branch did not answer, or refused: it is tried last for a while.
  mutating func noteDead(_ client: UInt32, at now: MonotonicInstant) {
    let flow = clients.slab[client].flow
    guard !flow.isExclusive else { return }
    deadHops.note(flow.remote, over: own.transport(of: flow.listener), at: now)
  }

  /// Tells the machine; whether it has ended because of that.
  private mutating func transportFailed(_ client: UInt32, at now: MonotonicInstant) -> Bool {
    switch clients.slab[client].machine {
    case .invite(var machine):
      _ = machine.transportFailed(at: now)
      clients.slab[client].machine = .invite(machine)
    case .nonInvite(var machine):
      _ = machine.transportFailed(at: now)
      clients.slab[client].machine = .nonInvite(machine)
    }
    return clients.slab[client].machine.isTerminated
  }

  private mutating func refuse(
    _ client: UInt32, _ now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    let hasAnswered = clients.slab[client].flags.contains(.provisionalReceived)  // D55
    if !hasAnswered, failOver(from: client, timedOut: false, at: now, &bench, into: &outbox) { return }
    guard let server = server(of: client), !servers.slab[server].flags.contains(.concluded) else { return }
    if clients.slab[client].flow.isExclusive {  // RFC 5626 §5.3.1
      conclude(server, with: .flowFailed, at: now, &bench, into: &outbox)
      return
    }
    answerFailure(of: server, at: now, &bench, into: &outbox)
  }
}
