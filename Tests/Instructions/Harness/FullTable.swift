import CallState
import Glibc
import PagedStorage
import SIPSyntax
import SessionTimers
import Timekeeping

/// The dialog table with millions of dialogs in it: what each weighs, and what it costs to find one.
///
/// The records are the real ones, with Call-ID, tags, Contacts and session timers of mixed lengths as calls have them.
/// Everything happens in this process, so no sockets and no messages are in the figures.
struct FullTable: ~Copyable {
  private var table: DialogTable
  private var text = Array(
    "00000000-call@127.0.0.2-000000 00000000-tag 00000000-tag sip:caller@127.0.0.2:50710".utf8)
  private let start = MonotonicInstant(nanoseconds: 1_000_000_000)

  private static let callID = ByteRange(0, 30)
  private static let callerTag = ByteRange(31, 43)
  private static let calleeTag = ByteRange(44, 56)
  private static let contact = ByteRange(57, 83)

  /// A table with `count` confirmed dialogs.
  init(_ count: Int) {
    table = DialogTable(pages: .system, key: HashKey(11, 12), start: start)
    for number in 0..<count { add(number) }
  }

  /// Writes the eight digits of a number into the places that tell calls apart.
  private mutating func name(_ number: Int) {
    var rest = number
    for digit in 0..<8 {
      let character = UInt8(truncatingIfNeeded: 48 + rest % 10)
      for field in [Self.callID, Self.callerTag, Self.calleeTag] {
        text[field.lowerBound + 7 - digit] = character
      }
      rest /= 10
    }
  }

  private mutating func add(_ number: Int) {
    name(number)
    let key = DialogKeyView(callID: Self.callID, callerTag: Self.callerTag, calleeTag: Self.calleeTag)
    let setup = DialogSetup(key: key, calleeContact: Self.contact, callerContact: Self.contact, cSeq: 1)
    let now = start + .milliseconds(Int64(number / 10))
    let octets = text
    guard let id = table.createConfirmed(setup, response: octets.span, request: octets.span, at: now) else {
      return
    }
    let interval = DeltaSeconds(number & 1 == 0 ? 1800 : 43_200)
    let refresh = SessionRefresh(cSeq: 1, isInvite: true, sender: .caller)
    _ = table.applyTimer(.runs(interval: interval, refresher: .uac), of: refresh, to: id, at: now)
  }

  /// Finds `count` dialogs in no order; nanoseconds of processor time for each.
  mutating func nanosecondsToFind(_ count: Int, of total: Int) -> Double {
    var found = 0
    var state: UInt64 = 42
    let before = processorTime()
    for _ in 0..<count {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      name(Int(truncatingIfNeeded: state >> 33) % total)
      let id = table.find(
        callID: Self.callID, localTag: Self.callerTag, remoteTag: Self.calleeTag, in: text.span)
      if id != nil { found += 1 }
    }
    let after = processorTime()
    precondition(found == count, "a dialog was lost")
    return (after - before) * 1e9 / Double(count)
  }

  private func processorTime() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// Fills a table and says what it takes.
  static func report(_ count: Int) -> String {
    var full = FullTable(count)
    let active = full.table.counts.timed
    let bytes = full.table.mappedBytes
    let time = full.nanosecondsToFind(1_000_000, of: count)
    return "\(active) dialogs, \(bytes / 1_048_576) MiB, \(bytes / max(active, 1)) bytes each, "
      + "\(Int(time.rounded())) ns to find one"
  }
}
