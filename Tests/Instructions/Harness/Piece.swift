import CallState
import PagedStorage
import ProxyCore
import SIPSyntax
import SessionTimers
import Timekeeping

/// A piece of the hot path that is measured by itself.
enum Piece: String, CaseIterable {
  /// Parsing an INVITE with 14 rows.
  case parse
  /// Reading what that INVITE says about session timers, and deciding (RFC 4028 §8.1).
  case rules
  /// Copying it with the changes of a forwarded request.
  case serialise
  /// Making a confirmed dialog, finding it, ending it.
  case dialog
  /// Arming, moving and stopping a timer.
  case wheel
  /// A whole call through the core: six messages in, six out, and its timers. What ``trace`` costs has to be taken off.
  case call
  /// Only recording the call that ``call`` plays.
  case trace

  /// Does it `count` times; the result depends on every one of them.
  func run(_ count: Int) -> Int {
    switch self {
    case .parse: parse(count)
    case .rules: rules(count)
    case .serialise: serialise(count)
    case .dialog: dialog(count)
    case .wheel: wheel(count)
    case .call: call(count)
    case .trace: CallTrace(calls: count).events.count
    }
  }

  private static var invite: [UInt8] { Array(CallText.invite(1, "127.0.0.2:5071", "127.0.0.3:5072").utf8) }

  private func parse(_ count: Int) -> Int {
    let bytes = Self.invite
    var message = SIPMessage()
    var rows = 0
    for _ in 0..<count {
      if case .wellFormed = message.parse(bytes.span) { rows += message.fieldCount }
    }
    return rows
  }

  private func rules(_ count: Int) -> Int {
    guard let policy = try? SessionTimerPolicy() else { return 0 }
    let bytes = Self.invite
    var message = SIPMessage()
    _ = message.parse(bytes.span)
    var forwarded = 0
    for _ in 0..<count {
      let request = SessionRefreshRequest(message, bytes.span)
      if case .forward = policy.decision(for: request) { forwarded += 1 }
    }
    return forwarded
  }

  private func serialise(_ count: Int) -> Int {
    let bytes = Self.invite
    var message = SIPMessage()
    _ = message.parse(bytes.span)
    var edits = MessageEdits()
    var output = OutputBuffer(capacity: 4096)
    var written = 0
    for _ in 0..<count {
      edits.removeAll()
      edits.begin(insertingAt: message.startLine.upperBound)
      edits.text.append("Via: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bKck0000000000000000000000000\r\n")
      edits.end()
      edits.begin(replacing: message.maxForwardsRange)
      edits.text.append(decimal: 69)
      edits.end()
      edits.begin(insertingAt: message.headersEnd)
      edits.text.append("Record-Route: <sip:127.0.0.1:5060;lr;ck=AQAAAAAAAAAA>\r\n")
      edits.end()
      output.removeAll()
      edits.apply(to: bytes.span, upTo: message.messageEnd, into: &output)
      written += output.count
    }
    return written
  }

  private func dialog(_ count: Int) -> Int {
    var table = DialogTable(pages: .system, key: HashKey(1, 2), start: CallTrace.start)
    let text = Array("call-1234567890@127.0.0.2 caller-tag-1 callee-tag-1 sip:callee@127.0.0.3:5072".utf8)
    let key = DialogKeyView(
      callID: ByteRange(0, 25), callerTag: ByteRange(26, 38), calleeTag: ByteRange(39, 51))
    let setup = DialogSetup(key: key, calleeContact: ByteRange(52, text.count), cSeq: 1)
    var found = 0
    for number in 0..<count {
      let now = CallTrace.start + .milliseconds(Int64(number))
      guard let id = table.createConfirmed(setup, response: text.span, request: text.span, at: now) else {
        break
      }
      if table.find(callID: key.callID, localTag: key.calleeTag, remoteTag: key.callerTag, in: text.span)
        == id
      {
        found += 1
      }
      table.end(id, cause: .bye, at: now)
    }
    return found
  }

  private func wheel(_ count: Int) -> Int {
    var entries = Slab<Timer>(pages: .system)
    var wheel = TimingWheel(slotCount: 4096, tick: .milliseconds(8), start: CallTrace.start)
    var due = 0
    for number in 0..<count {
      let now = CallTrace.start + .milliseconds(Int64(number))
      guard let id = entries.allocate(Timer(deadline: now + .milliseconds(500))) else { break }
      wheel.insert(id.index, in: &entries)
      let old = entries[id.index].deadline
      entries[id.index].deadline = now + .milliseconds(100)
      wheel.deadlineMoved(id.index, from: old, in: &entries)
      if wheel.nextWakeUp != nil { due += 1 }
      wheel.remove(id.index, in: &entries)
      entries.free(id.index)
    }
    return due
  }

  private func call(_ count: Int) -> Int {
    let trace = CallTrace(calls: count)
    var proxy = CallTrace.proxy()
    var outbox = Outbox()
    trace.play(to: &proxy, &outbox)
    return Int(proxy.counters[.requestsForwarded] + proxy.counters[.responsesForwarded])
  }
}

/// The smallest record that can stand in a wheel.
private struct Timer: TimedRecord {
  var generation: UInt32 = 0
  var freeLink: UInt32 = 0
  var links = WheelLinks.unlinked
  var deadline: MonotonicInstant

  init(deadline: MonotonicInstant) { self.deadline = deadline }
}
