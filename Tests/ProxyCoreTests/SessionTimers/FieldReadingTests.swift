import CallState
import ProxyCore
import ProxySimulation
import Testing

@Suite("RFC 4028 §4 and §5: reading Session-Expires and Min-SE")
struct FieldReadingTests {
  /// A11, A12: a name in any form is found, and the row that is there is edited; none is added beside it.
  @Test(
    "long and compact names in any letter case are the same field",
    arguments: ["Session-Expires", "session-expires", "SESSION-EXPIRES", "x", "X"],
    [":", ": ", " : ", "\t:\t", ":\r\n "])
  func names(_ name: String, _ colon: String) throws {
    let call = WireCall(try ProxyDriver.with())
    let row = "\(name)\(colon)7200;refresher=uac"
    let exchange = call.invite([row, "Supported: timer"])
    exchange.expectForwarded([.change(row, to: "\(name)\(colon)1800;refresher=uac")])
    // A72: and in the answer it counts as present: nothing is added.
    exchange.answer(200, "OK", ["\(name)\(colon)700"]).expectForwarded()
    #expect(call.interval == 700)
  }

  /// A11: Min-SE has no compact form, but any letter case.
  @Test("Min-SE is found in any letter case", arguments: ["Min-SE", "min-se", "MIN-SE", "mIN-sE"])
  func minSENames(_ name: String) throws {
    let call = WireCall(try ProxyDriver.with(minSE: 600))
    let exchange = call.invite(["Session-Expires: 100", "\(name): 90"])
    exchange.expectForwarded([
      .change("Session-Expires: 100", to: "Session-Expires: 600"),
      .change("\(name): 90", to: "\(name): 600"),
    ])
  }

  /// A13, A14: everything but the digits keeps its octets.
  @Test(
    "only the digits change, whatever stands around them",
    arguments: [
      ("", ";refresher=uas"), ("", " ; refresher = uac"), ("", ";a=b;REFRESHER=UaC;c=\"q;x,y\""),
      ("", ";flag;other"), ("", "\r\n ;refresher=uac"), ("", ";\r\n\trefresher=uac \r\n ; z=1"),
      ("\r\n ", ";refresher=uas"), ("", "\t;x=[2001:db8::1]"), ("  ", "  "),
    ])
  func parameters(_ before: String, _ behind: String) throws {
    for (digits, raised) in [("7200", "1800"), ("0000007200", "1800")] {
      let exchange = WireCall(try ProxyDriver.with()).invite([
        "Session-Expires: \(before)\(digits)\(behind)", "Supported: timer",
      ])
      exchange.expectForwarded([
        .change(
          "Session-Expires: \(before)\(digits)\(behind)", to: "Session-Expires: \(before)\(raised)\(behind)")
      ])
    }
    let minSE = WireCall(try ProxyDriver.with(minSE: 600)).invite([
      "Min-SE: \(before)095\(behind)", "Session-Expires:400",
    ])
    minSE.expectForwarded([
      .change("Min-SE: \(before)095\(behind)", to: "Min-SE: \(before)600\(behind)"),
      .change("Session-Expires:400", to: "Session-Expires:600"),
    ])
  }

  /// A15: leading zeros count for nothing; digits that need no change keep them.
  @Test("0090 is 90 and 000089 is 89")
  func leadingZeros() throws {
    let driver = try ProxyDriver.with()
    WireCall(driver).invite(["Supported: timer", "Session-Expires: 0090"]).expectForwarded()
    WireCall(driver, callID: "two").invite(["Supported: timer", "Session-Expires: 000089"])
      .expectRejected(minSE: 90)
    let answered = WireCall(driver, callID: "three")
    answered.invite().answer(200, "OK", ["Session-Expires: 000000000000000000600;refresher=uas"])
      .expectForwarded()
    #expect(answered.interval == 600)
  }

  /// A16: numbers beyond 32 bits count as 2**32-1 and keep their text unless a rule changes the value.
  @Test("a huge number saturates", arguments: ["4294967295", "4294967296", "99999999999999999999999999"])
  func huge(_ number: String) throws {
    let asking = WireCall(try ProxyDriver.with())
    asking.invite(["Supported: timer", "Session-Expires: \(number)"])
      .expectForwarded([.change("Session-Expires: \(number)", to: "Session-Expires: 1800")])
    let off = WireCall(try ProxyDriver.with(nil))
    let exchange = off.invite(["Supported: timer", "Session-Expires: \(number)", "Min-SE: \(number)"])
    exchange.expectForwarded()
    exchange.answer(200, "OK", ["x: \(number);refresher=uac"]).expectForwarded()
    #expect(off.interval == UInt32.max)
    #expect(off.dialog?.isCapped == true)
    // S off, m above 32 bits, s below it: raised to the saturated number (A27).
    WireCall(try ProxyDriver.with(nil)).invite([
      "Supported: timer", "Session-Expires: 100", "Min-SE: 4294967296",
    ]).expectForwarded([.change("Session-Expires: 100", to: "Session-Expires: 4294967295")])
  }

  static let unreadable: [[String]] = [
    ["Session-Expires:"], ["Session-Expires: -1"], ["Session-Expires: +1800"], ["Session-Expires: abc"],
    ["Session-Expires: ;refresher=uac"], ["x: 1800,1800"], ["Session-Expires: 1800x"],
    ["Session-Expires: 1800 1800"], ["Session-Expires: 0x708"], ["Session-Expires: 1800;"],
    ["Session-Expires: 1800;refresher=uac;refresher=uas"], ["Session-Expires: \"1800\""],
    ["Session-Expires: 1800", "Session-Expires: 1800"], ["Session-Expires: 1800", "x: 7200"],
    ["Session-Expires: 1800", "Session-Expires: none"],
  ]

  /// A17, A38, A66: an unreadable or repeated field is left alone, in a request and in its answer.
  @Test("a malformed or repeated Session-Expires is opaque", arguments: unreadable, RefreshKind.confirming)
  func opaque(_ rows: [String], _ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with(minSE: 600)
    let call = kind.call(driver)
    let exchange = kind.send(rows + ["Supported: timer"], on: call)
    exchange.expectForwarded()
    #expect(driver.proxy.counters[.sessionTimerFieldsOpaque] == 1)
    exchange.answer(200, "OK").expectForwarded()
    #expect(driver.proxy.dialogCounts.untimed == 1)
    // In the answer to a request that asked.
    let asking = kind.send(["Supported: timer"], on: kind.call(try ProxyDriver.with()))
    asking.answer(200, "OK", rows).expectForwarded()
    #expect(asking.call.driver.proxy.dialogCounts.untimed == 1)
    #expect(asking.call.driver.proxy.dialogCounts.unreadable == 1)
    #expect(asking.call.driver.proxy.counters[.sessionTimerFieldsOpaque] == 1)
  }

  /// A18: counts as 90, is counted, stays with T, and gives way to one row when Min-SE must be raised.
  @Test(
    "a malformed or repeated Min-SE counts as 90",
    arguments: [["Min-SE: soon"], ["Min-SE:"], ["Min-SE: 900", "Min-SE: 950"], ["Min-SE: 900,950"]])
  func malformedMinSE(_ rows: [String]) throws {
    let removed = rows.map { RowEdit.remove($0) }
    WireCall(try ProxyDriver.with(minSE: 600)).invite(["Session-Expires: 100"] + rows)
      .expectForwarded(
        removed + [.change("Session-Expires: 100", to: "Session-Expires: 600"), .append("Min-SE: 600")])
    WireCall(try ProxyDriver.with()).invite(["Session-Expires: 30"] + rows)
      .expectForwarded([.change("Session-Expires: 30", to: "Session-Expires: 90")])
    WireCall(try ProxyDriver.with()).invite(["Session-Expires: 100"] + rows).expectForwarded()
    WireCall(try ProxyDriver.with()).invite(["Session-Expires: 100", "k: timer"] + rows).expectForwarded()
    let last = WireCall(try ProxyDriver.with())
    last.invite(["k: timer"] + rows).expectForwarded([.append("Session-Expires: 1800")])
    #expect(last.driver.proxy.counters[.sessionTimerFieldsOpaque] == 1)
  }

  /// A19: a Min-SE below 90 counts as 90 and stays with T.
  @Test("Min-SE below 90 counts as 90", arguments: [0, 1, 45, 89])
  func smallMinSE(_ seconds: Int) throws {
    WireCall(try ProxyDriver.with()).invite(["Supported: timer", "Min-SE: \(seconds)", "x: 90"])
      .expectForwarded()
    WireCall(try ProxyDriver.with(90)).invite(["Supported: timer", "Min-SE: \(seconds)"])
      .expectForwarded([.append("Session-Expires: 90")])
    WireCall(try ProxyDriver.with()).invite(["Min-SE: \(seconds)", "x: 60"])
      .expectForwarded([.change("x: 60", to: "x: 90")] + [.change("Min-SE: \(seconds)", to: "Min-SE: 90")])
  }

  /// A20: an unknown refresher passes and counts as absent: the caller refreshes what we answer (A64).
  @Test(
    "an unknown refresher is forwarded and counts as absent",
    arguments: ["refresher=both", "refresher", "refresher=", "refresher=\"uas\"", "Refresher=UA"])
  func unknownRefresher(_ parameter: String) throws {
    let row = "Session-Expires: 1000;\(parameter)"
    guard parameter != "refresher=" else {
      // A parameter that ends with its equals sign is malformed: A17.
      WireCall(try ProxyDriver.with()).invite(["Supported: timer", row]).expectForwarded()
      return
    }
    let call = WireCall(try ProxyDriver.with(honorsRefresherUAS: true))
    let exchange = call.invite(["Supported: timer", row])
    exchange.expectForwarded()
    exchange.answer(200, "OK").expectForwarded(RequestRow.v(1000))
    #expect(call.dialog?.refresher == .caller)
    #expect(call.driver.proxy.counters[.refresherUnknown] == 1)
    let answered = WireCall(try ProxyDriver.with())
    answered.invite(["Supported: timer"]).answer(200, "OK", [row]).expectForwarded()
    #expect(answered.interval == 1000)
    #expect(answered.dialog?.refresher == nil)
    #expect(answered.driver.proxy.counters[.refresherUnknown] == 1)
  }

  /// A11, A21: T is the token `timer` in a Supported list, in any row, and nothing else.
  @Test(
    "T is the option tag timer, as a token",
    arguments: [
      (["Supported: timer"], true), (["k: timer"], true), (["K:TIMER"], true), (["SUPPORTED : Timer"], true),
      (["Supported: 100rel, timer, replaces"], true), (["Supported: 100rel", "Supported: timer"], true),
      (["k: 100rel", "Supported: path,\r\n timer"], true),
      (["Supported: timers"], false), (["Supported: xtimer"], false), (["Supported: \"timer\""], false),
      (["Supported: timer;x"], false), (["Supported:"], false), (["Supported: 100rel timer"], false),
      (["Unsupported: timer"], false), (["Require: timer"], false), (["X-Supported: timer"], false),
      ([], false),
    ])
  func optionTag(_ rows: [String], _ isTimer: Bool) throws {
    let exchange = WireCall(try ProxyDriver.with()).invite(rows + ["Session-Expires: 30"])
    if isTimer {
      exchange.expectRejected(minSE: 90)
    } else {
      exchange.expectForwarded([
        .change("Session-Expires: 30", to: "Session-Expires: 90"), .append("Min-SE: 90"),
      ])
    }
  }
}
