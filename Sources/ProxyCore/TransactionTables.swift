import PagedStorage
import SIPSyntax
import SIPTransactions
import SessionTimers
import Timekeeping

/// Slots and tick of the transaction wheels: 4,096 slots of 8 ms are one turn of 32.8 s, a little more
/// than the longest timer of RFC 3261 section 17 at its default.
///
/// Timers that only say when a finished transaction may be forgotten (D, I, J, K, L, M) are never early, but up to a
/// quarter of a second late: the RFCs set the least that has to be absorbed, and nobody sees the end.
private let wheelSlots = 4096
private let wheelTick = TimeSpan.milliseconds(8)

/// The server transactions of one worker: slab, index by matching key, timing wheel.
struct ServerTransactionTable: ~Copyable {
  var slab: Slab<ServerTransactionRecord>
  private var index: HashIndex
  private var wheel: TimingWheel

  init(pages: PageSource, startingAt now: MonotonicInstant) {
    slab = Slab(pages: pages)
    index = HashIndex(pages: pages)
    wheel = TimingWheel(slotCount: wheelSlots, tick: wheelTick, start: now)
  }

  var count: Int { slab.count }
  var mappedBytes: Int { slab.mappedBytes + index.mappedBytes }
  var nextWakeUp: MonotonicInstant? { wheel.nextWakeUp }

  /// The transaction a request belongs to (C49, C54): same key and, unless the request is a CANCEL
  /// looking for its INVITE, the same method.
  func find(_ key: Hash128, methodHash: UInt32) -> UInt32? {
    index.first(key) { slab[$0].key == key && slab[$0].methodHash == methodHash }
  }

  /// Whether so many transactions have this key already, with other methods, that one more is abuse: they
  /// stand in one row of the index, and looking for any of them walks it.
  func isCrowded(_ key: Hash128) -> Bool {
    var left = 8
    return index.first(key) {
      if slab[$0].key == key { left -= 1 }
      return left == 0
    } != nil
  }

  /// The transaction that a CANCEL cancels (C52): same key, any method but CANCEL and ACK.
  func findCancelled(_ key: Hash128) -> UInt32? {
    index.first(key) { slab[$0].key == key && slab[$0].method != .cancel && slab[$0].method != .ack }
  }

  /// Adds a transaction and arms its timer; nil when there is no memory.
  mutating func insert(_ record: ServerTransactionRecord) -> SlabID? {
    guard let id = slab.allocate(record) else { return nil }
    guard index.insert(record.key, index: id.index) else {
      slab.free(id.index)
      return nil
    }
    slab[id.index].deadline = record.machine.deadline
    wheel.insert(id.index, in: &slab)
    return id
  }

  /// Brings the wheel in line with the machine's deadline after an event.
  mutating func rearm(_ index: UInt32) {
    let old = slab[index].deadline
    let new = slab[index].machine.deadline
    guard new != old else { return }
    slab[index].deadline = new
    if slab[index].machine.isLingering {
      wheel.linkLoosely(index, in: &slab)
    } else {
      wheel.deadlineMoved(index, from: old, in: &slab)
    }
  }

  /// Takes the record out of index, wheel and slab; the caller has released what it owns.
  mutating func remove(_ slot: UInt32) {
    wheel.remove(slot, in: &slab)
    index.remove(slab[slot].key, index: slot)
    slab.free(slot)
  }

  /// The next transaction whose timer fired, re-linked by the caller through ``relink(_:)``.
  mutating func popDue(at now: MonotonicInstant, budget: inout Int) -> UInt32? {
    wheel.popDue(at: now, in: &slab, budget: &budget)
  }

  /// Puts a popped transaction that lives on back on the wheel, unless an effect of its timer already did.
  mutating func relink(_ index: UInt32) {
    let old = slab[index].deadline
    slab[index].deadline = slab[index].machine.deadline
    wheel.deadlineMoved(index, from: old, in: &slab)
  }
}

/// The client transactions of one worker. Our branches carry the slot, so there is no index (C48).
struct ClientTransactionTable: ~Copyable {
  var slab: Slab<ClientTransactionRecord>
  private var wheel: TimingWheel

  init(pages: PageSource, startingAt now: MonotonicInstant) {
    slab = Slab(pages: pages)
    wheel = TimingWheel(slotCount: wheelSlots, tick: wheelTick, start: now)
  }

  var count: Int { slab.count }
  var mappedBytes: Int { slab.mappedBytes }
  var nextWakeUp: MonotonicInstant? { wheel.nextWakeUp }

  /// Adds a transaction and arms its timers; nil when there is no memory.
  mutating func insert(_ record: ClientTransactionRecord) -> SlabID? {
    guard let id = slab.allocate(record) else { return nil }
    slab[id.index].deadline = record.nextDeadline
    wheel.insert(id.index, in: &slab)
    return id
  }

  /// Brings the wheel in line with the machine, Timer C and the end of a cancelled branch.
  mutating func rearm(_ index: UInt32) {
    let old = slab[index].deadline
    let new = slab[index].nextDeadline
    guard new != old else { return }
    slab[index].deadline = new
    if slab[index].machine.isLingering && new == slab[index].machine.deadline {
      wheel.linkLoosely(index, in: &slab)
    } else {
      wheel.deadlineMoved(index, from: old, in: &slab)
    }
  }

  /// Takes the record out of wheel and slab; the caller has released what it owns.
  mutating func remove(_ index: UInt32) {
    wheel.remove(index, in: &slab)
    slab.free(index)
  }

  /// The next transaction one of whose timers fired.
  mutating func popDue(at now: MonotonicInstant, budget: inout Int) -> UInt32? {
    wheel.popDue(at: now, in: &slab, budget: &budget)
  }

  /// Puts a popped transaction that lives on back on the wheel, unless an effect of its timer already did.
  mutating func relink(_ index: UInt32) {
    let old = slab[index].deadline
    slab[index].deadline = slab[index].nextDeadline
    wheel.deadlineMoved(index, from: old, in: &slab)
  }
}

extension ClientTransactionRecord {
  /// The earliest of everything that can fire for this branch.
  var nextDeadline: MonotonicInstant { min(machine.deadline, min(timerC, cancelLimit)) }
}
