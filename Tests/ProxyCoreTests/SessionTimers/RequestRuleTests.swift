import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

@Suite("RFC 4028 §8.1: what never happens to a request, and which requests are meant")
struct RequestRuleTests {
  /// One combination of what a request can say and what we want.
  struct Combination: Sendable, CustomStringConvertible {
    var timer: Bool
    var interval: Int?
    var minSE: Int?
    var wanted: UInt32?
    var least: UInt32
    var description: String {
      "T=\(timer) s=\(interval ?? -1) m=\(minSE ?? -1) S=\(wanted ?? 0) M=\(least)"
    }
  }

  static let combinations: [Combination] = [true, false].flatMap { timer in
    [nil, 0, 89, 90, 599, 600, 1800, 1801, 7200].flatMap { interval in
      [nil, 30, 90, 600, 601, 5000].flatMap { minSE in
        [(nil, 90), (1800, 90), (600, 600), (90, 90)].map { policy in
          Combination(
            timer: timer, interval: interval, minSE: minSE, wanted: policy.0, least: UInt32(policy.1))
        }
      }
    }
  }

  /// A40–A46, A98: the prohibitions, on the wire, over every combination.
  @Test("the prohibitions hold for every combination of T, s, m, S and M")
  func prohibitions() throws {
    for combination in Self.combinations {
      let interval = combination.interval.map { ["Session-Expires: \($0);refresher=uas;keep"] } ?? []
      let minSE = combination.minSE.map { ["Min-SE: \($0)"] } ?? []
      let driver = try ProxyDriver.with(combination.wanted, minSE: combination.least)
      let exchange = WireCall(driver).invite(
        interval + minSE + [combination.timer ? "Supported: timer" : "Supported: 100rel"])
      guard let forwarded = exchange.forwarded else {
        #expect(combination.timer, "\(combination)")
        #expect((combination.interval ?? 0) < Int(combination.least), "\(combination)")
        continue
      }
      let sent = forwarded.value("Session-Expires")
      let seconds = sent.flatMap { Int($0.prefix { $0.isNumber }) }
      let least = forwarded.value("Min-SE").flatMap { Int($0) }
      #expect(forwarded.values("Require").isEmpty, "\(combination)")  // A45
      #expect(forwarded.values("Supported").count == 1, "\(combination)")  // A46
      if combination.timer { #expect(least == combination.minSE, "\(combination)") }  // A41
      if let m = combination.minSE { #expect((least ?? 0) >= m, "\(combination)") }  // A42
      if let sent, let seconds {
        // A40: never a refresher of ours, never a lost one.
        #expect(sent.hasSuffix(combination.interval == nil ? "\(seconds)" : ";refresher=uas;keep"))
        #expect(seconds >= max(90, least ?? 90), "\(combination)")  // A43
        if let s = combination.interval, s >= max(90, least ?? 90) {
          #expect(seconds <= s, "\(combination)")  // A44
        }
      } else {
        #expect(combination.wanted == nil && combination.interval == nil, "\(combination)")
      }
    }
  }

  /// A47: Require does not concern us, and does not stand in for Supported: no 420, no 422.
  @Test("Require: timer is no support and no reason to refuse")
  func require() throws {
    WireCall(try ProxyDriver.with()).invite(["Require: timer", "Session-Expires: 30"]).expectForwarded([
      .change("Session-Expires: 30", to: "Session-Expires: 90"), .append("Min-SE: 90"),
    ])
    let exchange = WireCall(try ProxyDriver.with()).invite(["Require: timer"])
    exchange.expectForwarded([.append("Session-Expires: 1800")])
    exchange.answer(200, "OK").expectForwarded()
  }

  /// A48: the tag is understood; an unknown one beside it is named alone.
  @Test("Proxy-Require: timer is understood")
  func proxyRequire() throws {
    WireCall(try ProxyDriver.with()).invite(["Proxy-Require: Timer", "Supported: timer"])
      .expectForwarded([.append("Session-Expires: 1800")])
    let refused = WireCall(try ProxyDriver.with()).invite(["Proxy-Require: timer, other"])
    #expect(refused.ownAnswer?.status == 420)
    #expect(refused.ownAnswer?.values("Unsupported") == ["other"])
  }

  /// A49: no body, empty body, body, body that is no SDP: the same treatment.
  @Test("the body plays no part", arguments: ["", "v=0\r\n", "not\u{0}sdp"])
  func bodies(_ body: String) throws {
    for method in ["INVITE", "UPDATE"] {
      let call = WireCall.established(try ProxyDriver.with())
      let exchange = call.request(method, ["k: timer", "x: 7200"], body: body)
      exchange.expectForwarded([.change("x: 7200", to: "x: 1800")])
      exchange.answer(200, "OK").expectForwarded(RequestRow.v(1800))
      #expect(call.interval == 1800)
    }
  }

  /// A50: an UPDATE before the INVITE's final answer is a refresh of its own, with its own memory.
  @Test("UPDATE in an early dialog follows the table, and the INVITE keeps its own memory")
  func earlyUpdate() throws {
    let driver = try ProxyDriver.with()
    let call = WireCall(driver)
    let invite = call.invite(["Supported: timer"])
    invite.answer(180, "Ringing").expectForwarded()
    let update = call.request("UPDATE", ["Supported: timer", "Session-Expires: 500"])
    update.expectForwarded()
    update.answer(200, "OK").expectForwarded(RequestRow.v(500))
    #expect(driver.proxy.dialogCounts.early == 1)
    #expect(driver.active == 0)
    invite.answer(200, "OK").expectForwarded(RequestRow.v(1800))
    #expect(call.interval == 1800)
  }

  /// A51: what a UAS forced by its 2xx is not touched, and the next refresh with it is answered 422.
  @Test(
    "an interval that a callee forced is met with 422 at the next refresh",
    arguments: [RefreshKind.callerInvite, .callerUpdate])
  func forcedInterval(_ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with(minSE: 600)
    let call = WireCall(driver)
    call.invite(["Supported: timer", "Session-Expires: 1800"])
      .answer(200, "OK", ["Session-Expires: 90;refresher=uac", "Require: timer"]).expectForwarded()
    #expect(call.interval == 90)
    driver.advance(by: .seconds(45))
    kind.send(["Supported: timer", "Session-Expires: 90;refresher=uac"], on: call).expectRejected(minSE: 600)
    #expect(call.expiresIn == 45)
    kind.send(["Supported: timer", "Session-Expires: 600;refresher=uac", "Min-SE: 600"], on: call)
      .answer(200, "OK", ["Session-Expires: 600;refresher=uac"])
    #expect(call.expiresIn == 600)
  }

  /// A52: the same table for a dialog we do not know; its 2xx brings the dialog back (A92).
  @Test(
    "a refresh of an unknown dialog follows the table and its 2xx adopts the dialog",
    arguments: RequestRowTests.withTimer + RequestRowTests.withoutTimer, RefreshKind.midCall)
  func unknownDialog(_ row: RequestRow, _ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with(row.wanted, minSE: row.least)
    let call = WireCall(driver)
    let exchange = kind.send(row.rows, on: call)
    switch row.outcome {
    case .reject(let minSE):
      exchange.expectRejected(minSE: minSE)
      #expect(driver.active == 0)
    case .forward(let edits):
      exchange.expectForwarded(edits)
      #expect(driver.active == 0)
      exchange.answer(200, "OK").expectForwarded(row.answer)
      #expect(driver.active == 1)
      #expect(driver.proxy.dialogCounts.adopted == 1)
      #expect(call.dialog?.isAdopted == true)
      #expect((call.dialog?.interval != nil) == !row.answer.isEmpty)
    }
  }

  /// A52, A75, A76, A92: an adopted dialog is a dialog: copies of the 2xx move nothing, BYE ends it, and a
  /// copy behind the BYE does not adopt it again.
  @Test(
    "an adopted dialog expires, is refreshed and ends like any other",
    arguments: [RefreshKind.callerInvite, .calleeInvite])
  func adopted(_ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with()
    let call = WireCall(driver)
    let reply = kind.send(["k: timer", "x: 300"], on: call).answer(200, "OK")
    driver.advance(by: .seconds(10))
    #expect(reply.sendAgain().map(\.bytes) == [reply.forwarded?.bytes])
    #expect(call.expiresIn == 290)
    #expect(call.dialog?.refresher == .caller)  // Who refreshed it is taken for the caller.
    call.request("UPDATE", from: kind.sender.other, ["k: timer", "x: 400"]).answer(
      200, "OK", ["x: 400;refresher=uac"])
    #expect(call.expiresIn == 400)
    #expect(call.dialog?.refresher == .callee)
    call.request("BYE").answer(200, "OK").expectForwarded()
    #expect(driver.active == 0)
    #expect(reply.sendAgain().map(\.bytes) == [reply.forwarded?.bytes])
    #expect(driver.proxy.dialogCounts.adopted == 1)
    let again = kind.send(["k: timer", "x: 300"], on: call).answer(200, "OK")
    again.expectForwarded(RequestRow.v(300))
    #expect(driver.expires(in: 300))
  }

  /// A53: our retransmissions are the same octets.
  @Test("every retransmission of a forwarded refresh is byte-identical", arguments: RefreshKind.allCases)
  func retransmissions(_ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with()
    let exchange = kind.send(["k: timer", "x: 7200;refresher=uas"], on: kind.call(driver))
    let first = try #require(exchange.forwarded)
    #expect(first.value("x") == "1800;refresher=uas")
    // The client's own retransmission is absorbed and decides nothing again.
    #expect(exchange.sendAgain().allSatisfy { $0.status == 100 })
    let later = driver.advance(by: .seconds(20)).filter { $0.method == kind.method }
    let own = later.filter { $0.value("CSeq") == first.value("CSeq") }
    #expect(own.count >= 5)
    #expect(own.allSatisfy { $0.bytes == first.bytes })
    #expect(driver.proxy.counters[.sessionExpiresLowered] == 1)
  }
}
