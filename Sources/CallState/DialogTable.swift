// RFC 3261 §12 and §12.1: making and finding dialogs.
// Left open: everything about a proxy's own memory of dialogs. We chose: the table counts and times calls,
// and is never needed to route one (F9, F16). A dialog we do not know is no error; the 2xx to its next
// refresh brings it back (A92, F33, F37).

public import PagedStorage
public import SIPSyntax
public import Timekeeping

/// All dialogs of one worker.
///
/// Every operation is O(1), also when the table grows, and takes no heap memory. Identifiers of removed
/// dialogs are harmless: whatever is done with them does nothing.
public struct DialogTable: ~Copyable {
  var records: Slab<DialogRecord>
  var index: HashIndex
  var texts: ByteArena
  var wheel: TimingWheel
  let clock: DialogClock
  let key: HashKey
  let limit: Int
  let lifetimes: DialogLifetimes
  /// How many dialogs there are and were; O(1) and right after every call (F35).
  public internal(set) var counts = DialogCounts()
  /// Where events are kept for whoever wants them; off at first.
  public var events = DialogEventSink()

  /// An empty table.
  ///
  /// - Parameters:
  ///   - pages: where memory comes from; none is taken before the first dialog.
  ///   - key: the secret of the hash (G11).
  ///   - start: now; records count their seconds from here.
  ///   - limit: most dialogs, early ones included; 0 for no limit (F36).
  ///   - untimedLifetime: fallback without a session timer; nil for ever (A91).
  ///   - maxSession: longest life of a record after the 2xx that set its timer; nil for no cap (G16).
  ///   - earlyLifetime: longest life of an early dialog after its last provisional response.
  public init(
    pages: PageSource, key: HashKey, start: MonotonicInstant, limit: Int = 0,
    untimedLifetime: TimeSpan? = .seconds(43_200), maxSession: TimeSpan? = .seconds(86_400),
    earlyLifetime: TimeSpan = .seconds(600)
  ) {
    records = Slab(pages: pages)
    index = HashIndex(pages: pages)
    texts = ByteArena(pages: pages)
    wheel = TimingWheel(slotCount: 16_384, tick: .seconds(1), start: .origin)
    clock = DialogClock(start: start)
    self.key = key
    self.limit = limit
    lifetimes = DialogLifetimes(untimed: untimedLifetime, maxSession: maxSession, early: earlyLifetime)
  }

  /// Whether a further dialog would be refused (F36).
  public var isFull: Bool { limit > 0 && counts.total >= limit }

  /// Bytes of pages held now.
  public var mappedBytes: Int { records.mappedBytes + index.mappedBytes + texts.mappedBytes }

  // MARK: Finding

  /// The dialog of a request or response, whichever side the local tag belongs to (F1); nil when unknown.
  public func find(
    callID: ByteRange, localTag: ByteRange, remoteTag: ByteRange, in bytes: Span<UInt8>
  ) -> SlabID? {
    match(callID: callID, tag: localTag, otherTag: remoteTag, in: bytes)?.id
  }

  /// The dialog, and the side to which `tag` belongs: pass the From tag to learn who sent a request.
  public func match(
    callID: ByteRange, tag: ByteRange, otherTag: ByteRange, in bytes: Span<UInt8>
  ) -> DialogMatch? {
    let key = DialogKeyView(callID: callID, callerTag: tag, calleeTag: otherTag)
    return match(key, hash: hash(of: key, in: bytes), in: bytes)
  }

  /// Whether the identifier names a dialog that is still there; safe for any value.
  public func contains(_ id: SlabID) -> Bool { place(of: id) != nil }

  /// Early or confirmed; nil when the dialog is gone.
  public func state(of id: SlabID) -> DialogState? {
    guard let place = place(of: id) else { return nil }
    return records[place].standing == .early ? .early : .confirmed
  }

  // MARK: Making

  /// Makes the early dialog of a 101-199 with a To tag, or prolongs the one that is there (F2, F3, F7).
  ///
  /// - Parameters:
  ///   - chain: the early dialogs of one transaction, `.none` at first. Its owner passes it to
  ///     `endEarly(chain:cause:at:)` once, when the transaction is over.
  /// - Returns: nil when the table is full or memory is refused; the call is not hindered by that.
  public mutating func createEarly(
    _ setup: DialogSetup, response: Span<UInt8>, request: Span<UInt8>, chain: inout SlabID,
    at now: MonotonicInstant
  ) -> SlabID? {
    let hash = setup.hash ?? hash(of: setup.key, in: response)
    if let known = match(setup.key, hash: hash, in: response)?.id {
      prolongEarly(known, at: now)
      return known
    }
    let due = clock.second(after: lifetimes.early, from: now)
    guard let id = add(setup, hash, response, request, as: .early, due: due, at: now) else { return nil }
    join(id, to: &chain)
    counts.created &+= 1
    report(.createdEarly, id.index, at: now)
    return id
  }

  /// Confirms the dialog of a 2xx to a first INVITE, making it when no early one is there (F2, F3, F7).
  ///
  /// The dialog is without a session timer until `applyTimer` is called with the same 2xx. Safe to
  /// repeat: a retransmitted 2xx changes nothing.
  public mutating func createConfirmed(
    _ setup: DialogSetup, response: Span<UInt8>, request: Span<UInt8>, at now: MonotonicInstant
  ) -> SlabID? {
    establish(setup, response, request, adopted: false, at: now)
  }

  /// Puts a dialog that `createConfirmed` has made into its transaction's chain, so that `hasEnded` knows it.
  public mutating func join(_ id: SlabID, to chain: inout SlabID) {
    guard let place = place(of: id), !records[place].flags.contains(.chained) else { return }
    records[place].flags.insert(.chained)
    if records.isLive(chain) { records[place].sibling = chain.index }
    chain = id
  }

  /// Whether a dialog of the chain had this key and is over: a late copy of its 2xx does not bring it back
  /// (A76, F23). One that ended early without a BYE, by a 481 to an UPDATE or by its age, comes up with its first 2xx
  /// all the same (F2). O(chain), hence for 2xx without a dialog only.
  public func hasEnded(_ key: DialogKeyView, in bytes: Span<UInt8>, chain: SlabID) -> Bool {
    guard records.isLive(chain) else { return false }
    let hash = hash(of: key, in: bytes)
    var next = chain.index
    while next != DialogRecord.none {
      let isOver = records[next].standing == .ended && !records[next].flags.contains(.neverUp)
      if isOver && records[next].hash == hash { return true }
      next = records[next].sibling
    }
    return false
  }

  /// Brings back a dialog we do not know, at the 2xx to a refresh (A92, F33, F37). The sender of the
  /// refresh is taken for the caller: who it was at first cannot be known.
  public mutating func adopt(
    _ setup: DialogSetup, response: Span<UInt8>, request: Span<UInt8>, at now: MonotonicInstant
  ) -> SlabID? {
    establish(setup, response, request, adopted: true, at: now)
  }

  /// Confirms an early dialog (F2, F12); does nothing to a confirmed one.
  public mutating func confirm(_ id: SlabID, at now: MonotonicInstant) {
    guard let place = place(of: id), records[place].standing == .early else { return }
    records[place].confirmedAt = clock.second(of: now)
    setStanding(.untimed, of: place)
    setExpiration(lifetimes.untimed, of: place, from: now)
    counts.confirmed &+= 1
    report(.confirmed, place, at: now)
  }

  /// Lets an early dialog live on, at each further provisional response.
  public mutating func prolongEarly(_ id: SlabID, at now: MonotonicInstant) {
    guard let place = place(of: id), records[place].standing == .early else { return }
    setExpiration(lifetimes.early, of: place, from: now)
  }

  private mutating func establish(
    _ setup: DialogSetup, _ response: Span<UInt8>, _ request: Span<UInt8>, adopted: Bool,
    at now: MonotonicInstant
  ) -> SlabID? {
    let hash = setup.hash ?? hash(of: setup.key, in: response)
    if let known = match(setup.key, hash: hash, in: response)?.id {
      if state(of: known) == .early {
        confirm(known, at: now)
        updateContact(of: .callee, to: setup.calleeContact, in: response, on: known, at: now)
      }
      return known
    }
    let due = lifetimes.untimed.map { clock.second(after: $0, from: now) } ?? DialogRecord.never
    guard let id = add(setup, hash, response, request, as: .untimed, due: due, at: now) else { return nil }
    records[id.index].confirmedAt = clock.second(of: now)
    if adopted {
      records[id.index].flags.insert(.adopted)
      counts.adopted &+= 1
    } else {
      counts.created &+= 1
      counts.confirmed &+= 1
    }
    report(adopted ? .adopted : .confirmed, id.index, at: now)
    return id
  }

  private mutating func add(
    _ setup: DialogSetup, _ hash: Hash128, _ response: Span<UInt8>, _ request: Span<UInt8>,
    as standing: Standing, due: UInt32, at now: MonotonicInstant
  ) -> SlabID? {
    guard !isFull, let text = texts.store(setup, response: response, request: request) else {
      counts.refused &+= 1
      return nil
    }
    var record = DialogRecord(
      hash: hash, text: text, expiresAt: due, createdAt: clock.second(of: now), standing: standing)
    record.callerCSeq = setup.cSeq
    record.callerTransport = setup.callerTransport
    record.calleeTransport = setup.calleeTransport
    guard let id = records.allocate(record) else {
      texts.free(text)
      counts.refused &+= 1
      return nil
    }
    guard index.insert(hash, index: id.index) else {
      records.free(id.index)
      texts.free(text)
      counts.refused &+= 1
      return nil
    }
    counts.move(from: nil, to: standing)
    wheel.insert(id.index, in: &records)
    return id
  }
}

/// A dialog that was found, and the side whose tag came first in the question.
public struct DialogMatch: BitwiseCopyable, Sendable {
  /// The dialog.
  public var id: SlabID
  /// The side to which the first of the two tags belongs.
  public var side: DialogSide

  /// A dialog seen from one of its sides.
  public init(id: SlabID, side: DialogSide) {
    self.id = id
    self.side = side
  }
}

/// How long records live for other reasons than a session timer.
struct DialogLifetimes {
  let untimed: TimeSpan?
  let maxSession: TimeSpan?
  let early: TimeSpan
}
