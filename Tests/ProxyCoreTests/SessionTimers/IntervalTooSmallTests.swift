import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

@Suite("RFC 4028 §6: 422 Session Interval Too Small")
struct IntervalTooSmallTests {
  private static let tooSmall = ["Supported: timer", "Session-Expires: 60;refresher=uac"]

  /// A55–A57: the whole message. A dialog-forming request gets a To tag, one in a dialog keeps it.
  @Test("the 422 has the octets of the request's own fields and one Min-SE", arguments: RefreshKind.allCases)
  func format(_ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with(minSE: 120)
    let exchange = kind.send(Self.tooSmall, on: kind.call(driver))
    exchange.expectRejected(minSE: 120)
    let answer = try #require(exchange.ownAnswer)
    let to = try #require(answer.value("To"))
    if exchange.inDialog {
      #expect("To: \(to)" == exchange.toRow)
    } else {
      #expect("To: \(to)".hasPrefix("\(exchange.toRow);tag="))
      #expect(to.count > exchange.toRow.count + 1)
    }
    #expect(
      answer.text == """
        SIP/2.0 422 Session Interval Too Small\r
        Via: SIP/2.0/UDP \(exchange.sender.address);branch=\(exchange.branch)\r
        \(exchange.fromRow)\r
        To: \(to)\r
        Call-ID: \(exchange.call.callID)\r
        CSeq: \(exchange.cSeq) \(exchange.method)\r
        Min-SE: 120\r
        Content-Length: 0\r
        \r

        """)
    #expect(driver.proxy.counters[.answered422] == 1)
  }

  /// A56: the Via stack is copied in order, the topmost with what the transport saw; compact names stay.
  @Test("the 422 copies the Via stack as it came and goes where the request came from")
  func viaStack() throws {
    let driver = try ProxyDriver.with()
    let sent = driver.deliver(
      """
      INVITE sip:bob@198.51.100.2:5070 SIP/2.0
      v: SIP/2.0/UDP edge.example.com:5080;branch=z9hG4bKtop;rport
      Via: SIP/2.0/TCP 192.0.2.77;branch=z9hG4bK2 , SIP/2.0/UDP
       [2001:db8::9]:5060;branch=old
      f: "A" <sip:alice@example.com>;tag=a
      t: sip:bob@example.com
      i: stack
      CSeq: 0007 INVITE
      Max-Forwards: 70
      k: timer
      x: 45

      """, from: "203.0.113.9:4321")
    let answer = try #require(sent.first)
    #expect(answer.destination == "203.0.113.9:4321")
    #expect(
      answer.text.hasPrefix(
        """
        SIP/2.0 422 Session Interval Too Small\r
        v: SIP/2.0/UDP edge.example.com:5080;branch=z9hG4bKtop;rport=4321;received=203.0.113.9\r
        Via: SIP/2.0/TCP 192.0.2.77;branch=z9hG4bK2 , SIP/2.0/UDP\r
         [2001:db8::9]:5060;branch=old\r
        f: "A" <sip:alice@example.com>;tag=a\r
        t: sip:bob@example.com;tag=
        """))
    #expect(
      answer.text.hasSuffix("\r\ni: stack\r\nCSeq: 0007 INVITE\r\nMin-SE: 90\r\nContent-Length: 0\r\n\r\n"))
  }

  /// A56: Timer G doubles from T1 to T2, Timer H ends it; every copy is the same.
  @Test("a 422 to INVITE is repeated by Timer G until Timer H")
  func timerG() throws {
    let driver = try ProxyDriver.with()
    let exchange = WireCall(driver).invite(Self.tooSmall)
    let first = try #require(exchange.ownAnswer)
    // Looked at 50 ms behind every half second, because a wheel tick is some milliseconds.
    var seen: [Int64] = []
    #expect(driver.advance(by: .milliseconds(50)).isEmpty)
    for step in 1...80 {
      for copy in driver.advance(by: .milliseconds(500)) {
        #expect(copy.bytes == first.bytes)
        seen.append(Int64(step) * 500)
      }
    }
    #expect(seen == [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500])
    #expect(driver.proxy.counters[.timerHFired] == 1)
    #expect(driver.proxy.serverTransactionCount == 0)
    #expect(driver.proxy.storedTransactionBytes == 0)
  }

  /// A56: the ACK ends the repetition and is not forwarded, nor is a second one.
  @Test("the ACK to our 422 ends here")
  func acknowledged() throws {
    let driver = try ProxyDriver.with()
    let exchange = WireCall(driver).invite(Self.tooSmall)
    let first = try #require(exchange.ownAnswer)
    #expect(exchange.sendAgain().map(\.bytes) == [first.bytes])
    driver.advance(by: .milliseconds(600))
    let to = try #require(first.value("To"))
    #expect(exchange.acknowledgeFailure(to: to).isEmpty)
    #expect(exchange.acknowledgeFailure(to: to).isEmpty)
    #expect(driver.advance(by: .seconds(60)).isEmpty)
    #expect(driver.proxy.counters[.timerHFired] == 0)
    #expect(driver.proxy.serverTransactionCount == 0)
    // Long after: the To tag alone still tells that it was ours.
    #expect(exchange.acknowledgeFailure(to: to).isEmpty)
  }

  /// A56, A99: UPDATE is no INVITE: nothing is repeated unless the request is.
  @Test(
    "a 422 to UPDATE is repeated only for a repeated UPDATE",
    arguments: [RefreshKind.earlyUpdate, .callerUpdate, .calleeUpdate])
  func updateIsNotRepeated(_ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with()
    let exchange = kind.send(Self.tooSmall, on: kind.call(driver))
    let first = try #require(exchange.ownAnswer)
    let quiet = driver.advance(by: .seconds(20)).filter { $0.status == 422 }
    #expect(quiet.isEmpty)
    #expect(exchange.sendAgain().map(\.bytes) == [first.bytes])
    driver.advance(by: .seconds(13))
    #expect(driver.proxy.counters[.answered422] == 1)
  }

  /// A58: nothing of the dialog moves, and the refusal can be looked up.
  @Test(
    "a 422 within a dialog leaves interval, expiration, target and numbers", arguments: RefreshKind.midCall)
  func dialogUntouched(_ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with()
    let call = kind.timedCall(driver, "600;refresher=uas")
    driver.advance(by: .seconds(100))
    let before = try #require(call.dialog)
    kind.send(Self.tooSmall + ["Contact: <sip:elsewhere@203.0.113.99>"], on: call).expectRejected(minSE: 90)
    let after = try #require(call.dialog)
    #expect(after.interval == before.interval)
    #expect(after.expiresIn == 500)
    #expect(after.refresher == .callee)
    #expect(after.callerContact == before.callerContact)
    #expect(after.calleeContact == before.calleeContact)
    #expect(after.decisions.first != before.decisions.first)
    #expect(driver.expires(in: 500))
  }

  /// A59: the next attempt, with the old From tag (the text) or a new one (erratum 1681), is one call.
  @Test("the retry after a 422 is one call, with the old From tag or a new one", arguments: ["a", "a2"])
  func retry(_ tag: String) throws {
    let driver = try ProxyDriver.with()
    let call = WireCall(driver)
    let first = call.invite(Self.tooSmall)
    _ = first.acknowledgeFailure(to: first.ownAnswer?.value("To") ?? "")
    #expect(driver.proxy.dialogCounts.total == 0)
    call.callerTag = tag
    let second = call.invite(["Supported: timer", "Session-Expires: 90;refresher=uac", "Min-SE: 90"])
    second.expectForwarded()
    second.answer(180, "Ringing").expectForwarded()
    second.answer(200, "OK", ["Session-Expires: 90;refresher=uac"]).expectForwarded()
    #expect(driver.proxy.dialogCounts.total == 1)
    #expect(driver.proxy.dialogCounts.created == 1)
    #expect(driver.proxy.dialogCounts.adopted == 0)
    #expect(call.dialog?.callerTag == tag)
    #expect(driver.expires(in: 90))
  }

  /// A60, A67: a 422 from downstream is a failure like any other: forwarded with its Min-SE, never retried.
  @Test("a 422 from downstream passes with its Min-SE and changes nothing", arguments: RefreshKind.allCases)
  func fromDownstream(_ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with()
    let call = kind.isMidCall ? kind.timedCall(driver, "700;refresher=uac") : WireCall(driver)
    let exchange = kind.send(["Supported: timer", "Session-Expires: 400"], on: call)
    let early = driver.proxy.dialogCounts.early
    let reply = exchange.answer(422, "Way Too Small", ["min-se : 0600;p=\"q\"", "Session-Expires: 5"])
    reply.expectForwarded()
    let acks = reply.sent.filter { $0.method == "ACK" }
    #expect(acks.map(\.destination) == (kind.method == "INVITE" ? [kind.sender.other.address] : []))
    #expect(acks.allSatisfy { $0.value("Session-Expires") == nil && $0.value("Min-SE") == nil })
    if kind.isMidCall {
      #expect(driver.expires(in: 700))
    } else {
      #expect(driver.proxy.dialogCounts.early == early)
      #expect(driver.active == 0)
    }
    let later = driver.advance(by: .seconds(40)).filter {
      $0.value("CSeq") == "\(exchange.cSeq) \(kind.method)"
    }
    #expect(later.allSatisfy { $0.method == nil })
  }
}
