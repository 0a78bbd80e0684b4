// RFC 3263 section 4, D57: requests that wait for the DNS, and what its answers do.

import PagedStorage
import SIPSyntax
import ServerLocation
import Timekeeping

extension ProxyEngine {
  /// Asks for the addresses of the configured next hop before the first request needs them.
  mutating func begin(at now: MonotonicInstant, into outbox: inout Outbox) {
    guard case .name(let destination) = nextHop.resolution else { return }
    if case .pending(let location) = locator.locate(destination, at: now, asking: &outbox.questions) {
      nextHop.location = location
    }
  }

  /// The addresses of the next hop are needed to know its own requests, also before one is sent to it (B59).
  private mutating func learnNextHop(at now: MonotonicInstant, asking questions: inout [DNSQuestion]) {
    nextHop.location = nil
    guard case .name(let destination) = nextHop.resolution,
      case .targets(let targets) = locator.locate(destination, at: now, asking: &questions)
    else { return }
    nextHop.learn(targets)
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
    if let location = nextHop.location, settled.contains(location) {
      learnNextHop(at: now, asking: &outbox.questions)
    }
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
    let arrival = attempts.slab[attempt.index].arriving(at: now)
    guard loadOriginal(of: attempt, into: &bench) else {
      conclude(server, with: .serverError, at: now, &bench, into: &outbox)
      return
    }
    let octets = bench.storedBytes.bytes
    let targets = replan(bench.stored, octets.span, arrival, asking: &outbox.questions)
    switch targets {
    case .ours:
      conclude(server, with: .loopDetected, at: now, &bench, into: &outbox)
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

  /// Looks at a request again, and once more for each name in it that turned out to be us.
  private mutating func replan(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival,
    asking questions: inout [DNSQuestion]
  ) -> TargetSet {
    for _ in 0...Self.resumptionLimit {
      guard let plan = try? RoutePlan(message, bytes, own: own, tokens: tokens) else {
        return .refused(.serverError)
      }
      if let answer = validate(message, bytes, plan, loopPart(message, bytes, arrival, plan)) {
        return .refused(answer)
      }
      let targets = resolveTargets(message, bytes, arrival, plan, asking: &questions)
      guard case .ours(let name) = targets else { return targets }
      own.learn(name, at: arrival.now)
    }
    return .refused(.loopDetected)
  }

  /// How often a request may find itself waiting again: its answers may have expired meanwhile.
  private static var resumptionLimit: Int { 3 }
}
