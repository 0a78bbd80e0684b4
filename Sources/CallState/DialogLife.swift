// RFC 4028 §8.2 and §8.3, RFC 3261 §15: how long a dialog lives and how it ends.
// Left open: what a proxy does about sessions without a timer, or with one of years. We chose the lifetimes of
// A91 and G16. The proxy never sends a BYE: an end frees state, counts and is told, nothing more (A87).

public import PagedStorage
import SIPSyntax
public import SessionTimers
public import Timekeeping

extension DialogTable {
  /// Applies what a 2xx to a refresh, or to the first INVITE, means for the timer of its dialog.
  ///
  /// The expiration counts from `now`, the first forwarding of that 2xx; the same 2xx again changes nothing
  /// (A76). A later or sooner one replaces what was there (A77, A82). No timer, or one that cannot be read,
  /// leaves the fallback lifetime (A62, A63, A66, A78). What is no 2xx changes nothing (A79, F18).
  ///
  /// - Returns: whether the 2xx was a new one and the dialog is there.
  @discardableResult
  public mutating func applyTimer(
    _ result: SessionTimerResult, of refresh: SessionRefresh, to id: SlabID, at now: MonotonicInstant
  ) -> Bool {
    guard result != .unchanged, let place = place(of: id) else { return false }
    guard records[place].noteApplied(refresh) else { return false }
    switch result {
    case .unchanged:
      return false
    case .off:
      runUntimed(place, from: now)
    case .unreadable:
      counts.unreadable &+= 1
      runUntimed(place, from: now)
    case .runs(let interval, let refresher):
      run(place, interval, refresher.map { $0.side(whenSentBy: refresh.sender) }, from: now)
    }
    counts.refreshed &+= 1
    report(.refreshed, place, at: now)
    return true
  }

  private mutating func runUntimed(_ place: UInt32, from now: MonotonicInstant) {
    records[place].interval = 0
    records[place].refresher = DialogRecord.noRefresher
    records[place].flags.remove(.capped)
    // An early dialog has no session yet: its life stays that of its transaction.
    guard records[place].standing != .early else { return }
    setStanding(.untimed, of: place)
    setExpiration(lifetimes.untimed, of: place, from: now)
  }

  private mutating func run(
    _ place: UInt32, _ interval: DeltaSeconds, _ refresher: DialogSide?, from now: MonotonicInstant
  ) {
    records[place].interval = interval.seconds
    records[place].refresher = refresher?.rawValue ?? DialogRecord.noRefresher
    // A 2xx to an UPDATE before the INVITE's own: remembered, but the call is not up yet (F4).
    guard records[place].standing != .early else { return }
    let session = TimeSpan.seconds(Int64(interval.seconds))
    let life = min(session, lifetimes.maxSession ?? session)
    if life < session {
      records[place].flags.insert(.capped)
    } else {
      records[place].flags.remove(.capped)
    }
    setStanding(.timed, of: place)
    setExpiration(life, of: place, from: now)
  }

  // MARK: Open refreshes

  /// An INVITE or UPDATE of the dialog was forwarded: until its transaction is over, the dialog does not
  /// expire (A89).
  public mutating func openRefresh(_ id: SlabID) {
    guard let place = place(of: id) else { return }
    records[place].openRefreshes += 1
  }

  /// That transaction is over. A dialog that has become due in the meantime goes within a second.
  public mutating func closeRefresh(_ id: SlabID) {
    guard let place = place(of: id), records[place].openRefreshes > 0 else { return }
    records[place].openRefreshes -= 1
    if records[place].openRefreshes == 0 && !records[place].links.isLinked {
      wheel.insert(place, in: &records)
    }
  }

  // MARK: Ends

  /// Removes a dialog (F22, F24); does nothing when it is gone already, so crossing BYEs count once (F23).
  public mutating func end(_ id: SlabID, cause: DialogEnd, at now: MonotonicInstant) {
    guard let place = place(of: id) else { return }
    _ = remove(place, cause: cause, at: now)
  }

  /// Ends the dialogs of a chain that are still early (F10, F11), lets go of the others, and empties the chain.
  ///
  /// A transaction, or each branch of one, owns a chain, and calls this once when it is over. O(chain).
  public mutating func endEarly(
    chain: inout SlabID, cause: DialogEnd = .setupFailed, at now: MonotonicInstant
  ) {
    var next = records.isLive(chain) ? chain.index : DialogRecord.none
    chain = .none
    while next != DialogRecord.none {
      let place = next
      next = records[place].sibling
      records[place].sibling = DialogRecord.none
      records[place].flags.remove(.chained)
      switch records[place].standing {
      case .early: _ = remove(place, cause: cause, at: now)
      case .ended: records.free(place)
      case .timed, .untimed: break
      }
    }
  }

  /// Removes dialogs that are due, looking at no more than `budget` records (A86, A88, A89), and then
  /// gives pages back that are no longer needed, a chunk for each 64 of the budget.
  ///
  /// - Parameter onEnd: told of each, after it is gone.
  /// - Returns: whether more is to be done at once; the caller serves its sockets and comes back.
  @discardableResult
  public mutating func expire(
    at now: MonotonicInstant, budget: Int, onEnd: (DialogEvent) -> Void = { _ in }
  ) -> Bool {
    let instant = clock.relative(now)
    var left = budget
    while let place = wheel.popDue(at: instant, in: &records, budget: &left) {
      // Unlinked until the refresh is over: `closeRefresh` or `applyTimer` link it again.
      if records[place].openRefreshes > 0 { continue }
      onEnd(remove(place, cause: causeOfExpiry(place), at: now))
    }
    while left > 0 && hasSurplus {
      records.giveBackSurplus()
      texts.giveBackSurplus()
      left -= 64
    }
    return wheel.hasBacklog || hasSurplus
  }

  /// When `expire` has something to do next, which may be at once; nil when there is nothing to wait for.
  public var nextWakeUp: MonotonicInstant? {
    if hasSurplus { return clock.start }
    return wheel.nextWakeUp.map { clock.absolute($0) }
  }

  private var hasSurplus: Bool { records.hasSurplus || texts.hasSurplus }

  private func causeOfExpiry(_ place: UInt32) -> DialogEnd {
    switch records[place].standing {
    case .early, .ended: return .earlyTimeout
    case .untimed: return .untimedLifetimeOver
    case .timed: return records[place].flags.contains(.capped) ? .cappedLifetimeOver : .sessionExpired
    }
  }
}

// MARK: - The one place where standing, expiration and events change

extension DialogTable {
  /// Where a dialog that has not ended is; nil for anything else.
  func place(of id: SlabID) -> UInt32? {
    guard records.isLive(id), records[id.index].standing != .ended else { return nil }
    return id.index
  }

  mutating func setStanding(_ standing: Standing, of place: UInt32) {
    counts.move(from: records[place].standing, to: standing)
    records[place].standing = standing
  }

  /// Sets the end of a record's life, `nil` for none, and tells the wheel.
  mutating func setExpiration(_ life: TimeSpan?, of place: UInt32, from now: MonotonicInstant) {
    let old = records[place].deadline
    records[place].expiresAt = life.map { clock.second(after: $0, from: now) } ?? DialogRecord.never
    wheel.deadlineMoved(place, from: old, in: &records)
  }

  /// Takes a dialog out of everything. Its record stays while a chain still runs through it.
  mutating func remove(_ place: UInt32, cause: DialogEnd, at now: MonotonicInstant) -> DialogEvent {
    let event = report(.ended(cause), place, at: now)
    counts.ended[cause] &+= 1
    if records[place].standing == .early && cause != .bye { records[place].flags.insert(.neverUp) }
    setStanding(.ended, of: place)
    wheel.remove(place, in: &records)
    index.remove(records[place].hash, index: place)
    texts.free(records[place].text)
    records[place].text = .none
    if !records[place].flags.contains(.chained) { records.free(place) }
    return event
  }

  /// Every change of a dialog passes here.
  @discardableResult
  mutating func report(_ kind: DialogEvent.Kind, _ place: UInt32, at now: MonotonicInstant) -> DialogEvent {
    let id = SlabID(index: place, generation: records[place].generation)
    let event = DialogEvent(kind: kind, id: id, at: now)
    guard events.isRecording else { return event }
    texts.withBytes(of: records[place].text) { bytes in
      let text = DialogText(bytes)
      events.append(event, callID: bytes.extracting(text.callIDStart..<text.callerTagStart))
    }
    return event
  }
}

extension Refresher {
  /// `uac` is whoever sent the request, so in a re-INVITE from the callee it is the callee (A83).
  fileprivate func side(whenSentBy sender: DialogSide) -> DialogSide {
    switch (self, sender) {
    case (.uac, .caller), (.uas, .callee): return .caller
    case (.uac, .callee), (.uas, .caller): return .callee
    }
  }
}
