import CallState
import PagedStorage
import SIPSyntax
import SessionTimers
import Testing
import Timekeeping

@Suite("F36: memory per dialog is bounded, known, and given back")
struct DialogMemoryTests {
  /// A Call-ID of 30 bytes, tags of 10, Contacts of 35.
  static func call(_ number: Int) -> TestCall {
    let digits = String(number + 10_000_000)
    var call = TestCall(
      String(repeating: "c", count: 22) + digits, "fr" + digits, "to" + digits)
    call.callerContact = "sip:caller\(digits)@192.0.2.1:5060;x"
    call.calleeContact = "sip:callee\(digits)@192.0.2.2:5060;x"
    return call
  }

  @Test("a usual dialog takes at most 300 bytes, right after the index has doubled")
  func bytesPerDialog() throws {
    var it = TestTable()
    // 49,153 entries make the index double to 2^17 slots; some hundred more give the old one back.
    let population = 60_000
    for number in 0..<population { _ = try it.answer(Self.call(number), timer: .runs(1800), at: 0) }
    let perDialog = it.table.mappedBytes / population
    #expect(perDialog <= 300)
    #expect(it.pages.mappedBytes == it.table.mappedBytes)
  }

  @Test("when all dialogs are gone only the index and a spare chunk of each kind remain")
  func givenBack() throws {
    let pages: CountingPages
    do {
      var it = TestTable()
      pages = it.pages
      for number in 0..<20_000 { _ = try it.answer(Self.call(number), timer: .runs(90), at: 0) }
      #expect(pages.mappedBytes > 5_000_000)
      while it.table.expire(at: .second(90), budget: 250) {}
      #expect(it.table.isEmpty == true)
      #expect(pages.mappedBytes < 1_000_000)
    }
    #expect(pages.mappedBytes == 0)
    #expect(pages.wrongReleases == 0)
  }
}
