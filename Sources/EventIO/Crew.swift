public import AdminHTTP
internal import CSystemShims
public import PagedStorage
public import ProxyCore
import Synchronization

/// The workers of one process: the first runs on the thread that made them, each other on one of its own.
///
/// All methods are for that first thread. What the others must do or tell goes through their mailboxes. A single
/// worker has no mailbox, and looks at no Call-ID for anybody else's sake.
public final class Crew {
  /// All of them; only the first may be touched.
  let workers: [Worker]
  private let stations: [Station]
  private var threads: [UInt] = []
  /// Whether ``drain(_:)`` was called.
  public private(set) var isDraining = false

  /// The first worker.
  public var first: Worker { workers[0] }
  /// What each counts; readable from any thread.
  public var counters: [Counters] { workers.map(\.counters) }

  /// Makes as many workers as there are parts. `key` decides which call belongs to whom; nobody outside may know it.
  /// `handshakeReporter` makes each what is told of connections that TLS refused, on its thread.
  public init(
    _ parts: [WorkerParts], key: HashKey,
    handshakeReporter: () -> (HandshakeFailure) -> Void = { { _ in } }
  ) throws(EventIOError) {
    precondition(!parts.isEmpty, "a crew has at least one worker")
    var mailboxes: [Mailbox] = []
    if parts.count > 1 { for _ in parts { mailboxes.append(try Mailbox()) } }
    let stations = mailboxes.indices.map { Station($0, among: mailboxes, key: key) }
    var workers: [Worker] = []
    for (index, parts) in parts.enumerated() {
      workers.append(try Worker(parts, station: stations.isEmpty ? nil : stations[index]))
    }
    for worker in workers { worker.whenHandshakeFails = handshakeReporter() }
    (self.workers, self.stations) = (workers, stations)
  }

  /// Lets all but the first run, until ``end()``.
  public func start() throws(EventIOError) {
    for worker in workers.dropFirst() {
      var thread: UInt = 0
      // Owned by the thread until its end; the worker is touched by nobody else meanwhile.
      let context = unsafe Unmanaged.passRetained(worker)
      let status = unsafe ck_thread_start(
        { context in
          guard let context = unsafe context else { return nil }
          let worker = unsafe Unmanaged<Worker>.fromOpaque(context).takeRetainedValue()
          worker.serve()
          return nil
        }, context.toOpaque(), &thread)
      if status < 0 {
        unsafe context.release()
        throw EventIOError(operation: "start", errorNumber: -status, address: "a worker's thread")
      }
      threads.append(thread)
    }
  }

  /// Why another worker's loop ended, and with it the first one's; nil when none did of itself.
  public var failure: EventIOError? { first.failureOfOther }

  /// Stops all but the first and waits for their end.
  public func end() {
    for station in stations.dropFirst() { station.mailbox.post(.task { $0.loop.stop() }) }
    for thread in threads { ck_thread_join(thread) }
    threads = []
  }

  deinit { end() }

  /// Refuses new calls from now on and calls `done` once no worker has a transaction without a final response, all that
  /// was said over connections has left, and their peers know that it was the last.
  public func drain(_ done: @escaping () -> Void) {
    isDraining = true
    guard workers.count > 1 else { return first.drain(done) }
    // A quiet worker's connections may still carry answers of others: none parts before all are quiet.
    all({ $0.beginDraining($1) }) { [unowned self] in
      all({ $0.depart($1) }, done)
    }
  }

  /// Has every worker do something that takes a while; `done` is called after the last.
  private func all(
    _ body: @escaping @Sendable (Worker, @escaping @Sendable () -> Void) -> Void, _ done: @escaping () -> Void
  ) {
    var left = workers.count
    for index in workers.indices {
      first.ask(index, { worker, report in body(worker) { report(.done) } }) { _ in
        left -= 1
        if left == 0 { done() }
      }
    }
  }

  // MARK: Queries

  /// Answers a request of the query API, now or when the workers it concerns have.
  public func respond(
    to request: AdminRequest, with facts: AdminFacts, _ deliver: @escaping (AdminResponse) -> Void
  ) {
    let owner = AdminService.worker(for: request, of: workers.count) { callID in
      stations.first?.owner(ofCallID: callID.span, from: 0, to: callID.count) ?? 0
    }
    var facts = facts
    facts.worker = owner
    if workers.count > 1, AdminService.asksForPage(request) {
      switch DialogListing.asked(by: request, facts) {
      case .refused(let refusal): return deliver(refusal)
      case .listing(let listing): return fill(listing, facts, deliver)
      }
    }
    if owner == 0 { return deliver(first.respond(to: request, with: facts)) }
    let question = facts
    first.ask(
      owner, { worker, report in report(.response(worker.respond(to: request, with: question))) },
      then: { if case .response(let response) = $0 { deliver(response) } })
  }

  /// Lets one worker after the other add to a page until it is complete.
  private func fill(
    _ listing: DialogListing, _ facts: AdminFacts, _ deliver: @escaping (AdminResponse) -> Void
  ) {
    first.ask(
      facts.worker, { worker, report in report(.listing(worker.extend(listing, with: facts))) },
      then: { [unowned self] reply in
        guard case .listing(let longer) = reply else { return }
        guard let next = longer.nextWorker else { return deliver(longer.response(facts)) }
        var facts = facts
        facts.worker = next
        fill(longer, facts, deliver)
      })
  }
}

extension Worker {
  /// Runs the loop on a thread of its own; when the system does not let it, the first worker's loop ends too.
  fileprivate func serve() {
    do throws(EventIOError) {
      try loop.run()
    } catch {
      station?.mailbox(of: 0).post(
        .task { first in
          first.failureOfOther = error
          first.loop.stop()
        })
    }
  }
}
