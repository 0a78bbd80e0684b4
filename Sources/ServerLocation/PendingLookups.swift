import Timekeeping

/// What a location waits for; all requests for one destination share it.
struct Lookup {
  let destination: Destination
  let start: MonotonicInstant
  let generation: UInt64
  /// Who began it.
  let asker: Asker
  var waiters: [LocationID] = []
  /// Places in the cache of the questions it waits for.
  var awaited: [Int] = []
  /// It stands in the queue of those to look at.
  var isReady = false
  /// Its waiters are being told.
  var isSettled = false
  fileprivate var previous: Int?
  fileprivate var next: Int?
}

/// The lookups under way: by destination, by reference, and in the order in which their time is over.
///
/// All have the same time limit, so a list in the order of their start is enough. Every operation is O(1).
struct PendingLookups {
  private var slots: [Lookup?] = []
  private var free: [Int] = []
  private var places: [Destination: Int] = [:]
  private var generation: UInt64 = 0
  private var oldest: Int?
  private var newest: Int?

  /// Lookups to look at again, in this order.
  private var ready: [LookupReference] = []
  private var readyHead = 0

  init() {}

  var isEmpty: Bool { places.isEmpty }
  var hasReady: Bool { readyHead < ready.count }
  /// When the first lookup began that nobody has looked at for its time limit.
  var oldestStart: MonotonicInstant? { oldest.flatMap { slots[$0]?.start } }

  subscript(reference: LookupReference) -> Lookup? {
    get {
      guard reference.slot < slots.count, let lookup = slots[reference.slot],
        lookup.generation == reference.generation
      else { return nil }
      return lookup
    }
    _modify {
      precondition(slots[reference.slot]?.generation == reference.generation)
      yield &slots[reference.slot]
    }
  }

  /// The lookup for a destination.
  func reference(for destination: Destination) -> LookupReference? {
    guard let place = places[destination], let lookup = slots[place] else { return nil }
    return LookupReference(slot: place, generation: lookup.generation)
  }

  /// A lookup that begins now; there must be none for the destination.
  mutating func begin(
    _ destination: Destination, for asker: Asker, at now: MonotonicInstant
  ) -> LookupReference {
    generation += 1
    var lookup = Lookup(destination: destination, start: now, generation: generation, asker: asker)
    lookup.previous = newest
    let place: Int
    if let reused = free.popLast() {
      place = reused
      slots[place] = lookup
    } else {
      place = slots.count
      slots.append(lookup)
    }
    if let newest { slots[newest]?.next = place } else { oldest = place }
    newest = place
    places[destination] = place
    return LookupReference(slot: place, generation: generation)
  }

  /// Forgets a lookup; references to it are harmless from now on.
  mutating func end(_ reference: LookupReference) {
    guard let lookup = self[reference] else { return }
    unlink(reference.slot)
    slots[reference.slot] = nil
    places[lookup.destination] = nil
    free.append(reference.slot)
    if places.isEmpty { (slots, free) = ([], []) }
  }

  /// Puts a lookup into the queue of those to look at, once.
  mutating func makeReady(_ reference: LookupReference) {
    guard let lookup = self[reference], !lookup.isReady else { return }
    slots[reference.slot]?.isReady = true
    ready.append(reference)
  }

  /// The next lookup to look at; it stays in the queue.
  mutating func firstReady() -> LookupReference? {
    while readyHead < ready.count {
      if self[ready[readyHead]] != nil { return ready[readyHead] }
      dropFirstReady()
    }
    return nil
  }

  /// Takes the first lookup out of the queue.
  mutating func dropFirstReady() {
    guard readyHead < ready.count else { return }
    let reference = ready[readyHead]
    if self[reference] != nil { slots[reference.slot]?.isReady = false }
    readyHead += 1
    if readyHead == ready.count {
      ready.removeAll(keepingCapacity: true)
      readyHead = 0
    } else if readyHead >= 1024, readyHead * 2 >= ready.count {
      ready.removeFirst(readyHead)
      readyHead = 0
    }
  }

  /// Makes lookups ready whose time is over, `count` at most.
  mutating func expire(after timeLimit: TimeSpan, at now: MonotonicInstant, atMost count: Int) {
    for _ in 0..<count {
      guard let place = oldest, let lookup = slots[place], lookup.start + timeLimit <= now else { return }
      unlink(place)
      makeReady(LookupReference(slot: place, generation: lookup.generation))
    }
  }

  /// Takes a lookup out of the list of those whose time runs; does nothing when it is not in it.
  private mutating func unlink(_ place: Int) {
    guard let lookup = slots[place] else { return }
    guard oldest == place || lookup.previous != nil else { return }
    if let previous = lookup.previous { slots[previous]?.next = lookup.next } else { oldest = lookup.next }
    if let next = lookup.next { slots[next]?.previous = lookup.previous } else { newest = lookup.previous }
    slots[place]?.previous = nil
    slots[place]?.next = nil
  }
}
