import CallState
import PagedStorage
import SIPSyntax
import SessionTimers
import Timekeeping

/// The text of one dialog's messages, and where in it the values stand.
struct TestCall {
  var callID: String
  var callerTag: String
  var calleeTag: String
  var callerContact = "sip:caller@192.0.2.1:5060;transport=udp"
  var calleeContact = "sip:callee@192.0.2.2:5060;transport=udp"

  init(_ callID: String, _ callerTag: String = "from-1", _ calleeTag: String = "to-1") {
    self.callID = callID
    self.callerTag = callerTag
    self.calleeTag = calleeTag
  }

  /// The response: all five values, one behind another.
  var response: [UInt8] { Array((callID + callerTag + calleeTag + calleeContact).utf8) }
  /// The request: only the caller's Contact is taken from it.
  var request: [UInt8] { Array(callerContact.utf8) }

  var key: DialogKeyView {
    let tag = callID.utf8.count
    let otherTag = tag + callerTag.utf8.count
    let end = otherTag + calleeTag.utf8.count
    return DialogKeyView(
      callID: ByteRange(0, tag), callerTag: ByteRange(tag, otherTag), calleeTag: ByteRange(otherTag, end))
  }

  var setup: DialogSetup {
    let start = key.calleeTag.upperBound
    return DialogSetup(
      key: key, calleeContact: ByteRange(start, response.count),
      callerContact: ByteRange(0, request.count), cSeq: 1)
  }
}

extension MonotonicInstant {
  /// An instant in seconds since the origin.
  static func second(_ count: Double) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: UInt64(count * 1_000_000_000))
  }
}

extension SessionTimerResult {
  /// A timer of that many seconds.
  static func runs(_ seconds: UInt32, _ refresher: Refresher? = .uac) -> SessionTimerResult {
    .runs(interval: DeltaSeconds(seconds), refresher: refresher)
  }
}

extension SessionRefresh {
  static func invite(_ cSeq: UInt32, from sender: DialogSide = .caller) -> SessionRefresh {
    SessionRefresh(cSeq: cSeq, isInvite: true, sender: sender)
  }

  static func update(_ cSeq: UInt32, from sender: DialogSide = .caller) -> SessionRefresh {
    SessionRefresh(cSeq: cSeq, isInvite: false, sender: sender)
  }
}

/// The table refused a dialog that the test needs.
struct Refused: Error {}

/// A table with its pages, and shorthand for what a proxy does with it.
struct TestTable: ~Copyable {
  let pages: CountingPages
  var table: DialogTable

  init(limit: Int = 0, untimed: TimeSpan? = .seconds(1000), maxSession: TimeSpan? = .seconds(5000)) {
    pages = CountingPages()
    table = DialogTable(
      pages: pages.source, key: HashKey(1, 2), start: .origin, limit: limit, untimedLifetime: untimed,
      maxSession: maxSession, earlyLifetime: .seconds(600))
  }

  func find(_ call: TestCall) -> SlabID? {
    let key = call.key
    return table.find(
      callID: key.callID, localTag: key.callerTag, remoteTag: key.calleeTag, in: call.response.span)
  }

  mutating func ring(_ call: TestCall, chain: inout SlabID, at second: Double) throws -> SlabID {
    let (response, request) = (call.response, call.request)
    guard
      let id = table.createEarly(
        call.setup, response: response.span, request: request.span, chain: &chain, at: .second(second))
    else { throw Refused() }
    return id
  }

  mutating func answer(_ call: TestCall, at second: Double) throws -> SlabID {
    let (response, request) = (call.response, call.request)
    guard
      let id = table.createConfirmed(
        call.setup, response: response.span, request: request.span, at: .second(second))
    else { throw Refused() }
    return id
  }

  mutating func adopt(_ call: TestCall, at second: Double) throws -> SlabID {
    let (response, request) = (call.response, call.request)
    guard
      let id = table.adopt(call.setup, response: response.span, request: request.span, at: .second(second))
    else { throw Refused() }
    return id
  }

  /// An answered call whose first INVITE set that timer.
  mutating func answer(_ call: TestCall, timer: SessionTimerResult, at second: Double) throws -> SlabID {
    let id = try answer(call, at: second)
    table.applyTimer(timer, of: .invite(1), to: id, at: .second(second))
    return id
  }

  /// Removes what is due and says who that was and why.
  mutating func expire(at second: Double, budget: Int = 1000) -> [SlabID: DialogEnd] {
    var ended: [SlabID: DialogEnd] = [:]
    table.expire(at: .second(second), budget: budget) { event in
      if case .ended(let cause) = event.kind { ended[event.id] = cause }
    }
    return ended
  }

  func view(_ id: SlabID, at second: Double = 0) -> DialogView? { table.view(of: id, at: .second(second)) }
}
