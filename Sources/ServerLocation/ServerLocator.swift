// RFC 3263 section 4 without a socket: what to ask the DNS, and what its answers mean for a request (D48-D54, D57).

public import PagedStorage
public import SIPSyntax
public import Timekeeping

/// Finds the servers behind host names, from a cache of DNS answers and by questions that the caller passes on.
///
/// Every question handed out gets exactly one ``answered(_:with:at:asking:settled:)``. The work of a call is bounded,
/// whatever zones hold: what does not fit is left to ``advance(to:settled:asking:)``.
public struct ServerLocator: Sendable {
  private let supported: SupportedTransports
  private let limits: LocatorLimits
  private var cache: AnswerCache
  private var lookups = PendingLookups()
  private let key: HashKey
  private var shares: AskerShares
  private var random: SelectionGenerator
  private var serial: UInt64 = 0
  private var nextSweep: MonotonicInstant?
  private var lastInstant = MonotonicInstant.origin

  /// Destinations that settled at `lastSettling`, and when their lookups began.
  private var justSettled: [Destination: MonotonicInstant] = [:]
  private var lastSettling = MonotonicInstant.origin

  /// Locations that wait.
  public private(set) var pendingCount = 0
  /// Questions that are being asked.
  public var openQuestionCount: Int { cache.openCount }
  /// Answers kept, and questions that are being asked.
  public var cachedCount: Int { cache.count }
  /// An estimate of the memory that answers take.
  public var cachedOctets: Int { cache.octets }

  /// An empty locator for the transports that can be spoken; the key decides how load spreads over equal servers.
  public init(key: HashKey, supported: SupportedTransports, limits: LocatorLimits = LocatorLimits()) {
    self.supported = supported
    self.limits = limits
    cache = AnswerCache(limits: limits)
    self.key = key
    shares = AskerShares(limit: limits.pendingLocations)
    random = SelectionGenerator(key: key)
  }

  /// The servers of a destination, from the cache at once, or the promise of them.
  ///
  /// Each call draws the order of equal servers anew, or as `seed` decides: all requests of one call go to the same
  /// server then. `settled` names a location that was reported as settled: what
  /// arrived for it serves this request even if its time to live is over, and the result is never `pending`. It may
  /// be left out in the very instant of the report. With `grace`, an answer serves for that long after it came, for a
  /// request that cannot wait. Who waits, and what is asked, is charged to `source`, which has a share when little room
  /// is left; without one to the proxy itself. With `asksForProxy` only the waiting is the source's: the proxy wants to
  /// know. Costs one look into the cache for each host and service.
  public mutating func locate(
    _ destination: Destination, for source: IPAddress? = nil, asksForProxy: Bool = false,
    settled: LocationID? = nil, grace: TimeSpan? = nil, seed: UInt64? = nil, at now: MonotonicInstant,
    asking questions: inout [DNSQuestion]
  ) -> LocationResult {
    lastInstant = now
    var order = seed.map { SelectionGenerator(seed: $0) } ?? random
    defer { if seed == nil { random = order } }
    let settledStart = settled?.start ?? (now == lastSettling ? justSettled[destination] : nil)
    if let start = settledStart { return concluded(destination, at: now, arrivedSince: start, &order) }
    if let reference = lookups.reference(for: destination), let lookup = lookups[reference] {
      if lookup.isSettled { return concluded(destination, at: now, arrivedSince: lookup.start, &order) }
      return wait(for: reference, Asker(source, key: key), at: lookup.start)
    }
    var search = LocationSearch(
      destination, supported: supported, at: now, arrivedSince: grace.map { now + $0 * -1 }, isFinal: false)
    switch search.run(over: &cache, using: &order) {
    case .targets(let targets): return .targets(targets)
    case .failed(let failure): return .failed(failure)
    case .missing(let missing):
      let asker = Asker(source, key: key)
      if let failure = refusal(of: asker) { return .failed(failure) }
      let reference = lookups.begin(destination, for: asksForProxy ? .proxy : asker, at: now)
      if let failure = ask(missing, for: reference, at: now, asking: &questions) {
        lookups.end(reference)
        return .failed(failure)
      }
      if nextSweep == nil { nextSweep = now + LocatorLimits.sweepInterval }
      return wait(for: reference, asker, at: now)
    }
  }

  /// Takes what the DNS said to a question; appends further questions and the locations that are settled now.
  ///
  /// An answer to what was not asked is ignored. The next ``locate(_:settled:at:asking:)`` of a settled location
  /// answers at once.
  public mutating func answered(
    _ question: DNSQuestion, with answer: DNSAnswer, at now: MonotonicInstant,
    asking questions: inout [DNSQuestion], settled: inout [LocationID]
  ) {
    lastInstant = now
    let digest = CachedAnswer(answer, to: question.type, supported: supported)
    let expiry = now + .seconds(Int64(timeToLive(of: answer, digest: digest)))
    guard let (place, waiters) = cache.close(question, with: digest, until: expiry, at: now) else { return }
    for waiter in waiters where lookups[waiter] != nil {
      lookups[waiter]?.awaited.removeAll { $0 == place }
      lookups.makeReady(waiter)
    }
    proceed(at: now, asking: &questions, settled: &settled)
  }

  /// Settles locations whose time is over with what is known, goes on with what earlier calls left, and forgets
  /// expired answers: a bounded number of each.
  public mutating func advance(
    to now: MonotonicInstant, asking questions: inout [DNSQuestion], settled: inout [LocationID]
  ) {
    lastInstant = now
    lookups.expire(after: limits.timeLimit, at: now, atMost: LocatorLimits.stepsAtOnce)
    proceed(at: now, asking: &questions, settled: &settled)
    if let due = nextSweep, due <= now {
      cache.sweep(at: now)
      nextSweep = cache.count == 0 ? nil : now + LocatorLimits.sweepInterval
    }
  }

  /// When ``advance(to:asking:settled:)`` has something to do; nil when nothing waits and nothing is kept.
  public var nextDeadline: MonotonicInstant? {
    if lookups.hasReady { return lastInstant }
    guard let oldest = lookups.oldestStart else { return nextSweep }
    let timeLimit = oldest + limits.timeLimit
    return nextSweep.map { min($0, timeLimit) } ?? timeLimit
  }

  /// The final word on a destination: what is not known by now counts as failed.
  private mutating func concluded(
    _ destination: Destination, at now: MonotonicInstant, arrivedSince start: MonotonicInstant,
    _ order: inout SelectionGenerator
  ) -> LocationResult {
    var search = LocationSearch(
      destination, supported: supported, at: now, arrivedSince: start, isFinal: true)
    return switch search.run(over: &cache, using: &order) {
    case .targets(let targets): .targets(targets)
    case .failed(let failure): .failed(failure)
    case .missing: .failed(.busy)
    }
  }

  /// Why an asker may not wait for one more location.
  private func refusal(of asker: Asker) -> LocationFailure? {
    guard pendingCount < limits.pendingLocations else { return .busy }
    return shares.admits(asker, total: pendingCount) ? nil : .overShare
  }

  private mutating func wait(
    for reference: LookupReference, _ asker: Asker, at start: MonotonicInstant
  ) -> LocationResult {
    if let failure = refusal(of: asker) { return .failed(failure) }
    serial += 1
    let id = LocationID(serial: serial, start: start, asker: asker)
    lookups[reference]?.waiters.append(id)
    shares.add(asker)
    pendingCount += 1
    return .pending(id)
  }

  /// Makes a lookup wait for questions and hands out those that nobody asks yet; says why it cannot.
  ///
  /// Whoever waits for the lookup can pay for a question, so that a flood which asked first fails nobody else.
  private mutating func ask(
    _ missing: [DNSQuestion], for reference: LookupReference, at now: MonotonicInstant,
    asking questions: inout [DNSQuestion]
  ) -> LocationFailure? {
    guard let lookup = lookups[reference] else { return .busy }
    let askers = CollectionOfOne(lookup.asker) + lookup.waiters.prefix(LocatorLimits.payers).map(\.asker)
    var places: [Int] = []
    for question in missing {
      // Each search names servers in another order; what is open is enough for now.
      if let awaited = lookups[reference]?.awaited, awaited.count >= LocatorLimits.questionsAtOnce { break }
      let place: Int
      switch cache.open(question, for: askers, at: now) {
      case .refused: return .busy
      case .overShare: return .overShare
      case .open(let open): place = open
      case .new(let new):
        questions.append(question)
        place = new
      }
      if lookups[reference]?.awaited.contains(place) == false {
        lookups[reference]?.awaited.append(place)
        places.append(place)
      }
    }
    // Only now: a lookup that was refused waits for nothing.
    for place in places { cache.addWaiter(reference, at: place) }
    return nil
  }

  /// Looks at lookups that got an answer or whose time is over, and reports those that are settled.
  ///
  /// A search is worth as many steps as it reads entries, a report sixteen; so much is what the caller does with it.
  private mutating func proceed(
    at now: MonotonicInstant, asking questions: inout [DNSQuestion], settled: inout [LocationID]
  ) {
    var budget = LocatorLimits.stepsAtOnce * 16
    while budget > 0, let reference = lookups.firstReady(), let lookup = lookups[reference] {
      if !lookup.isSettled {
        let isOver = lookup.start + limits.timeLimit <= now
        var search = LocationSearch(
          lookup.destination, supported: supported, at: now, arrivedSince: lookup.start, isFinal: isOver)
        let outcome = search.run(over: &cache, using: &random)
        budget -= 1 + search.reads
        if case .missing(let missing) = outcome,
          ask(missing, for: reference, at: now, asking: &questions) == nil
        {
          lookups.dropFirstReady()
          continue
        }
        lookups[reference]?.isSettled = true
      }
      if lastSettling != now { justSettled.removeAll(keepingCapacity: true) }
      lastSettling = now
      justSettled[lookup.destination] = lookup.start
      let told = min(lookup.waiters.count, max(1, budget / 16))
      settled.append(contentsOf: lookup.waiters.prefix(told))
      for waiter in lookup.waiters.prefix(told) { shares.remove(waiter.asker) }
      pendingCount -= told
      budget -= 16 * told
      if told == lookup.waiters.count {
        lookups.dropFirstReady()
        lookups.end(reference)
      } else {
        lookups[reference]?.waiters.removeFirst(told)
      }
    }
  }

  /// Seconds an answer is kept. A time to live with the top bit set counts as zero (RFC 2181 §8).
  private func timeToLive(of answer: DNSAnswer, digest: CachedAnswer) -> UInt32 {
    switch answer {
    case .failure: limits.failureTimeToLive
    case .none(let seconds): min(seconds > UInt32(Int32.max) ? 0 : seconds, limits.longestNegativeTimeToLive)
    case .records(_, let seconds): min(seconds > UInt32(Int32.max) ? 0 : seconds, limits.longestTimeToLive)
    }
  }
}
