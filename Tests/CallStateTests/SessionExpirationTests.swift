import CallState
import PagedStorage
import SIPSyntax
import SessionTimers
import Testing
import Timekeeping

@Suite("RFC 4028 §8.2, §8.3: the session expiration of a dialog")
struct SessionExpirationTests {
  @Test(
    "A86, A88, A89: removed within a second after the expiration, never before it",
    arguments: [(0.0, 90), (0.25, 90), (0.999, 90), (17.5, 1800), (3.0, 4999), (5.5, 1), (5.5, 0)])
  func withinASecond(start: Double, interval: Int) throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(UInt32(interval)), at: start)
    let expiration = start + Double(interval)
    #expect(it.expire(at: expiration - 0.001) == [:])
    #expect(it.table.contains(id) == true)
    #expect(it.expire(at: expiration + 1) == [id: .sessionExpired])
    #expect(it.table.counts.ended[.sessionExpired] == 1)
    #expect(it.table.isEmpty == true)
  }

  @Test("A89: the next wake-up is the expiration rounded up to a whole second")
  func wakeUp() throws {
    var it = TestTable()
    #expect(it.table.nextWakeUp == nil)
    _ = try it.answer(TestCall("a"), timer: .runs(90), at: 0.5)
    #expect(it.table.nextWakeUp == .second(91))
  }

  @Test(
    "A76: the same 2xx again does not move the expiration, from either side", arguments: DialogSide.allCases)
  func retransmittedSuccess(sender: DialogSide) throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(90), at: 0)
    it.table.applyTimer(.runs(90), of: .invite(7, from: sender), to: id, at: .second(10))
    let isNew = it.table.applyTimer(.runs(90), of: .invite(7, from: sender), to: id, at: .second(20))
    #expect(isNew == false)
    #expect(it.view(id, at: 20)?.expiresIn == 80)
    #expect(it.table.counts.refreshed == 2)
  }

  @Test("A76: the 2xx of an INVITE coming again after that of a later UPDATE does not move it back")
  func retransmissionAfterUpdate() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(90), at: 0)
    it.table.applyTimer(.runs(1800), of: .update(2), to: id, at: .second(1))
    #expect(it.table.applyTimer(.runs(90), of: .invite(1), to: id, at: .second(2)) == false)
    #expect(it.view(id, at: 2)?.expiresIn == 1799)
  }

  @Test(
    "A77: a new expiration replaces the old one, later or sooner",
    arguments: [(1800, 90), (90, 1800), (90, 90)])
  func replaced(first: Int, second: Int) throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(UInt32(first)), at: 0)
    it.table.applyTimer(.runs(UInt32(second)), of: .update(2), to: id, at: .second(50))
    #expect(it.expire(at: Double(50 + second) - 0.001) == [:])
    #expect(it.expire(at: Double(50 + second)) == [id: .sessionExpired])
  }

  @Test("A78, A62, A63: a 2xx without a timer switches it off; the fallback lifetime begins")
  func switchedOff() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(90), at: 0)
    #expect(it.table.counts.timed == 1)
    it.table.applyTimer(.off, of: .update(2), to: id, at: .second(45))
    #expect(it.table.counts.timed == 0)
    #expect(it.table.counts.untimed == 1)
    #expect(it.view(id, at: 45)?.interval == nil)
    #expect(it.view(id, at: 45)?.refresher == nil)
    #expect(it.expire(at: 1044.9) == [:])
    #expect(it.expire(at: 1045) == [id: .untimedLifetimeOver])
  }

  @Test("A66: a timer that cannot be read leaves the fallback lifetime and is counted")
  func unreadable() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .unreadable, at: 0)
    #expect(it.table.counts.unreadable == 1)
    #expect(it.table.counts.untimed == 1)
    #expect(it.expire(at: 1000) == [id: .untimedLifetimeOver])
  }

  @Test("A79, F18: what is no 2xx leaves the expiration as it was")
  func failedRefresh() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(90), at: 0)
    #expect(it.table.applyTimer(.unchanged, of: .invite(2), to: id, at: .second(50)) == false)
    #expect(it.view(id, at: 50)?.expiresIn == 40)
    // The later 2xx to the same INVITE number still counts.
    #expect(it.table.applyTimer(.runs(90), of: .invite(2), to: id, at: .second(60)) == true)
    #expect(it.view(id, at: 60)?.expiresIn == 90)
  }

  @Test("A82: of an overlapping INVITE and UPDATE the 2xx forwarded last decides")
  func overlapping() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(1800), at: 0)
    it.table.applyTimer(.runs(600), of: .update(3), to: id, at: .second(10))
    it.table.applyTimer(.runs(300), of: .invite(2), to: id, at: .second(11))
    #expect(it.view(id, at: 11)?.expiresIn == 300)
    #expect(it.view(id, at: 11)?.interval == DeltaSeconds(300))
  }

  @Test(
    "A83, A85: the refresher is kept as caller or callee, whoever was uac",
    arguments: [
      (DialogSide.caller, Refresher.uac, DialogSide.caller), (.caller, .uas, .callee),
      (.callee, .uac, .callee), (.callee, .uas, .caller),
    ])
  func refresherSide(sender: DialogSide, refresher: Refresher, side: DialogSide) throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), at: 0)
    it.table.applyTimer(.runs(90, refresher), of: .invite(1, from: sender), to: id, at: .second(1))
    #expect(it.view(id)?.refresher == side)
    it.table.applyTimer(.runs(90, nil), of: .update(2, from: sender), to: id, at: .second(2))
    #expect(it.view(id)?.refresher == nil)
  }

  @Test("A83: refreshes in opposite directions with the same CSeq number are two")
  func oppositeDirections() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(90), at: 0)
    #expect(it.table.applyTimer(.runs(90), of: .invite(5, from: .caller), to: id, at: .second(10)) == true)
    #expect(it.table.applyTimer(.runs(90), of: .invite(5, from: .callee), to: id, at: .second(20)) == true)
    #expect(it.view(id, at: 20)?.expiresIn == 90)
  }

  @Test("A89: while a refresh is open the dialog does not expire; its failure lets it go within a second")
  func openRefreshFails() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(90), at: 0)
    it.table.openRefresh(id)
    it.table.openRefresh(id)
    #expect(it.expire(at: 91) == [:])
    #expect(it.table.auditCounts() == nil)
    it.table.closeRefresh(id)
    #expect(it.expire(at: 100) == [:])
    it.table.closeRefresh(id)
    #expect(it.table.contains(id) == true)
    #expect(it.expire(at: 101) == [id: .sessionExpired])
    #expect(it.table.isEmpty == true)
  }

  @Test("A89: the success of a refresh that was open over the expiration keeps the dialog")
  func openRefreshSucceeds() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(90), at: 0)
    it.table.openRefresh(id)
    #expect(it.expire(at: 95) == [:])
    it.table.applyTimer(.runs(90), of: .invite(2), to: id, at: .second(96))
    it.table.closeRefresh(id)
    #expect(it.expire(at: 185.9) == [:])
    #expect(it.expire(at: 186) == [id: .sessionExpired])
  }

  @Test("A89: a refresh closed before the expiration changes nothing, nor one closed too often")
  func closedInTime() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(90), at: 0)
    it.table.openRefresh(id)
    it.table.closeRefresh(id)
    it.table.closeRefresh(id)
    #expect(it.expire(at: 90) == [id: .sessionExpired])
    it.table.closeRefresh(id)
    #expect(it.table.isEmpty == true)
  }

  @Test("A90: time that does not move, or moves back, neither reclaims nor prolongs")
  func timeMovesBack() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(90), at: 100)
    #expect(it.expire(at: 150) == [:])
    #expect(it.expire(at: 50) == [:])
    #expect(it.expire(at: 190) == [id: .sessionExpired])
  }

  @Test("A91: without a session timer the fallback lifetime counts from the 2xx")
  func fallback() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .off, at: 10)
    #expect(it.table.counts.untimed == 1)
    #expect(it.expire(at: 1009.9) == [:])
    #expect(it.expire(at: 1010) == [id: .untimedLifetimeOver])
    #expect(it.table.counts.ended[.untimedLifetimeOver] == 1)
  }

  @Test("A91: a fallback lifetime of none lets a dialog live for ever, and a timer still ends it")
  func forEver() throws {
    var it = TestTable(untimed: nil)
    let id = try it.answer(TestCall("a"), timer: .off, at: 0)
    #expect(it.table.nextWakeUp == nil)
    #expect(it.expire(at: 1_000_000_000) == [:])
    it.table.applyTimer(.runs(90), of: .update(2), to: id, at: .second(1_000_000_000))
    #expect(it.expire(at: 1_000_000_090) == [id: .sessionExpired])
  }

  @Test(
    "A16, G16: the cap ends the record of an endless session, counted apart; the interval is shown as it is")
  func capped() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(.max), at: 0)
    #expect(it.view(id)?.interval == DeltaSeconds(.max))
    #expect(it.view(id)?.isCapped == true)
    #expect(it.expire(at: 4999.9) == [:])
    #expect(it.expire(at: 5000) == [id: .cappedLifetimeOver])
    #expect(it.table.counts.ended[.cappedLifetimeOver] == 1)
  }

  @Test("G16: a refresh begins the cap anew, and a shorter interval is under it again")
  func cappedAndRefreshed() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(6000), at: 0)
    it.table.applyTimer(.runs(6000), of: .update(2), to: id, at: .second(3000))
    #expect(it.expire(at: 7999) == [:])
    it.table.applyTimer(.runs(5000), of: .update(3), to: id, at: .second(7999))
    #expect(it.view(id)?.isCapped == false)
    #expect(it.expire(at: 12_999) == [id: .sessionExpired])
  }

  @Test("G16: without a cap the longest interval saturates and never goes off")
  func uncapped() throws {
    var it = TestTable(maxSession: nil)
    let id = try it.answer(TestCall("a"), timer: .runs(.max), at: 1000)
    #expect(it.view(id)?.isCapped == false)
    #expect(it.expire(at: 4_000_000_000) == [:])
    #expect(it.table.contains(id) == true)
  }

  @Test("A92, F33, F37: the refresh of an expired dialog brings it back, adopted and with its timer")
  func adoption() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(90), at: 0)
    #expect(it.expire(at: 90) == [id: .sessionExpired])
    let back = try it.adopt(TestCall("a"), at: 95)
    it.table.applyTimer(.runs(90), of: .invite(2), to: back, at: .second(95))
    #expect(back != id)
    #expect(it.table.counts.adopted == 1)
    #expect(it.table.counts.created == 1)
    #expect(it.table.counts.timed == 1)
    #expect(it.view(back)?.isAdopted == true)
    #expect(it.table.auditCounts() == nil)
  }

  @Test("F4: the timer of an UPDATE in an early dialog does not make the call active")
  func timerInEarlyDialog() throws {
    var it = TestTable()
    var chain = SlabID.none
    let id = try it.ring(TestCall("a"), chain: &chain, at: 0)
    it.table.applyTimer(.runs(90), of: .update(2), to: id, at: .second(1))
    #expect(it.table.counts.early == 1)
    #expect(it.expire(at: 500) == [:])
    it.table.confirm(id, at: .second(501))
    it.table.applyTimer(.runs(90), of: .invite(1), to: id, at: .second(501))
    #expect(it.table.counts.timed == 1)
    #expect(it.expire(at: 591) == [id: .sessionExpired])
  }

  @Test("a storm is worked off in slices, each of its budget")
  func storm() throws {
    var it = TestTable()
    for call in 0..<1000 { _ = try it.answer(TestCall("call-\(call)"), timer: .runs(90), at: 0) }
    var slices = 0
    var isBehind = true
    while isBehind {
      let before = it.table.counts.active
      isBehind = it.table.expire(at: .second(90), budget: 250)
      #expect(before - it.table.counts.active <= 250)
      slices += 1
    }
    // Four for the dialogs; one more may give pages back.
    #expect((4...5).contains(slices))
    #expect(it.table.isEmpty == true)
  }
}
