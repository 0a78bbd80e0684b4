import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

@Suite("RFC 4028 §8.2: refreshes, forks and overlapping transactions")
struct RefreshTests {
  /// A74, A95: each fork is judged on its own, has its own timer, and goes alone.
  @Test("each 2xx of a forked INVITE gives its own dialog its own timer")
  func forks() throws {
    let driver = try ProxyDriver.with()
    let call = WireCall(driver)
    let invite = call.invite(["Supported: timer", "Session-Expires: 1000"])
    invite.answer(200, "OK", ["Session-Expires: 300;refresher=uas", "Require: timer"], tag: "f1")
      .expectForwarded()
    driver.advance(by: .seconds(1))
    invite.answer(200, "OK", tag: "f2").expectForwarded(RequestRow.v(1000))
    invite.answer(200, "OK", ["Session-Expires: broken"], tag: "f3").expectForwarded()
    invite.answer(200, "OK", ["x: 200;refresher=uac"], tag: "f4").expectForwarded()
    #expect(driver.proxy.dialogCounts.timed == 3)
    #expect(driver.proxy.dialogCounts.untimed == 1)
    let expected: [(Int64, Int)] = [(199, 4), (3, 3), (96, 3), (2, 2), (699, 2), (2, 1)]
    for (step, active) in expected {
      driver.advance(by: .seconds(step))
      #expect(driver.active == active)
    }
    #expect(driver.proxy.dialogCounts.ended[.sessionExpired] == 3)
    call.calleeTag = "f3"
    #expect(call.dialog != nil)
  }

  /// A75, A76: the same answer each time, and the clock started with the first.
  @Test(
    "a retransmitted 2xx is byte-identical and moves nothing",
    arguments: [RefreshKind.firstInvite, .callerInvite, .calleeInvite],
    [[], ["x: 700;refresher=uas"], ["Require: 100rel"], ["Session-Expires: no"]])
  func retransmitted(_ kind: RefreshKind, _ rows: [String]) throws {
    let driver = try ProxyDriver.with()
    let call = kind.call(driver)
    driver.advance(by: .seconds(40))
    let reply = kind.send(["k: timer"], on: call).answer(200, "OK", rows)
    let first = try #require(reply.forwarded)
    let before = call.expiresIn
    let refreshed = driver.proxy.dialogCounts.refreshed
    for _ in 1...6 {
      driver.advance(by: .seconds(5))
      #expect(reply.sendAgain().map(\.bytes) == [first.bytes])
    }
    #expect(call.expiresIn == before.map { $0 - 30 })
    #expect(driver.proxy.dialogCounts.refreshed == refreshed)
    #expect(driver.proxy.dialogCounts.total == 1)
    driver.advance(by: .seconds(3))
    #expect(reply.sendAgain().isEmpty)
  }

  /// A75, A56: the final answer to a repeated UPDATE comes from its transaction.
  @Test("a repeated UPDATE gets the same octets again and moves nothing")
  func repeatedUpdate() throws {
    let driver = try ProxyDriver.with()
    let call = WireCall.established(driver)
    let update = call.request("UPDATE", ["k: timer"])
    let reply = update.answer(200, "OK")
    driver.advance(by: .seconds(9))
    #expect(update.sendAgain().map(\.bytes) == [reply.forwarded?.bytes])
    #expect(reply.sendAgain().isEmpty)
    #expect(call.expiresIn == 1791)
  }

  /// A76: the late copy of an older 2xx says nothing about the newer agreement.
  @Test("a late copy of an older 2xx does not bring the older interval back")
  func lateCopy() throws {
    let driver = try ProxyDriver.with()
    let call = WireCall(driver)
    let first = call.invite(["k: timer"]).answer(200, "OK", ["x: 600;refresher=uac"])
    first.acknowledge()
    driver.advance(by: .seconds(2))
    let second = call.request("INVITE", ["k: timer"]).answer(200, "OK", ["x: 1500;refresher=uac"])
    driver.advance(by: .seconds(2))
    let third = call.request("INVITE", ["k: timer"]).answer(200, "OK", ["x: 1000;refresher=uac"])
    driver.advance(by: .seconds(2))
    #expect(first.sendAgain().map(\.bytes) == [first.forwarded?.bytes])
    #expect(second.sendAgain().map(\.bytes) == [second.forwarded?.bytes])
    #expect(third.sendAgain().map(\.bytes) == [third.forwarded?.bytes])
    #expect(call.interval == 1000)
    #expect(call.expiresIn == 998)
  }

  /// A76, F22, F23: a copy of the 2xx that comes after the BYE makes no second dialog.
  @Test(
    "a copy of a 2xx behind the BYE does not bring the dialog back",
    arguments: [RefreshKind.firstInvite, .callerInvite, .calleeInvite])
  func copyAfterBye(_ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with()
    let call = kind.call(driver)
    let reply = kind.send(["k: timer"], on: call).answer(200, "OK")
    reply.acknowledge()
    call.request("BYE").answer(200, "OK").expectForwarded()
    #expect(driver.active == 0)
    driver.advance(by: .seconds(1))
    #expect(reply.sendAgain().map(\.bytes) == [reply.forwarded?.bytes])
    #expect(driver.active == 0)
    #expect(driver.proxy.dialogCounts.adopted == 0)
  }

  /// F22, F23: nor does a first 2xx that the network held back until the call was over; nor one of a fork.
  @Test("a 2xx that comes after the end of its dialog is forwarded and makes none")
  func lateFirst() throws {
    let driver = try ProxyDriver.with()
    let call = WireCall.established(driver)
    for method in ["INVITE", "UPDATE"] {
      let refresh = call.request(method, ["k: timer"])
      call.request("BYE", from: .callee).answer(200, "OK").expectForwarded()
      refresh.answer(200, "OK").expectForwarded(RequestRow.v(1800))
      #expect(driver.proxy.dialogCounts.total == 0)
      call.invite().answer(200, "OK")
    }
    let forked = WireCall(driver, callID: "forked")
    let invite = forked.invite()
    let copies = ["f1", "f2", "f3"].map { invite.answer(200, "OK", tag: $0) }
    #expect(driver.active == 4)
    for tag in ["f1", "f2", "f3"] {
      forked.calleeTag = tag
      forked.request("BYE").answer(200, "OK")
      copies.forEach { #expect($0.sendAgain().count == 1) }
    }
    #expect(driver.active == 1)
    #expect(driver.proxy.auditDialogs() == nil)
  }

  /// A77: later and sooner replace what runs.
  @Test(
    "a new expiration replaces the old one, also a sooner one",
    arguments: [RefreshKind.callerUpdate, .calleeUpdate, .callerInvite, .calleeInvite],
    [200, 4000] as [Int64])
  func replaced(_ kind: RefreshKind, _ seconds: Int64) throws {
    let driver = try ProxyDriver.with()
    let call = kind.timedCall(driver, "900;refresher=uas")
    driver.advance(by: .seconds(450))
    kind.send(["k: timer"], on: call).answer(200, "OK", ["x: \(seconds);refresher=uas"]).expectForwarded()
    #expect(driver.expires(in: seconds))
    #expect(driver.proxy.dialogCounts.ended[.sessionExpired] == 1)
  }

  /// A78: a 2xx that leaves us without Session-Expires switches the timer off; a later one may switch it on.
  @Test("a refresh without timer switches the timer off", arguments: RefreshKind.midCall)
  func turnedOff(_ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with()
    let call = kind.timedCall(driver, "900;refresher=uac")
    kind.send([], on: call).answer(200, "OK").expectForwarded()
    #expect(call.interval == nil)
    #expect(call.dialog?.refresher == nil)
    #expect(driver.proxy.dialogCounts.untimed == 1)
    driver.advance(by: .seconds(2000))
    #expect(driver.active == 1)
    kind.send(["k: timer"], on: call).answer(200, "OK").expectForwarded(RequestRow.v(1800))
    #expect(driver.expires(in: 1800))
  }

  /// A79, F25: no answer at all leaves the expiration.
  @Test("a refresh that times out or is cancelled leaves the expiration", arguments: RefreshKind.midCall)
  func timedOut(_ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with()
    let call = kind.timedCall(driver, "900;refresher=uac")
    driver.advance(by: .seconds(450))
    let exchange = kind.send(["k: timer", "x: 1800"], on: call)
    let sent = driver.advance(by: .seconds(33)).filter { $0.destination == kind.sender.address }
    #expect(Set(sent.compactMap(\.status)).subtracting([100]) == (kind.method == "INVITE" ? [408] : []))
    #expect(exchange.answer(200, "OK").sent.isEmpty)
    #expect(call.expiresIn == 417)
    #expect(driver.expires(in: 417))
  }

  /// A82: each transaction has its own memory, and the 2xx that was forwarded last counts.
  @Test(
    "overlapping INVITE and UPDATE keep apart, and the last 2xx counts", arguments: [true, false],
    Party.allCases)
  func overlapping(_ inviteLast: Bool, _ updater: Party) throws {
    let driver = try ProxyDriver.with()
    let call = WireCall.established(driver)
    let invite = call.request("INVITE", ["k: timer", "x: 1000"])
    let update = call.request("UPDATE", from: updater, ["k: timer", "x: 700"])
    for exchange in inviteLast ? [update, invite] : [invite, update] {
      exchange.answer(200, "OK").expectForwarded(RequestRow.v(exchange === invite ? 1000 : 700))
      driver.advance(by: .seconds(10))
    }
    #expect(call.expiresIn == (inviteLast ? 990 : 690))
    let uac: DialogSide = inviteLast || updater == .caller ? .caller : .callee
    #expect(call.dialog?.refresher == uac)
    #expect(driver.expires(in: inviteLast ? 990 : 690))
  }

  /// A83, A85: uac and uas are relative to the transaction; the record says caller or callee.
  @Test(
    "the refreshing side is stored as caller or callee",
    arguments: RefreshKind.confirming, ["uac", "uas", nil])
  func refresher(_ kind: RefreshKind, _ refresher: String?) throws {
    let driver = try ProxyDriver.with()
    let call = kind.call(driver)
    let value = "x: 700" + (refresher.map { ";refresher=\($0)" } ?? "")
    kind.send(["k: timer"], on: call).answer(200, "OK", [value]).expectForwarded()
    let isCaller = (kind.sender == .caller) == (refresher == "uac")
    #expect(call.dialog?.refresher == (refresher == nil ? nil : isCaller ? .caller : .callee))
  }

  /// A83: two refreshes in opposite directions at once.
  @Test("two refreshes in opposite directions keep separate memories")
  func opposite() throws {
    let driver = try ProxyDriver.with()
    let call = WireCall.established(driver)
    let one = call.request("UPDATE", from: .caller, ["k: timer", "x: 500"])
    let two = call.request("UPDATE", from: .callee, ["x: 600"])
    two.answer(200, "OK").expectForwarded()
    #expect(call.interval == nil)
    one.answer(200, "OK").expectForwarded(RequestRow.v(500))
    #expect(call.dialog?.refresher == .caller)
  }

  /// A80, A81: the fields mean something in a 2xx to a refresh, and nowhere else.
  @Test(
    "Session-Expires in an answer to another method, and Min-SE in a 2xx, mean nothing",
    arguments: ["OPTIONS", "INFO", "PRACK", "SUBSCRIBE", "NOTIFY", "MESSAGE", "REFER", "WHATEVER"])
  func otherMethods(_ method: String) throws {
    let driver = try ProxyDriver.with()
    let call = WireCall.timed(driver, "900;refresher=uac")
    driver.advance(by: .seconds(100))
    for rows in [["x: 100;refresher=uas", "Min-SE: 700", "Require: timer"], ["Session-Expires: no"], []] {
      call.request(method, ["k: timer", "x: 1200"]).answer(200, "OK", rows).expectForwarded()
      #expect(call.expiresIn == 800)
    }
    call.request("UPDATE", ["k: timer"]).answer(200, "OK", ["x: 500;refresher=uac", "Min-SE: 700"])
      .expectForwarded()
    #expect(call.interval == 500)
  }

  /// A84: what RFC 4028 section 9 lets a UAS answer passes as it is; Table 2, line by line.
  @Test(
    "every answer that section 9 allows passes unchanged",
    arguments: [
      (["k: timer", "x: 1000"], "x: 1000;refresher=uac"), (["k: timer", "x: 1000"], "x: 90;refresher=uas"),
      (["k: timer", "x: 1000;refresher=uac"], "x: 1000;refresher=uac"),
      (["k: timer", "x: 1000;refresher=uas"], "x: 600;refresher=uas"), (["x: 1000"], "x: 1000;refresher=uas"),
      (["x: 1000", "Min-SE: 900"], "x: 900;refresher=uas"), ([], "x: 1800;refresher=uas"),
    ])
  func allowedAnswers(_ request: [String], _ answer: String) throws {
    let call = WireCall(try ProxyDriver.with())
    call.invite(request).answer(200, "OK", [answer, "Require: timer"]).expectForwarded()
    #expect(call.dialog?.refresher == (answer.hasSuffix("uac") ? .caller : .callee))
  }
}
