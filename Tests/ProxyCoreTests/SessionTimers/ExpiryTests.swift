import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

@Suite("RFC 4028 §8.3: when a session expires")
struct ExpiryTests {
  /// A86–A88: gone within one second behind the expiration, never before it, wherever in a second it began;
  /// and nothing is sent.
  @Test(
    "a session is removed in the second behind its expiration, and nobody hears of it",
    arguments: [90, 91, 600, 1800, 3600, 16_383, 16_384, 16_385, 86_400] as [Int64],
    [0, 1, 499, 999] as [Int64])
  func accuracy(_ interval: Int64, _ offset: Int64) throws {
    let driver = try ProxyDriver.with(nil)
    driver.advance(by: .milliseconds(offset))
    let call = WireCall.timed(driver, "\(interval);refresher=uac")
    #expect(driver.advance(by: .seconds(interval) + TimeSpan(nanoseconds: -1)).isEmpty)
    #expect(driver.active == 1)
    #expect(driver.advance(by: .seconds(1)).isEmpty)
    #expect(driver.active == 0)
    #expect(call.dialog == nil)
    #expect(driver.proxy.dialogCounts.ended[.sessionExpired] == 1)
    #expect(driver.advance(by: .seconds(100_000)).isEmpty)
    #expect(driver.proxy.nextDeadline == nil)
  }

  /// A87: whatever ends a dialog at the proxy, no BYE comes from it.
  @Test("the proxy sends no BYE, whatever ends a dialog")
  func noBye() throws {
    let driver = try ProxyDriver.with()
    var sent: [SentMessage] = []
    for (number, answer) in [["x: 90;refresher=uac"], ["x: 100"], [], ["x: broken"], ["x: 1"]].enumerated() {
      let call = WireCall(driver, callID: "c\(number)")
      let invite = call.invite(number == 2 ? [] : ["k: timer"])
      sent += invite.sent + invite.answer(180, "Ringing").sent + invite.answer(200, "OK", answer).sent
    }
    sent += WireCall(driver, callID: "unanswered").invite().sent
    sent += WireCall(driver, callID: "ringing").invite().answer(180, "Ringing").sent
    sent += driver.advance(by: .seconds(13 * 3600))
    #expect(driver.proxy.dialogCounts.total == 0)
    #expect(!sent.contains { $0.method == "BYE" || $0.text.contains(" BYE") })
    #expect(sent.contains { $0.method == "CANCEL" })
    #expect(driver.proxy.serverTransactionCount == 0)
  }

  /// A89: while a refresh is under way its end decides; each end of it.
  @Test("a dialog is not removed while a refresh of it is open", arguments: RefreshKind.midCall)
  func openRefresh(_ kind: RefreshKind) throws {
    for status in [200, 500, 0] {
      let driver = try ProxyDriver.with()
      let call = kind.timedCall(driver, "100;refresher=uac")
      driver.advance(by: .seconds(90))
      let exchange = kind.send(["k: timer"], on: call)
      if status == 0, kind.method == "INVITE" { exchange.answer(183, "Progress") }
      driver.advance(by: .seconds(20))
      #expect(driver.active == 1)
      switch status {
      case 200:
        exchange.answer(200, "OK", ["x: 120;refresher=uac"]).expectForwarded()
        #expect(driver.expires(in: 120))
      case 500:
        exchange.answer(500, "No").expectForwarded()
        driver.advance(by: .seconds(1))
        #expect(driver.active == 0)
      default:
        // No final answer: an UPDATE ends with Timer F, a ringing re-INVITE with Timer C and its CANCEL.
        driver.advance(by: .seconds(kind.method == "UPDATE" ? 11 : 150))
        #expect(driver.active == 1)
        driver.advance(by: .seconds(kind.method == "UPDATE" ? 3 : 60))
        #expect(driver.active == 0)
      }
      driver.advance(by: .seconds(200))
      #expect(driver.proxy.dialogCounts.ended[.sessionExpired] == 1)
      #expect(driver.proxy.auditDialogs() == nil)
    }
  }

  /// A89: two refreshes at once; the dialog waits for both.
  @Test("a dialog with two open refreshes waits for the last of them")
  func twoOpen() throws {
    let driver = try ProxyDriver.with()
    let call = WireCall.timed(driver, "100;refresher=uac")
    driver.advance(by: .seconds(95))
    let invite = call.request("INVITE", from: .caller, ["k: timer"])
    let update = call.request("UPDATE", from: .callee, ["k: timer"])
    driver.advance(by: .seconds(10))
    update.answer(491, "Request Pending").expectForwarded()
    driver.advance(by: .seconds(10))
    #expect(driver.active == 1)
    invite.answer(500, "No").expectForwarded()
    driver.advance(by: .seconds(1))
    #expect(driver.active == 0)
  }

  /// A89: other requests of the dialog do not hold it; a BYE under way keeps its route nevertheless.
  @Test(
    "a request that is no refresh does not keep a dialog", arguments: ["INFO", "OPTIONS", "MESSAGE", "BYE"])
  func otherRequests(_ method: String) throws {
    let driver = try ProxyDriver.with()
    let call = WireCall.timed(driver, "100;refresher=uac")
    driver.advance(by: .seconds(99))
    let exchange = call.request(method, ["k: timer", "x: 900"])
    driver.advance(by: .seconds(2))
    #expect(driver.active == 0)
    exchange.answer(200, "OK").expectForwarded()
    #expect(driver.proxy.dialogCounts.ended.total == 1)
  }

  /// A90: the clock only goes forward: an instant that lies behind neither reclaims nor prolongs.
  @Test("an instant in the past changes nothing")
  func noStepBack() throws {
    let driver = try ProxyDriver.with()
    WireCall.timed(driver, "600;refresher=uac")
    driver.advance(by: .seconds(400))
    var outbox = Outbox()
    driver.proxy.advance(to: .origin, into: &outbox)
    driver.proxy.advance(to: driver.now + .seconds(-300), into: &outbox)
    #expect(outbox.sends.isEmpty)
    #expect(driver.expires(in: 200))
  }

  /// A91: without a timer the fallback lifetime applies, counted apart; 0 stands for none.
  @Test(
    "a dialog without a session timer lives as long as configured",
    arguments: [nil, 7200, 43_200] as [Int64?])
  func untimed(_ lifetime: Int64?) throws {
    var configuration = try ProxyDriver.configuration(sessionExpires: nil)
    configuration.untimedLifetime = lifetime.map { .seconds($0) }
    let driver = ProxyDriver(configuration)
    WireCall.established(driver)
    #expect(driver.proxy.dialogCounts.untimed == 1)
    if let lifetime {
      #expect(driver.expires(in: lifetime))
      #expect(driver.proxy.dialogCounts.ended[.untimedLifetimeOver] == 1)
    } else {
      driver.advance(by: .seconds(40 * 86_400))
      #expect(driver.active == 1)
    }
    #expect(driver.proxy.dialogCounts.ended[.sessionExpired] == 0)
  }

  /// A9, A88, G16: a very long session outlives its record; nothing on the wire says so, and a refresh brings
  /// it back.
  @Test("the cap on a record changes no header field and is counted apart")
  func capped() throws {
    let driver = try ProxyDriver.with(nil)
    let call = WireCall(driver)
    let invite = call.invite(["k: timer", "x: 200000"])
    invite.expectForwarded()
    invite.answer(200, "OK", ["x: 200000;refresher=uac"]).expectForwarded()
    #expect(call.interval == 200_000)
    #expect(driver.expires(in: 86_400))
    #expect(driver.proxy.dialogCounts.ended[.cappedLifetimeOver] == 1)
    call.request("UPDATE", ["k: timer", "x: 200000"]).answer(200, "OK", ["x: 200000;refresher=uac"])
    #expect(driver.active == 1)
    #expect(driver.proxy.dialogCounts.adopted == 1)
  }

  /// A92, F33: what comes late is forwarded by its Route set; a refresh's 2xx brings the dialog back.
  @Test(
    "after the expiration requests still pass, and a refresh brings the dialog back",
    arguments: RefreshKind.midCall)
  func afterExpiry(_ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with()
    let call = kind.timedCall(driver, "90;refresher=uac")
    driver.advance(by: .seconds(95))
    #expect(driver.active == 0)
    let info = call.request("INFO", from: kind.sender)
    info.expectForwarded()
    info.answer(200, "OK").expectForwarded()
    #expect(driver.active == 0)
    let exchange = kind.send(["k: timer", "x: 90;refresher=uac"], on: call)
    exchange.expectForwarded()
    exchange.answer(200, "OK", ["x: 90;refresher=uac"]).expectForwarded()
    #expect(driver.proxy.dialogCounts.adopted == 1)
    #expect(driver.expires(in: 90))
  }

  /// A93: a compliant refresher comes at half the interval, so a live call never reaches its expiry here.
  @Test("a call that is refreshed at half its interval is never removed", arguments: RefreshKind.midCall)
  func refreshedAtHalf(_ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with(90)
    let call = kind.timedCall(driver, "90;refresher=\(kind.sender == .caller ? "uac" : "uas")")
    for _ in 1...50 {
      driver.advance(by: .seconds(45))
      kind.send(["k: timer", "x: 90;refresher=uac"], on: call).answer(200, "OK", ["x: 90;refresher=uac"])
        .expectForwarded()
      #expect(driver.active == 1)
    }
    #expect(driver.expires(in: 90))
    #expect(driver.proxy.dialogCounts.created == 1)
    #expect(driver.proxy.dialogCounts.adopted == 0)
  }

  /// A94: a refresher that hears 408 or 481, or nothing, sends BYE itself; it passes and is counted once.
  @Test("the BYE of a party whose refresh failed ends the call", arguments: [408, 481, 500])
  func byeAfterFailure(_ status: Int) throws {
    let driver = try ProxyDriver.with()
    let call = WireCall.timed(driver, "100;refresher=uac")
    driver.advance(by: .seconds(50))
    call.request("INVITE", ["k: timer"]).answer(status, "No").expectForwarded()
    let bye = call.request("BYE")
    bye.expectForwarded()
    bye.answer(200, "OK").expectForwarded()
    #expect(driver.active == 0)
    #expect(driver.proxy.dialogCounts.ended.total == 1)
    #expect(driver.proxy.dialogCounts.ended[status == 481 ? .notFound481 : .bye] == 1)
  }

  /// A96: every removal has its cause.
  @Test("every removal is counted under its cause")
  func causes() throws {
    let driver = try ProxyDriver.with()
    WireCall.timed(driver, "90;refresher=uac", callID: "expires")
    WireCall.established(driver, callID: "untimed")
    WireCall.timed(driver, callID: "bye").request("BYE").answer(200, "OK")
    WireCall.timed(driver, callID: "gone").request("UPDATE").answer(481, "Gone")
    let failed = WireCall(driver, callID: "failed").invite()
    failed.answer(180, "Ringing")
    failed.answer(486, "Busy Here")
    driver.advance(by: .seconds(43_300))
    let ended = driver.proxy.dialogCounts.ended
    let causes: [DialogEnd] = [.sessionExpired, .untimedLifetimeOver, .bye, .notFound481, .setupFailed]
    #expect(causes.map { ended[$0] } == [1, 1, 1, 1, 1])
    #expect(ended.total == 5)
    #expect(driver.proxy.dialogCounts.total == 0)
  }
}
