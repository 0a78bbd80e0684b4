import SIPSyntax
import Timekeeping

/// Names a lookup that waits; an old one is harmless.
struct LookupReference: Hashable, Sendable, BitwiseCopyable {
  let slot: Int
  let generation: UInt64
}

/// Answers of the DNS by question, each until its time to live is over, and who waits for those being asked.
///
/// Bounded in entries and in octets. When it is full, a hand goes round and takes what was not used since it last came
/// by, so that a flood of names that are asked once displaces itself before it displaces what calls need. Every
/// operation is O(1), but for the hand, which passes by at most as many entries as are being asked, and 64 more.
struct AnswerCache {
  private struct Entry {
    let question: DNSQuestion
    /// The last answer; nil until there is one. It stays while the question is asked again.
    var answer: CachedAnswer?
    var arrival = MonotonicInstant.origin
    var expiry = MonotonicInstant.origin
    var octets: Int
    var isOpen = true
    var isUsed = false
    var waiters: [LookupReference] = []
    /// On whose behalf it is being asked.
    var asker: Asker
  }

  private let maximumCount: Int
  private let maximumOctets: Int
  private let maximumOpen: Int
  private var shares: AskerShares
  /// How long an answer serves those that waited for it, whatever its time to live.
  private let shortestStay: TimeSpan

  private var entries: [Entry?] = []
  private var places: [DNSQuestion: Int] = [:]
  private var free: [Int] = []
  private var evictionHand = 0
  private var sweepHand = 0
  private(set) var octets = 0
  private(set) var openCount = 0

  init(limits: LocatorLimits) {
    maximumOpen = max(1, limits.openQuestions)
    shares = AskerShares(limit: maximumOpen)
    // What is being asked cannot be displaced; there must be room for more.
    maximumCount = max(limits.cachedAnswers, maximumOpen + 1)
    maximumOctets = limits.cachedOctets
    shortestStay = limits.timeLimit
  }

  var count: Int { places.count }

  /// What is known at `now`; also what has expired, when it arrived at `since` or later.
  mutating func answer(
    to question: DNSQuestion, at now: MonotonicInstant, arrivedSince since: MonotonicInstant?
  ) -> CachedAnswer? {
    guard let place = places[question], let entry = entries[place], let answer = entry.answer else {
      return nil
    }
    guard now < entry.expiry || since.map({ entry.arrival >= $0 }) == true else { return nil }
    if !entry.isUsed { entries[place]?.isUsed = true }
    return answer
  }

  /// What `open` found.
  enum Opening {
    /// The question is to be asked now.
    case new(place: Int)
    /// It is being asked already.
    case open(place: Int)
    /// Too much is being asked.
    case refused
    /// Nobody who wants to know has a share left.
    case overShare
  }

  /// Makes a question one that is being asked, on behalf of the first of `askers` that may ask more.
  mutating func open(
    _ question: DNSQuestion, for askers: some Sequence<Asker>, at now: MonotonicInstant
  ) -> Opening {
    if let place = places[question] {
      if entries[place]?.isOpen == true { return .open(place: place) }
      guard openCount < maximumOpen else { return .refused }
      guard let asker = payer(among: askers) else { return .overShare }
      entries[place]?.isOpen = true
      entries[place]?.asker = asker
      shares.add(asker)
      openCount += 1
      return .new(place: place)
    }
    guard openCount < maximumOpen else { return .refused }
    guard let asker = payer(among: askers) else { return .overShare }
    let size = 160 + 2 * question.name.bytes.count
    guard makeRoom(for: size, entries: 1, at: now) else { return .refused }
    let entry = Entry(question: question, octets: size, asker: asker)
    let place: Int
    if let reused = free.popLast() {
      place = reused
      entries[place] = entry
    } else {
      place = entries.count
      entries.append(entry)
    }
    places[question] = place
    octets += size
    shares.add(asker)
    openCount += 1
    return .new(place: place)
  }

  private func payer(among askers: some Sequence<Asker>) -> Asker? {
    askers.first { shares.admits($0, total: openCount) }
  }

  /// Notes that a lookup waits for the question at `place`.
  mutating func addWaiter(_ waiter: LookupReference, at place: Int) {
    entries[place]?.waiters.append(waiter)
  }

  /// Keeps the answer to a question that is being asked; nil when it is not, else its place and those that waited.
  mutating func close(
    _ question: DNSQuestion, with answer: CachedAnswer, until expiry: MonotonicInstant,
    at now: MonotonicInstant
  ) -> (place: Int, waiters: [LookupReference])? {
    guard let place = places[question], let entry = entries[place], entry.isOpen else { return nil }
    let size = 160 + 2 * question.name.bytes.count + answer.octets
    // There is room: no answer is as large as the cache, and what is open is small.
    _ = makeRoom(for: size - entry.octets, entries: 0, at: now)
    entries[place]?.answer = answer
    entries[place]?.arrival = now
    entries[place]?.expiry = expiry
    entries[place]?.octets = size
    entries[place]?.isOpen = false
    entries[place]?.waiters = []
    octets += size - entry.octets
    shares.remove(entry.asker)
    openCount -= 1
    return (place, entry.waiters)
  }

  /// Forgets what has expired among the next entries of a round through all of them.
  mutating func sweep(at now: MonotonicInstant) {
    for _ in 0..<min(LocatorLimits.sweep, entries.count) {
      sweepHand = sweepHand + 1 < entries.count ? sweepHand + 1 : 0
      guard let entry = entries[sweepHand], !entry.isOpen else { continue }
      if entry.expiry <= now, entry.arrival + shortestStay <= now { remove(at: sweepHand) }
    }
    if places.isEmpty { (entries, free) = ([], []) }
  }

  /// Displaces entries until there is room; false when all that is left is being asked.
  private mutating func makeRoom(for size: Int, entries count: Int, at now: MonotonicInstant) -> Bool {
    while places.count + count > maximumCount || octets + size > maximumOctets {
      guard let victim = victim(at: now) else { return count == 0 || places.count + count <= maximumCount }
      remove(at: victim)
    }
    return true
  }

  /// The entry to displace next: one that is expired, or not used since the hand came by, or else the last it passed.
  private mutating func victim(at now: MonotonicInstant) -> Int? {
    var last: Int?
    for _ in 0..<min(entries.count, openCount + 64) {
      evictionHand = evictionHand + 1 < entries.count ? evictionHand + 1 : 0
      guard let entry = entries[evictionHand], !entry.isOpen else { continue }
      if entry.expiry <= now || !entry.isUsed { return evictionHand }
      entries[evictionHand]?.isUsed = false
      last = evictionHand
    }
    return last
  }

  private mutating func remove(at place: Int) {
    guard let entry = entries[place] else { return }
    places[entry.question] = nil
    entries[place] = nil
    free.append(place)
    octets -= entry.octets
  }
}
