import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

@Suite("RFC 4028 §11: session timers against an attacker")
struct TimerSecurityTests {
  /// A98: with T a low interval is refused and Min-SE never appears downstream; without T it is the reverse.
  @Test(
    "a low interval meets 422 with timer support and Min-SE without", arguments: RefreshKind.allCases,
    [0, 1, 89, 599])
  func lowInterval(_ kind: RefreshKind, _ seconds: Int) throws {
    let driver = try ProxyDriver.with(minSE: 600)
    kind.send(["x: \(seconds)", "k: timer"], on: kind.call(driver)).expectRejected(minSE: 600)
    let other = try ProxyDriver.with(minSE: 600)
    let exchange = kind.send(["x: \(seconds)"], on: kind.call(other))
    exchange.expectForwarded([.change("x: \(seconds)", to: "x: 600"), .append("Min-SE: 600")])
    #expect(other.proxy.counters[.answered422] == 0)
  }

  /// A98: a large Min-SE that a stranger wrote into a request cannot be turned against the caller: with T it
  /// is not taken for ours, and the 422 names ours.
  @Test("the 422 names our minimum and not the one in the request", arguments: ["86400", "4294967296", "x"])
  func foreignMinSE(_ minSE: String) throws {
    WireCall(try ProxyDriver.with(minSE: 600)).invite(["k: timer", "x: 100", "Min-SE: \(minSE)"])
      .expectRejected(minSE: 600)
  }

  /// A99: a flood of tiny intervals costs one answer each, makes no dialog, reaches nobody, and leaves
  /// nothing.
  @Test("a flood of tiny intervals costs one answer each", arguments: ["INVITE", "UPDATE"])
  func flood(_ method: String) throws {
    let driver = try ProxyDriver.with()
    for number in 0..<300 {
      let call = WireCall(driver, callID: "flood\(number)")
      let exchange = call.request(method, ["k: timer", "x: \(number % 90)"], inDialog: method == "UPDATE")
      exchange.expectRejected(minSE: 90)
      if method == "INVITE" {
        _ = exchange.acknowledgeFailure(to: exchange.ownAnswer?.value("To") ?? "")
      }
    }
    #expect(driver.proxy.dialogCounts == DialogCounts())
    #expect(driver.proxy.clientTransactionCount == 0)
    #expect(driver.proxy.counters[.answered422] == 300)
    #expect(driver.advance(by: .seconds(60)).isEmpty)
    #expect(driver.proxy.serverTransactionCount == 0)
    #expect(driver.proxy.storedTransactionBytes == 0)
  }

  /// A100: what others signed or encrypted is not ours to touch: Identity and the fields it covers, Date, a
  /// binary body with a signature, rows that nobody knows.
  @Test(
    "a request whose session fields were changed is unchanged otherwise", arguments: ["INVITE", "UPDATE"])
  func protectedContent(_ method: String) throws {
    let call = WireCall.established(try ProxyDriver.with())
    let rows = [
      "Date:  Thu, 21 Feb 2002  13:02:03 GMT",
      "Identity: eyJhbGciOiJFUzI1NiJ9..sig;info=<https://c.example/1>;alg=ES256",
      "MIME-Version: 1.0", "x: 7200", "Session-ID: a;remote=b",
      "Contact : <sip:other@203.0.113.5:5062>;+sip.x=\"<1>\"",
      "Session-Expiresx: 1", "X-Session-Expires: 3", "Min-SE-Extra: 1", "Unknown:\r\n\tfolded\r\n   twice",
    ]
    let body =
      "--b\r\nContent-Type: application/pkcs7-signature\r\n\r\n\u{1}\u{0}\u{80}x: 7200\r\nMin-SE: 1\r\n--b--"
    let exchange = call.request(method, rows + ["k: timer"], body: body)
    exchange.expectForwarded([.change("x: 7200", to: "x: 1800")])
    #expect(exchange.forwarded?.body == Array(body.utf8))
  }

  /// A71, A99: the attacker as callee: an interval of no time ends the record at once and sends nothing.
  @Test("a callee that answers with a tiny interval loses only its own record", arguments: [0, 1, 5])
  func tinyAnswer(_ seconds: Int64) throws {
    let driver = try ProxyDriver.with()
    WireCall.established(driver, callID: "bystander")
    let call = WireCall(driver, callID: "victim")
    let invite = call.invite(["k: timer"])
    let reply = invite.answer(200, "OK", ["x: \(seconds);refresher=uac"])
    reply.expectForwarded()
    #expect(driver.advance(by: .seconds(seconds + 1)).isEmpty)
    #expect(driver.active == 1)
    // A copy of that 2xx passes, and does not bring the record back.
    #expect(reply.sendAgain().map(\.bytes) == [reply.forwarded?.bytes])
    #expect(driver.active == 1)
    reply.acknowledge()
    call.request("INFO").expectForwarded()
  }

  /// A74, F1: a response cannot reach a dialog it does not belong to: another call's tags, or no tags, set no
  /// timer.
  @Test("a 2xx with foreign tags sets no timer on a call that is up")
  func foreignTags() throws {
    let driver = try ProxyDriver.with()
    let call = WireCall.timed(driver, "900;refresher=uac", callID: "shared@example.com")
    let attacker = WireCall(driver, callID: "shared@example.com")
    attacker.callerTag = "z"
    attacker.calleeTag = "y"
    attacker.follow(call.route)
    attacker.request("UPDATE", ["k: timer", "x: 90"]).answer(200, "OK", ["x: 90;refresher=uac"])
    #expect(call.interval == 900)
    driver.advance(by: .seconds(95))
    #expect(call.expiresIn == 805)
  }
}
