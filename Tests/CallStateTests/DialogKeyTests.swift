import PagedStorage
import SIPSyntax
import Testing
import Timekeeping

@testable import CallState

@Suite("RFC 3261 §12: the key of a dialog")
struct DialogKeyTests {
  @Test("F1: a dialog is found from both directions, and the side of the asking tag is told")
  func bothDirections() throws {
    var it = TestTable()
    let call = TestCall("a84b4c76e66710", "1928301774", "a6c85cf")
    let id = try it.answer(call, at: 0)
    let key = call.key
    let bytes = call.response
    let forward = it.table.match(
      callID: key.callID, tag: key.callerTag, otherTag: key.calleeTag, in: bytes.span)
    let backward = it.table.match(
      callID: key.callID, tag: key.calleeTag, otherTag: key.callerTag, in: bytes.span)
    #expect(forward?.id == id)
    #expect(forward?.side == .caller)
    #expect(backward?.id == id)
    #expect(backward?.side == .callee)
  }

  @Test(
    "another Call-ID or tag is another dialog, byte for byte",
    arguments: [
      TestCall("b", "x", "y"), TestCall("A", "x", "y"), TestCall("a", "X", "y"), TestCall("a", "x", "z"),
      TestCall("ax", "", "y"), TestCall("a", "xy", ""), TestCall("a", "x", ""), TestCall("", "ax", "y"),
    ])
  func otherKeys(other: TestCall) throws {
    var it = TestTable()
    let id = try it.answer(TestCall("a", "x", "y"), at: 0)
    #expect(it.find(other) == nil)
    let otherID = try it.answer(other, at: 0)
    #expect(otherID != id)
    #expect(it.find(other) == otherID)
    #expect(it.find(TestCall("a", "x", "y")) == id)
    #expect(it.table.counts.active == 2)
  }

  @Test("F6: null tags are legal, on either side or both")
  func nullTags() throws {
    var it = TestTable()
    let calls = [
      TestCall("a", "", "y"), TestCall("a", "y", "z"), TestCall("a", "", ""), TestCall("a", "z", ""),
    ]
    for call in calls { _ = try it.answer(call, at: 0) }
    #expect(it.table.counts.active == 4)
    for call in calls { #expect(it.find(call) != nil) }
  }

  @Test("a call whose two tags are the same is one dialog, seen from its caller")
  func sameTags() throws {
    var it = TestTable()
    let call = TestCall("a", "t", "t")
    let id = try it.answer(call, at: 0)
    let key = call.key
    let found = it.table.match(
      callID: key.callID, tag: key.calleeTag, otherTag: key.callerTag, in: call.response.span)
    #expect(found?.id == id)
    #expect(found?.side == .caller)
  }

  @Test("F3: each To tag of a forked INVITE is a dialog of its own")
  func forks() throws {
    var it = TestTable()
    var chain = SlabID.none
    for fork in 0..<5 { _ = try it.ring(TestCall("a", "x", "fork-\(fork)"), chain: &chain, at: 0) }
    #expect(it.table.counts.early == 5)
    for fork in 0..<5 { #expect(it.find(TestCall("a", "x", "fork-\(fork)")) != nil) }
  }

  @Test("F7: a To tag seen again through another branch, or in a merged 2xx, is the same dialog")
  func sameTagAgain() throws {
    var it = TestTable()
    var chain = SlabID.none
    var otherChain = SlabID.none
    let call = TestCall("a")
    let first = try it.ring(call, chain: &chain, at: 0)
    let again = try it.ring(call, chain: &otherChain, at: 1)
    #expect(again == first)
    #expect(otherChain.isNone)
    #expect(try it.answer(call, at: 2) == first)
    #expect(try it.answer(call, at: 3) == first)
    #expect(it.table.counts.created == 1)
    #expect(it.table.counts.confirmed == 1)
    #expect(it.table.counts.total == 1)
  }

  @Test("values as long as the limits allow, and longer than a record can hold")
  func longValues() throws {
    var it = TestTable()
    let call = TestCall(String(repeating: "i", count: 8192), String(repeating: "f", count: 8192), "t")
    let id = try it.answer(call, at: 0)
    #expect(it.view(id)?.callID == call.callID)
    #expect(it.find(call) == id)
    let tooLong = TestCall(String(repeating: "i", count: 65_536))
    #expect(throws: Refused.self) { try it.answer(tooLong, at: 0) }
    var longContact = TestCall("b")
    longContact.calleeContact = String(repeating: "c", count: 70_000)
    let other = try it.answer(longContact, at: 0)
    #expect(it.view(other)?.calleeContact == "")
    #expect(it.table.auditCounts() == nil)
  }

  @Test("a range beyond the message is no key of anything, and no harm")
  func rangesOutside() throws {
    var it = TestTable()
    _ = try it.answer(TestCall("a"), at: 0)
    let bytes: [UInt8] = [0x61]
    let wild = ByteRange(5, 500)
    #expect(it.table.find(callID: wild, localTag: wild, remoteTag: wild, in: bytes.span) == nil)
  }

  @Test("a dialog whose ranges lie outside its messages is not made", arguments: 0..<5)
  func setupOutside(position: Int) {
    let call = TestCall("a")
    let (response, request) = (call.response, call.request)
    var setup = call.setup
    let wild = ByteRange(response.count - 1, response.count + 1)
    switch position {
    case 0: setup.key.callID = wild
    case 1: setup.key.callerTag = wild
    case 2: setup.key.calleeTag = wild
    case 3: setup.calleeContact = wild
    default: setup.callerContact = ByteRange(0, request.count + 1)
    }
    var it = TestTable()
    let id = it.table.createConfirmed(
      setup, response: response.span, request: request.span, at: .origin)
    #expect(id == nil)
    #expect(it.table.isEmpty == true)
  }

  @Test("G11: another key gives other hashes, and each table finds its own dialogs")
  func keyed() {
    let call = TestCall("a")
    let (response, request) = (call.response, call.request)
    var hashes: Set<Hash128> = []
    for key in [HashKey(0, 0), HashKey(0, 1), HashKey(.max, 12_345)] {
      var table = DialogTable(pages: CountingPages().source, key: key, start: .origin)
      let id = table.createConfirmed(
        call.setup, response: response.span, request: request.span, at: .origin)
      let found = table.find(
        callID: call.key.callID, localTag: call.key.callerTag, remoteTag: call.key.calleeTag,
        in: response.span)
      #expect(id != nil)
      #expect(found == id)
      hashes.insert(table.hash(of: call.key, in: response.span))
    }
    #expect(hashes.count == 3)
    #expect(Set(hashes.map(\.high)).count == 3)
    #expect(Set(hashes.map(\.low)).count == 3)
  }

  @Test("F1: both directions have one hash, and the dialogs of a call share half of it")
  func hashHalves() {
    let it = TestTable()
    let call = TestCall("a", "x", "y")
    let turned = DialogKeyView(
      callID: call.key.callID, callerTag: call.key.calleeTag, calleeTag: call.key.callerTag)
    let other = TestCall("a", "x", "z")
    let hash = it.table.hash(of: call.key, in: call.response.span)
    let otherHash = it.table.hash(of: other.key, in: other.response.span)
    #expect(it.table.hash(of: turned, in: call.response.span) == hash)
    #expect(otherHash.high == hash.high)
    #expect(otherHash.low != hash.low)
  }
}
