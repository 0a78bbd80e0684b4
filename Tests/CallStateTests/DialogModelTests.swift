import CallState
import PagedStorage
import SIPSyntax
import SessionTimers
import Testing
import Timekeeping

/// What a dictionary knows of one dialog.
struct ModelDialog {
  var id: SlabID
  var state = DialogState.early
  var isTimed = false
  /// Not to be removed before, nor later than a second after; nil for never.
  var due: Double?
  var openRefreshes = 0
  /// When the last refresh of an overdue dialog was closed.
  var closedAt = 0.0
  var chain: Int?
}

/// The table and a dictionary side by side, moved by the same random events.
struct DialogModel: ~Copyable {
  var random: SeededGenerator
  var it = TestTable(untimed: .seconds(300), maxSession: .seconds(20_000))
  var dialogs: [String: ModelDialog] = [:]
  var chains: [SlabID] = Array(repeating: .none, count: 12)
  var now = 0.0
  var nextCSeq: UInt32 = 1

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  static func call(_ name: String) -> TestCall { TestCall(name, "from-\(name)", "to-\(name)") }

  mutating func step() throws {
    let name = "call-\(Int.random(in: 0..<150, using: &random))"
    switch Int.random(in: 0..<12, using: &random) {
    case 0, 1: try ring(name)
    case 2, 3: try answer(name)
    case 4, 5, 6: refresh(name)
    case 7: open(name)
    case 8: close(name)
    case 9: end(name)
    case 10: endChain()
    default: advance()
    }
    let known = it.find(Self.call(name))
    #expect(known == dialogs[name]?.id)
  }

  mutating func ring(_ name: String) throws {
    let chain = Int.random(in: 0..<chains.count, using: &random)
    let id = try it.ring(Self.call(name), chain: &chains[chain], at: now)
    if dialogs[name] == nil { dialogs[name] = ModelDialog(id: id, chain: chain) }
    #expect(dialogs[name]?.id == id)
    if dialogs[name]?.state == .early { dialogs[name]?.due = now + 600 }
  }

  mutating func answer(_ name: String) throws {
    let isNew = dialogs[name]?.state != .confirmed
    let id = try it.answer(Self.call(name), at: now)
    if dialogs[name] == nil { dialogs[name] = ModelDialog(id: id) }
    #expect(dialogs[name]?.id == id)
    guard isNew else { return }
    dialogs[name]?.state = .confirmed
    dialogs[name]?.due = now + 300
  }

  mutating func refresh(_ name: String) {
    guard let dialog = dialogs[name], dialog.state == .confirmed else { return }
    nextCSeq += 1
    // Short, usual, beyond one turn of the wheel, beyond the cap.
    let lengths: [UInt32] = [0, 5, 90, 90, 600, 1800, 17_000, 100_000]
    let interval = lengths.randomElement(using: &random) ?? 90
    let isOff = Int.random(in: 0..<6, using: &random) == 0
    let result: SessionTimerResult = isOff ? .off : .runs(interval)
    let isInvite = Bool.random(using: &random)
    let refresh = SessionRefresh(cSeq: nextCSeq, isInvite: isInvite, sender: .callee)
    let isApplied = it.table.applyTimer(result, of: refresh, to: dialog.id, at: .second(now))
    #expect(isApplied)
    if isInvite {
      let isAgain = it.table.applyTimer(.runs(7), of: refresh, to: dialog.id, at: .second(now))
      #expect(!isAgain)
    }
    dialogs[name]?.isTimed = !isOff
    dialogs[name]?.due = now + (isOff ? 300 : min(Double(interval), 20_000))
  }

  mutating func open(_ name: String) {
    guard let dialog = dialogs[name] else { return }
    it.table.openRefresh(dialog.id)
    dialogs[name]?.openRefreshes += 1
  }

  mutating func close(_ name: String) {
    guard let dialog = dialogs[name], dialog.openRefreshes > 0 else { return }
    it.table.closeRefresh(dialog.id)
    dialogs[name]?.openRefreshes -= 1
    dialogs[name]?.closedAt = now
  }

  mutating func end(_ name: String) {
    guard let dialog = dialogs.removeValue(forKey: name) else { return }
    it.table.end(dialog.id, cause: .bye, at: .second(now))
    #expect(it.table.contains(dialog.id) == false)
  }

  mutating func endChain() {
    let chain = Int.random(in: 0..<chains.count, using: &random)
    it.table.endEarly(chain: &chains[chain], at: .second(now))
    for (name, dialog) in dialogs where dialog.chain == chain {
      if dialog.state == .early { dialogs[name] = nil } else { dialogs[name]?.chain = nil }
    }
  }

  mutating func advance() {
    let steps = [0.1, 1, 7.3, 45, 400, 9000]
    now += steps.randomElement(using: &random) ?? 1
    var ended: Set<SlabID> = []
    repeat {
      ended.formUnion(it.expire(at: now, budget: Int.random(in: 1...60, using: &random)).keys)
    } while it.table.nextWakeUp.map { $0 <= .second(now) } ?? false
    for (name, dialog) in dialogs {
      let isGone = ended.remove(dialog.id) != nil
      let due = dialog.due ?? .infinity
      if isGone {
        #expect(due <= now, "A88: \(name) went before its expiration")
        #expect(dialog.openRefreshes == 0, "A89: \(name) went during a refresh")
        dialogs[name] = nil
      } else if dialog.openRefreshes == 0 {
        #expect(max(due, dialog.closedAt) + 1 > now, "A89: \(name) is overdue")
      }
    }
    #expect(ended.isEmpty)
  }

  /// Every counter against the dictionary, and the table against itself.
  func check() {
    let counts = it.table.counts
    #expect(counts.early == dialogs.values.count { $0.state == .early })
    #expect(counts.timed == dialogs.values.count { $0.state == .confirmed && $0.isTimed })
    #expect(counts.untimed == dialogs.values.count { $0.state == .confirmed && !$0.isTimed })
    #expect(it.table.auditCounts() == nil)
    for (name, dialog) in dialogs {
      #expect(it.find(Self.call(name)) == dialog.id)
      #expect(it.table.state(of: dialog.id) == dialog.state)
    }
  }
}

@Suite("F35: the counters equal a walk of the table, whatever happens")
struct DialogModelTests {
  @Test(
    "random calls, refreshes, ends and jumps in time agree with a dictionary",
    arguments: [81, 82, 83, 84] as [UInt64])
  func agreesWithModel(seed: UInt64) throws {
    var model = DialogModel(seed: seed)
    for round in 0..<6000 {
      try model.step()
      if round % 50 == 0 { model.check() }
    }
    model.check()
    for name in Array(model.dialogs.keys) { model.end(name) }
    while model.chains.contains(where: { !$0.isNone }) { model.endChain() }
    while model.it.table.expire(at: .second(model.now), budget: 100) {}
    #expect(model.it.table.isEmpty == true)
    #expect(model.it.table.nextWakeUp == nil)
    #expect(model.it.pages.wrongReleases == 0)
  }
}
