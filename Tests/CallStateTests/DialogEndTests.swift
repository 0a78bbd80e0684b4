import CallState
import PagedStorage
import SIPSyntax
import SessionTimers
import Testing
import Timekeeping

@Suite("RFC 3261 §15, RFC 5057 §5: ends, notes and queries")
struct DialogEndTests {
  @Test("A96: every removal is counted under its cause, and once", arguments: DialogEnd.allCases)
  func causes(cause: DialogEnd) throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), timer: .runs(90), at: 0)
    it.table.end(id, cause: cause, at: .second(1))
    #expect(it.table.counts.ended[cause] == 1)
    #expect(it.table.counts.ended.total == 1)
    #expect(it.table.isEmpty == true)
  }

  @Test("F22, F23: crossing BYEs, and a BYE for a dialog that is gone, count once")
  func crossingByes() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), at: 0)
    it.table.end(id, cause: .bye, at: .second(1))
    it.table.end(id, cause: .bye, at: .second(1))
    #expect(it.table.counts.ended[.bye] == 1)
    // The place is used again: the old identifier must not reach the new dialog.
    let other = try it.answer(TestCall("b"), at: 2)
    #expect(other.index == id.index)
    it.table.end(id, cause: .bye, at: .second(3))
    it.table.openRefresh(id)
    it.table.applyTimer(.runs(1), of: .update(1), to: id, at: .second(3))
    it.table.noteRequest(cSeq: 99, from: .caller, on: id)
    it.table.recordDecision(.none, on: id)
    let contact: [UInt8] = [0x61]
    it.table.updateContact(of: .caller, to: ByteRange(0, 1), in: contact.span, on: id, at: .second(3))
    #expect(it.view(id) == nil)
    #expect(it.view(other)?.callerCSeq == 1)
    #expect(it.expire(at: 999) == [:])
    #expect(it.table.counts.active == 1)
  }

  @Test("F24: 481 ends a dialog, counted apart from BYE")
  func notFound() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), at: 0)
    it.table.end(id, cause: .notFound481, at: .second(1))
    #expect(it.table.counts.ended[.notFound481] == 1)
    #expect(it.table.counts.ended[.bye] == 0)
  }

  @Test("F17, F18: a target refresh replaces one side's Contact, of any length, and nothing else")
  func contacts() throws {
    var it = TestTable()
    let call = TestCall("a")
    let id = try it.answer(call, at: 0)
    let contacts = ["sip:x@h", "sip:caller@192.0.2.9:5060;transport=udp", String(repeating: "c", count: 700)]
    for contact in contacts {
      for side in DialogSide.allCases {
        let bytes = Array("<\(contact)>".utf8)
        it.table.updateContact(
          of: side, to: ByteRange(1, 1 + contact.utf8.count), in: bytes.span, on: id, at: .second(1))
      }
      let view = it.view(id)
      #expect(view?.callerContact == contact)
      #expect(view?.calleeContact == contact)
      #expect(view?.callID == "a")
      #expect(view?.callerTag == "from-1")
      #expect(view?.calleeTag == "to-1")
      #expect(it.find(call) == id)
      #expect(it.table.auditCounts() == nil)
    }
    let short: [UInt8] = [1, 2]
    it.table.updateContact(of: .caller, to: .none, in: short.span, on: id, at: .second(2))
    it.table.updateContact(of: .caller, to: ByteRange(3, 9), in: short.span, on: id, at: .second(2))
    #expect(it.view(id)?.callerContact == contacts[2])
  }

  @Test("F9, F21: the highest CSeq number of each side is kept; lower ones change nothing")
  func cSeqNumbers() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), at: 0)
    it.table.noteRequest(cSeq: 5, from: .caller, on: id)
    it.table.noteRequest(cSeq: 3, from: .caller, on: id)
    it.table.noteRequest(cSeq: 77, from: .callee, on: id)
    #expect(it.view(id)?.callerCSeq == 5)
    #expect(it.view(id)?.calleeCSeq == 77)
  }

  @Test("the last four session-timer decisions are kept, newest first")
  func decisions() throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a"), at: 0)
    #expect(it.view(id)?.decisions == [])
    let made = (1...6).map { second in
      SessionTimerDecision(
        clause: .a22, valueIn: nil, valueOut: DeltaSeconds(1800), isUpdate: false, fromCaller: true,
        atSecond: it.table.second(of: .second(Double(second))))
    }
    for decision in made { it.table.recordDecision(decision, on: id) }
    #expect(it.view(id)?.decisions == [made[5], made[4], made[3], made[2]])
  }

  @Test("F35: a walk in pages shows every dialog that stays exactly once")
  func pages() throws {
    var it = TestTable()
    var expected: Set<SlabID> = []
    for call in 0..<250 { expected.insert(try it.answer(TestCall("call-\(call)"), at: 0)) }
    for id in expected where id.index % 3 == 0 {
      it.table.end(id, cause: .bye, at: .second(1))
      expected.remove(id)
    }
    var seen: [SlabID] = []
    var cursor: UInt32? = 0
    while let from = cursor {
      let page = it.table.page(from: from, limit: 20, at: .second(1))
      #expect(page.dialogs.count <= 20)
      seen += page.dialogs.map(\.id)
      cursor = page.next
    }
    #expect(seen.count == expected.count)
    #expect(Set(seen) == expected)
    #expect(it.table.page(from: .max, limit: 20, at: .second(1)).dialogs.isEmpty)
  }

  @Test("the dialogs of one call are found by Call-ID alone")
  func byCallID() throws {
    var it = TestTable()
    for fork in 0..<3 { _ = try it.answer(TestCall("wanted", "x", "\(fork)"), at: 0) }
    for call in 0..<50 { _ = try it.answer(TestCall("call-\(call)"), at: 0) }
    let callID = Array("wanted".utf8)
    let page = it.table.page(ofCallID: callID.span, from: 0, limit: 10, at: .second(0))
    #expect(page.dialogs.map(\.calleeTag).sorted() == ["0", "1", "2"])
    #expect(page.next == nil)
  }

  @Test("every change is an event, in order and with its Call-ID, when somebody listens")
  func events() throws {
    var it = TestTable()
    _ = try it.answer(TestCall("before"), at: 0)
    #expect(it.table.events.events.isEmpty)
    it.table.events.isRecording = true
    var chain = SlabID.none
    let id = try it.ring(TestCall("a"), chain: &chain, at: 1)
    _ = try it.answer(TestCall("a"), at: 2)
    it.table.applyTimer(.runs(90), of: .invite(1), to: id, at: .second(2))
    it.table.applyTimer(.runs(90), of: .invite(1), to: id, at: .second(3))
    let contact = Array("sip:new@h".utf8)
    it.table.updateContact(of: .callee, to: ByteRange(0, 9), in: contact.span, on: id, at: .second(4))
    _ = try it.adopt(TestCall("b"), at: 5)
    _ = it.expire(at: 92)
    let kinds: [DialogEvent.Kind] = [
      .createdEarly, .confirmed, .refreshed, .targetChanged, .adopted, .ended(.sessionExpired),
    ]
    #expect(it.table.events.events.map(\.kind) == kinds)
    let callIDs = (0..<6).map { String(decoding: it.table.events.callID(ofEvent: $0), as: UTF8.self) }
    #expect(callIDs == ["a", "a", "a", "a", "b", "a"])
    it.table.events.removeAll()
    #expect(it.table.events.events.isEmpty)
  }

  @Test("a full event sink loses events, and says so")
  func fullSink() throws {
    var it = TestTable()
    it.table.events.isRecording = true
    let id = try it.answer(TestCall("a"), at: 0)
    for cSeq in 0..<UInt32(DialogEventSink.capacity + 9) {
      it.table.applyTimer(.runs(90), of: .update(cSeq), to: id, at: .second(1))
    }
    #expect(it.table.events.events.count == DialogEventSink.capacity)
    #expect(it.table.events.lost == 10)
  }
}
