// RFC 3263 section 4, D57: requests that wait for the DNS, and what its answers do.

import PagedStorage
import SIPSyntax
import ServerLocation
import Timekeeping

extension ProxyEngine {
  /// Asks for the addresses of the configured next hop before the first request needs them.
  mutating func begin(at now: MonotonicInstant, into outbox: inout Outbox) {
    guard case .name(let destination) = nextHop.resolution else { return }
    _ = locator.locate(destination, at: now, asking: &outbox.questions)
  }

  /// The DNS answered a question: what waited for it goes on.
  mutating func receiveAnswer(
    _ answer: DNSAnswer, to question: DNSQuestion, at now: MonotonicInstant, _ bench: inout Workbench,
    into outbox: inout Outbox
  ) {
    counters.add(to: .nameAnswers)
    if case .failure = answer { counters.add(to: .nameFailures) }
    var settled: [LocationID] = []
    locator.answered(question, with: answer, at: now, asking: &outbox.questions, settled: &settled)
    resume(settled, at: now, &bench, into: &outbox)
  }

  /// Lets the requests go on whose locations are settled, found or not.
  mutating func resume(
    _ settled: [LocationID], at now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    for location in settled {
      for attempt in attempts.takeWaiting(for: location) where attempts.slab.isLive(attempt) {
        resume(attempt, at: now, &bench, into: &outbox)
      }
    }
  }

  private mutating func resume(
    _ attempt: SlabID, at now: MonotonicInstant, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    let server = attempts.slab[attempt.index].server.index
    let arrival = Arrival(flow: attempts.slab[attempt.index].arrival, now: now)
    guard loadOriginal(of: attempt, into: &bench) else {
      conclude(server, with: .serverError, at: now, &bench, into: &outbox)
      return
    }
    let octets = bench.storedBytes.bytes
    guard let plan = try? RoutePlan(bench.stored, octets.span, own: own, tokens: tokens) else {
      conclude(server, with: .serverError, at: now, &bench, into: &outbox)
      return
    }
    let targets = resolveTargets(bench.stored, octets.span, arrival, plan, asking: &outbox.questions)
    switch targets {
    case .refused(let answer):
      conclude(server, with: answer, at: now, &bench, into: &outbox)
    case .pending where attempts.slab[attempt.index].resumptions >= Self.resumptionLimit:
      conclude(server, with: .nextHopNotFound, at: now, &bench, into: &outbox)
    case .pending:
      attempts.slab[attempt.index].resumptions += 1
      set(targets, of: attempt)
    case .one, .several:
      set(targets, of: attempt)
      takeNextWay(for: server, at: now, &bench, into: &outbox)
    }
  }

  /// How often a request may find itself waiting again: its answers may have expired meanwhile.
  private static var resumptionLimit: Int { 3 }
}
