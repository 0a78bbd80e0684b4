import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

@Suite("RFC 4028 §2, §4 and §8: which messages the rules are about")
struct ScopeTests {
  static let otherMethods = [
    "ACK", "BYE", "CANCEL", "OPTIONS", "PRACK", "REGISTER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "INFO", "REFER",
    "PUBLISH", "invite", "UPDATES", "WHATEVER",
  ]

  static let timerRows: [[String]] = [
    ["Supported: timer"],
    ["k: timer", "Session-Expires: 10;refresher=uac", "Min-SE: 5"],
    ["x : 999999 ; refresher=uas", "Min-SE:\r\n soon"],
    ["Session-Expires: 0", "Session-Expires: none", "Require: timer", "Min-SE: 90"],
  ]

  /// A2, A39, A4: whatever such a request carries leaves octet for octet; nothing is added. ACK and the stray
  /// CANCEL are forwarded without a transaction, the others with one.
  @Test("other methods pass with the fields they have", arguments: otherMethods, timerRows)
  func otherMethodsPass(_ method: String, _ rows: [String]) throws {
    let driver = try ProxyDriver.with(minSE: 600)
    let call = WireCall.timed(driver, "1000;refresher=uac")
    for sender in Party.allCases {
      call.request(method, from: sender, rows, body: "v=0\r\n").expectForwarded()
    }
    #expect(call.interval == 1000)
    if method != "ACK", method != "CANCEL", method != "BYE" {
      WireCall(driver, callID: "outside").request(method, rows, inDialog: false).expectForwarded()
    }
  }

  /// A2: the CANCEL and the ACK that we write ourselves carry neither field.
  @Test("our own CANCEL and ACK carry no session timer")
  func ownRequests() throws {
    let driver = try ProxyDriver.with()
    let call = WireCall(driver)
    let invite = call.invite(["Supported: timer", "Session-Expires: 1200", "Min-SE: 100"])
    invite.answer(180, "Ringing")
    let cancel = driver.deliver(
      wire([
        "CANCEL \(Party.callee.uri) SIP/2.0",
        "Via: SIP/2.0/UDP \(Party.caller.address);branch=\(invite.branch)", "Max-Forwards: 70",
        invite.fromRow, invite.toRow, "Call-ID: \(call.callID)", "CSeq: \(invite.cSeq) CANCEL",
        "Session-Expires: 1200", "Supported: timer",
      ]), from: Party.caller.address)
    let sent = cancel + invite.answer(487, "Request Terminated").sent
    #expect(sent.compactMap(\.method).sorted() == ["ACK", "CANCEL"])
    for message in sent {
      #expect(message.values("Session-Expires") + message.values("Min-SE") + message.values("x") == [])
    }
  }

  /// A3: the memory lives until the server transaction ends, 64*T1 after the first 2xx (Timer L).
  @Test("a fork that answers just before Timer L still gets what was remembered")
  func lateFork() throws {
    let driver = try ProxyDriver.with()
    let call = WireCall(driver)
    let invite = call.invite(["Supported: timer", "Session-Expires: 777"])
    invite.answer(200, "OK").expectForwarded(RequestRow.v(777))
    driver.advance(by: .milliseconds(31_900))
    invite.answer(200, "OK", tag: "late").expectForwarded(RequestRow.v(777))
    #expect(driver.active == 2)
    driver.advance(by: .milliseconds(200))
    #expect(invite.answer(200, "OK", tag: "too-late").sent.isEmpty)
    #expect(driver.active == 2)
  }

  /// A5: whoever asks must see the refreshes; in a dialog the row helps an endpoint that lost its state.
  @Test("every INVITE and UPDATE that we forward is record-routed", arguments: RefreshKind.allCases)
  func recordRoute(_ kind: RefreshKind) throws {
    for wanted in [1800, nil] as [UInt32?] {
      let driver = try ProxyDriver.with(wanted)
      let forwarded = try #require(kind.send(["Supported: timer"], on: kind.call(driver)).forwarded)
      #expect(forwarded.values("Record-Route").count == 1)
      #expect(forwarded.value("Record-Route")?.hasPrefix("<sip:192.0.2.10:5060;lr;ck=") == true)
    }
  }

  /// A6, A8: M below 90 and S below M are refused before anything runs.
  @Test(
    "a policy that RFC 4028 forbids makes no proxy",
    arguments: [(1800, 89), (1800, 0), (nil, 89), (89, 90), (599, 600)] as [(UInt32?, UInt32)])
  func refusedPolicies(_ wanted: UInt32?, _ least: UInt32) {
    #expect(throws: (any Error).self) { try ProxyDriver.with(wanted, minSE: least) }
  }

  /// A7: a small S is allowed, and used.
  @Test("S below 1800 works, down to 90")
  func smallInterval() throws {
    let call = WireCall(try ProxyDriver.with(90))
    let invite = call.invite(["Supported: timer"])
    invite.expectForwarded([.append("Session-Expires: 90")])
    invite.answer(200, "OK").expectForwarded(RequestRow.v(90))
    #expect(call.driver.expires(in: 90))
  }

  /// A9: any interval that others agree on is kept, to the second.
  @Test("every interval of others is handled", arguments: [91, 100, 1799, 3601, 16_384, 40_000, 86_399])
  func intervals(_ seconds: Int64) throws {
    let call = WireCall(try ProxyDriver.with(nil))
    let invite = call.invite(["k: timer", "x: \(seconds);refresher=uac"])
    invite.expectForwarded()
    invite.answer(200, "OK", ["x: \(seconds);refresher=uac"]).expectForwarded()
    #expect(call.interval == UInt32(seconds))
    #expect(call.driver.expires(in: seconds))
  }

  /// A10: whoever of UAC, proxy and UAS asks gets a timer; nobody asking leaves the session without one.
  @Test(
    "a timer runs when any of the three asks, and none when nobody does",
    arguments: [
      (nil, ["Supported: timer", "Session-Expires: 500"], [], 500),
      (1800, ["Supported: timer"], [], 1800),
      (nil, [], ["Session-Expires: 700;refresher=uas"], 700),
      (nil, ["Supported: timer"], ["Session-Expires: 800;refresher=uac", "Require: timer"], 800),
      (nil, ["Supported: timer"], [], nil),
      (nil, [], [], nil),
      (1800, [], [], nil),
    ] as [(UInt32?, [String], [String], UInt32?)])
  func whoAsks(_ wanted: UInt32?, _ request: [String], _ answer: [String], _ expected: UInt32?) throws {
    let call = WireCall(try ProxyDriver.with(wanted))
    call.invite(request).answer(200, "OK", answer).acknowledge()
    #expect(call.interval == expected)
    #expect(call.driver.proxy.dialogCounts.timed == (expected == nil ? 0 : 1))
    #expect(call.driver.proxy.dialogCounts.untimed == (expected == nil ? 1 : 0))
  }
}
