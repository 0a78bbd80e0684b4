import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

/// One row of the response table: what was asked, what comes back, and what goes upstream.
struct ResponseRow: Sendable, CustomStringConvertible {
  var name: String
  var request: [String]
  var wanted: UInt32? = 1800
  var honorsRefresherUAS = false
  var answer: [String] = []
  var edits: [RowEdit] = []
  /// The session timer afterwards; nil for none.
  var interval: UInt32?
  /// Who refreshes, in words of the transaction.
  var refresher: String?

  var description: String {
    "\(name) \(request) S=\(wanted.map { "\($0)" } ?? "off") 8926=\(honorsRefresherUAS) 2xx \(answer)"
  }
}

@Suite("RFC 4028 §8.2: the response on the wire, row by row")
struct ResponseRowTests {
  private static let timer = "Supported: timer"

  static let present: [ResponseRow] = [
    ResponseRow(
      name: "A61", request: [timer], answer: ["Session-Expires: 1800;refresher=uas", "Require: timer"],
      interval: 1800, refresher: "uas"),
    ResponseRow(
      name: "A61", request: [timer, "Session-Expires: 7200;refresher=uac"],
      answer: ["Require: timer", "x : 1200 ;refresher=UAC;keep"], interval: 1200, refresher: "uac"),
    ResponseRow(name: "A61", request: [], answer: ["x: 300;refresher=uas"], interval: 300, refresher: "uas"),
    ResponseRow(
      name: "A61", request: [timer], wanted: nil, answer: ["Session-Expires:\r\n 400;refresher=uac"],
      interval: 400, refresher: "uac"),
    // Without Require although the caller must refresh: not ours to mend (A71).
    ResponseRow(
      name: "A61", request: [timer, "x: 600;refresher=uas"], answer: ["x: 600;refresher=uac"],
      interval: 600, refresher: "uac"),
    ResponseRow(name: "A61", request: [timer], answer: ["x: 90"], interval: 90),
  ]

  static let absent: [ResponseRow] = [
    ResponseRow(name: "A62", request: [timer], wanted: nil),
    ResponseRow(name: "A62", request: [], wanted: nil, answer: ["Require: 100rel"]),
    ResponseRow(name: "A62", request: [timer, "Session-Expires: soon"], answer: ["Min-SE: 500"]),
    ResponseRow(name: "A63", request: []),
    ResponseRow(name: "A63", request: ["Session-Expires: 1200;refresher=uac"], answer: ["Require: timer"]),
    ResponseRow(name: "A63", request: ["Session-Expires: 30"]),
    ResponseRow(
      name: "A64", request: [timer], edits: RequestRow.v(1800), interval: 1800, refresher: "uac"),
    ResponseRow(
      name: "A64", request: [timer, "Session-Expires: 7200;refresher=uac"], edits: RequestRow.v(1800),
      interval: 1800, refresher: "uac"),
    ResponseRow(
      name: "A64", request: [timer, "x: 100", "Min-SE: 2500"], edits: RequestRow.v(2500), interval: 2500,
      refresher: "uac"),
    ResponseRow(
      name: "A64", request: [timer, "x: 400;refresher=uac"], wanted: nil, honorsRefresherUAS: true,
      answer: ["Min-SE: 700"], edits: RequestRow.v(400), interval: 400, refresher: "uac"),
    ResponseRow(
      name: "A65", request: [timer, "x: 400;refresher=uas"], edits: RequestRow.v(400), interval: 400,
      refresher: "uac"),
    ResponseRow(
      name: "A65", request: [timer, "x: 400;refresher=UAS"], honorsRefresherUAS: true),
    ResponseRow(
      name: "A65", request: [timer, "x: 7200;refresher=uas"], edits: RequestRow.v(1800), interval: 1800,
      refresher: "uac"),
    ResponseRow(name: "A66", request: [timer], answer: ["Session-Expires: soon"]),
    ResponseRow(name: "A66", request: [timer], answer: ["x: 600;refresher=uac", "x: 600;refresher=uac"]),
  ]

  /// A61–A66, A69, A71, A73, A77, A78: whole messages are compared, and the record after them, on a new call
  /// and on one whose timer was running.
  @Test(
    "every row gives the octets and the timer it names, for every kind of refresh",
    arguments: present + absent, RefreshKind.confirming)
  func row(_ row: ResponseRow, _ kind: RefreshKind) throws {
    for runs in kind.isMidCall ? [false, true] : [false] {
      let driver = try ProxyDriver.with(row.wanted, honorsRefresherUAS: row.honorsRefresherUAS)
      let call = runs ? kind.timedCall(driver, "5000;refresher=uas") : kind.call(driver)
      let exchange = kind.send(row.request, on: call)
      let reply = exchange.answer(200, "OK", row.answer)
      reply.expectForwarded(row.edits)
      #expect(call.interval == row.interval)
      let uac: DialogSide = kind.sender == .caller ? .caller : .callee
      let uas: DialogSide = kind.sender == .caller ? .callee : .caller
      #expect(call.dialog?.refresher == (row.refresher == "uac" ? uac : row.refresher == "uas" ? uas : nil))
      #expect(driver.active == 1)
      #expect(driver.proxy.auditDialogs() == nil)
      if let interval = row.interval { #expect(driver.expires(in: Int64(interval))) }
    }
  }

  static let failures = [300, 302, 400, 404, 407, 408, 420, 422, 481, 486, 488, 491, 500, 503, 504, 600, 603]

  /// A67, A79, A80: a failure passes as it came, and what runs runs on. A 481 ends the dialog (group F), a
  /// 503 and a 408 to UPDATE do not pass.
  @Test("a failure inserts nothing and leaves the expiration", arguments: failures, RefreshKind.midCall)
  func failure(_ status: Int, _ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with()
    let call = kind.timedCall(driver, "900;refresher=uac")
    driver.advance(by: .seconds(300))
    let exchange = kind.send(["Supported: timer", "x: 1200"], on: call)
    let reply = exchange.answer(status, "No", ["Session-Expires: 60", "Min-SE: 77", "Require: other"])
    switch (status, kind.method) {
    case (503, _): #expect(reply.forwarded?.status == 500)
    case (408, "UPDATE"): #expect(reply.sent.isEmpty)
    default: reply.expectForwarded()
    }
    if status == 481 {
      #expect(driver.active == 0)
    } else {
      #expect(call.expiresIn == 600)
      #expect(driver.expires(in: 600))
    }
  }

  /// A68: provisional responses pass as they came; the timer waits for the final one.
  @Test(
    "a provisional response inserts nothing and sets no timer",
    arguments: [101, 180, 183, 199], [RefreshKind.firstInvite, .callerInvite, .calleeInvite])
  func provisional(_ status: Int, _ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with()
    let call = kind.isMidCall ? kind.timedCall(driver, "900;refresher=uac") : WireCall(driver)
    let exchange = kind.send(["Supported: timer"], on: call)
    exchange.answer(status, "Wait").expectForwarded()
    exchange.answer(status, "Wait", ["Session-Expires: 100;refresher=uac", "Require: timer"])
      .expectForwarded()
    #expect(call.interval == (kind.isMidCall ? 900 : nil))
    exchange.answer(200, "OK").expectForwarded(RequestRow.v(1800))
    #expect(call.interval == 1800)
  }

  /// A71: nothing about a received value is mended.
  @Test(
    "a received Session-Expires is never changed",
    arguments: [
      "0", "1", "59", "89;refresher=uac", "1801", "999999;refresher=uas", "1800", "600;refresher=none",
      "600 ; a=b;refresher=uas", "00600;refresher=uac", "4294967296;refresher=uac",
    ])
  func receivedValues(_ value: String) throws {
    let requests = [
      ["k: timer", "x: 600"], ["k: timer", "x: 600;refresher=uas", "Min-SE: 600"], ["k: timer"], ["x: 600"],
      [],
    ]
    for rows in requests {
      WireCall(try ProxyDriver.with()).invite(rows).answer(200, "OK", ["Session-Expires: \(value)"])
        .expectForwarded()
    }
  }

  /// A70: the tag joins the first row that is there; a tag already listed is not listed twice.
  @Test(
    "timer is added to Require once",
    arguments: [
      (["Require: 100rel"], [RowEdit.change("Require: 100rel", to: "Require: 100rel, timer")]),
      (
        ["require :100rel,\r\n  precondition \t"],
        [.change("require :100rel,\r\n  precondition \t", to: "require :100rel,\r\n  precondition, timer \t")]
      ),
      (["Require: a", "Require: b"], [.change("Require: a", to: "Require: a, timer")]),
      (["Require: timer"], []), (["Require: 100rel , TIMER"], []), (["Require: a", "REQUIRE: Timer"], []),
      (["Require: timers"], [.change("Require: timers", to: "Require: timers, timer")]),
      (["Require:"], [.append("Require: timer")]), ([], [.append("Require: timer")]),
    ])
  func requireRows(_ rows: [String], _ edits: [RowEdit]) throws {
    for status in [200, 202, 299] {
      let invite = WireCall(try ProxyDriver.with()).invite(["Supported: timer"])
      invite.answer(status, "Fine", rows)
        .expectForwarded([.append("Session-Expires: 1800;refresher=uac")] + edits)
    }
  }
}
