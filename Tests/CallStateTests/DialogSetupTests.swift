import CallState
import PagedStorage
import SIPSyntax
import Testing

@Suite("RFC 3261 §12.1, §13, §15: dialogs of a call being set up")
struct DialogSetupTests {
  @Test("F2, F4: a provisional makes an early dialog that is not active, a 2xx makes it active")
  func earlyThenConfirmed() throws {
    var it = TestTable()
    var chain = SlabID.none
    let id = try it.ring(TestCall("a"), chain: &chain, at: 1)
    #expect(chain == id)
    #expect(it.table.state(of: id) == .early)
    #expect(it.table.counts.early == 1)
    #expect(it.table.counts.active == 0)
    #expect(try it.answer(TestCall("a"), at: 5) == id)
    #expect(it.table.state(of: id) == .confirmed)
    #expect(it.table.counts.early == 0)
    #expect(it.table.counts.active == 1)
    let view = it.view(id, at: 9)
    #expect(view?.age == 8)
    #expect(view?.confirmedAge == 4)
  }

  @Test("F34: the 2xx alone makes a dialog active; no ACK is waited for")
  func confirmedAtOnce() throws {
    var it = TestTable()
    _ = try it.answer(TestCall("a"), at: 0)
    #expect(it.table.counts.active == 1)
    #expect(it.table.counts.untimed == 1)
    #expect(it.table.counts.created == 1)
  }

  @Test("F10: a failed INVITE ends all its early dialogs")
  func failure() throws {
    var it = TestTable()
    var chain = SlabID.none
    for fork in 0..<4 { _ = try it.ring(TestCall("a", "x", "\(fork)"), chain: &chain, at: 0) }
    it.table.endEarly(chain: &chain, at: .second(2))
    #expect(chain.isNone)
    #expect(it.table.counts.total == 0)
    #expect(it.table.counts.ended[.setupFailed] == 4)
    #expect(it.table.isEmpty == true)
  }

  @Test("F11, A95: after a 2xx on one fork the others end with their transaction, the answered one stays")
  func oneForkAnswers() throws {
    var it = TestTable()
    var chain = SlabID.none
    for fork in 0..<4 { _ = try it.ring(TestCall("a", "x", "\(fork)"), chain: &chain, at: 0) }
    let answered = try it.answer(TestCall("a", "x", "2"), at: 3)
    #expect(it.table.counts.early == 3)
    it.table.endEarly(chain: &chain, at: .second(35))
    #expect(it.table.counts.early == 0)
    #expect(it.table.counts.active == 1)
    #expect(it.table.contains(answered) == true)
    it.table.end(answered, cause: .bye, at: .second(40))
    #expect(it.table.isEmpty == true)
  }

  @Test("A95: the end of one fork's dialog, by BYE or by expiry, leaves its siblings")
  func siblingsStay() throws {
    var it = TestTable()
    let one = try it.answer(TestCall("a", "x", "1"), timer: .runs(90), at: 0)
    let two = try it.answer(TestCall("a", "x", "2"), timer: .runs(1800), at: 0)
    let three = try it.answer(TestCall("a", "x", "3"), timer: .runs(1800), at: 0)
    it.table.end(three, cause: .bye, at: .second(5))
    #expect(it.expire(at: 90) == [one: .sessionExpired])
    #expect(it.table.contains(two) == true)
  }

  @Test("F11: each branch may own its chain and end it alone")
  func chainPerBranch() throws {
    var it = TestTable()
    var busy = SlabID.none
    var ringing = SlabID.none
    _ = try it.ring(TestCall("a", "x", "1"), chain: &busy, at: 0)
    let other = try it.ring(TestCall("a", "x", "2"), chain: &ringing, at: 0)
    it.table.endEarly(chain: &busy, at: .second(1))
    #expect(it.table.counts.early == 1)
    #expect(it.table.contains(other) == true)
  }

  @Test("F12: nothing but the final response ends it; a 2xx that wins against CANCEL confirms it")
  func cancelLosesTheRace() throws {
    var it = TestTable()
    var chain = SlabID.none
    let id = try it.ring(TestCall("a"), chain: &chain, at: 0)
    it.table.confirm(id, at: .second(1))
    it.table.confirm(id, at: .second(2))
    it.table.endEarly(chain: &chain, at: .second(33))
    #expect(it.table.state(of: id) == .confirmed)
    #expect(it.table.counts.confirmed == 1)
  }

  @Test("F13: a new attempt after a failed one starts afresh")
  func newAttempt() throws {
    var it = TestTable()
    var chain = SlabID.none
    let failed = try it.ring(TestCall("a", "x", "1"), chain: &chain, at: 0)
    it.table.endEarly(chain: &chain, at: .second(1))
    let second = try it.ring(TestCall("a", "x", "1"), chain: &chain, at: 2)
    #expect(second != failed)
    #expect(it.table.contains(failed) == false)
    #expect(it.view(second, at: 2)?.age == 0)
  }

  @Test("F15: a BYE ends one early dialog, in any place of its chain", arguments: 0..<3)
  func byeInEarlyDialog(fork: Int) throws {
    var it = TestTable()
    var chain = SlabID.none
    var ids: [SlabID] = []
    for fork in 0..<3 { ids.append(try it.ring(TestCall("a", "x", "\(fork)"), chain: &chain, at: 0)) }
    it.table.end(ids[fork], cause: .bye, at: .second(1))
    #expect(it.table.counts.early == 2)
    #expect(it.find(TestCall("a", "x", "\(fork)")) == nil)
    #expect(it.table.auditCounts() == nil)
    it.table.endEarly(chain: &chain, at: .second(2))
    #expect(it.table.counts.ended[.bye] == 1)
    #expect(it.table.counts.ended[.setupFailed] == 2)
    #expect(it.table.isEmpty == true)
  }

  /// The simulation found it: the ringing was lost, so the caller answered the callee's early UPDATE with 481, and
  /// the call that was answered all the same was never counted.
  @Test(
    "F2, F24: an early dialog that ended without a BYE comes up with its first 2xx",
    arguments: [
      (DialogEnd.notFound481, false), (.earlyTimeout, false), (.bye, true),
    ])
  func answeredAfterAll(cause: DialogEnd, isOver: Bool) throws {
    var it = TestTable()
    var chain = SlabID.none
    let call = TestCall("a")
    it.table.end(try it.ring(call, chain: &chain, at: 0), cause: cause, at: .second(1))
    #expect(it.table.hasEnded(call.key, in: call.response.span, chain: chain) == isOver)
    // Once it was up, its end is final.
    let up = try it.answer(call, at: 2)
    it.table.join(up, to: &chain)
    it.table.end(up, cause: .notFound481, at: .second(3))
    #expect(it.table.hasEnded(call.key, in: call.response.span, chain: chain) == true)
    it.table.endEarly(chain: &chain, at: .second(4))
    #expect(it.table.isEmpty == true)
  }

  @Test("a call answered and ended while its INVITE transaction still lives leaves no trace after that")
  func shortCall() throws {
    var it = TestTable()
    var chain = SlabID.none
    let id = try it.ring(TestCall("a"), chain: &chain, at: 0)
    _ = try it.answer(TestCall("a"), at: 1)
    it.table.end(id, cause: .bye, at: .second(5))
    #expect(it.table.counts.active == 0)
    #expect(it.find(TestCall("a")) == nil)
    #expect(it.table.contains(id) == false)
    // The same key may come back before the first transaction is over.
    let again = try it.answer(TestCall("a"), at: 6)
    it.table.endEarly(chain: &chain, at: .second(33))
    #expect(it.table.contains(again) == true)
    it.table.end(again, cause: .bye, at: .second(34))
    #expect(it.table.isEmpty == true)
  }

  @Test("an early dialog whose transaction forgot it ends after its longest life, prolonged by provisionals")
  func earlyTimeout() throws {
    var it = TestTable()
    var chain = SlabID.none
    let id = try it.ring(TestCall("a"), chain: &chain, at: 0)
    #expect(it.expire(at: 599) == [:])
    it.table.prolongEarly(id, at: .second(599))
    #expect(it.expire(at: 1198) == [:])
    #expect(it.expire(at: 1199) == [id: .earlyTimeout])
    it.table.endEarly(chain: &chain, at: .second(1300))
    #expect(it.table.isEmpty == true)
  }

  @Test("F36: at the limit new dialogs are refused and counted, existing ones untouched, and room helps")
  func limit() throws {
    var it = TestTable(limit: 2)
    var chain = SlabID.none
    let first = try it.answer(TestCall("a"), at: 0)
    let early = try it.ring(TestCall("b"), chain: &chain, at: 0)
    #expect(it.table.isFull == true)
    #expect(throws: Refused.self) { try it.answer(TestCall("c"), at: 0) }
    #expect(throws: Refused.self) { try it.adopt(TestCall("c"), at: 0) }
    #expect(it.table.counts.refused == 2)
    #expect(try it.answer(TestCall("b"), at: 1) == early)
    it.table.end(first, cause: .bye, at: .second(2))
    _ = try it.answer(TestCall("c"), at: 3)
    #expect(it.table.auditCounts() == nil)
  }

  @Test(
    "F36: refused memory refuses the dialog and leaves nothing half made",
    arguments: [0, 4096, 70_000, 400_000])
  func refusedMemory(limit: Int) throws {
    var it = TestTable()
    it.pages.refuse(above: limit)
    #expect(throws: Refused.self) { try it.answer(TestCall("a"), at: 0) }
    #expect(it.table.counts.refused == 1)
    #expect(it.table.isEmpty == true)
    #expect(it.table.auditCounts() == nil)
    it.pages.refuse(above: .max)
    _ = try it.answer(TestCall("a"), at: 0)
    #expect(it.table.counts.active == 1)
  }
}
