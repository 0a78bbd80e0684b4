import CallState
import ProxyCore
import ProxySimulation
import Testing

/// One row of the request table with the octets that change, and V as the answer to a caller with timers
/// shows it.
struct RequestRow: Sendable, CustomStringConvertible {
  enum Outcome: Sendable {
    case forward([RowEdit])
    case reject(Int)
  }

  var name: String
  var rows: [String]
  var wanted: UInt32? = 1800
  var least: UInt32 = 90
  var outcome: Outcome
  /// The rows our answer for a callee without timers adds: V, or nothing.
  var answer: [RowEdit] = []

  var description: String { "\(name) \(rows) S=\(wanted.map { "\($0)" } ?? "off") M=\(least)" }

  /// V with T: Session-Expires and Require go into a 2xx that has neither.
  static func v(_ interval: Int) -> [RowEdit] {
    [.append("Session-Expires: \(interval);refresher=uac"), .append("Require: timer")]
  }
}

@Suite("RFC 4028 §8.1: the request on the wire, row by row")
struct RequestRowTests {
  private static let timer = "Supported: timer"
  private static let inserted = RowEdit.append("Session-Expires: 1800")

  private static func change(_ name: String, _ old: String, _ new: String) -> RowEdit {
    .change("\(name): \(old)", to: "\(name): \(new)")
  }

  private static func interval(_ old: String, _ new: String) -> RowEdit {
    change("Session-Expires", old, new)
  }

  static let withTimer: [RequestRow] = [
    RequestRow(name: "A22", rows: [timer], outcome: .forward([inserted]), answer: RequestRow.v(1800)),
    RequestRow(
      name: "A22", rows: [timer], wanted: 90, outcome: .forward([.append("Session-Expires: 90")]),
      answer: RequestRow.v(90)),
    RequestRow(
      name: "A23", rows: [timer, "Min-SE: 300"], outcome: .forward([inserted]), answer: RequestRow.v(1800)),
    RequestRow(
      name: "A23", rows: [timer, "Min-SE: 1800"], outcome: .forward([inserted]), answer: RequestRow.v(1800)),
    RequestRow(
      name: "A23", rows: [timer, "Min-SE: 100"], least: 600, outcome: .forward([inserted]),
      answer: RequestRow.v(1800)),
    RequestRow(
      name: "A24", rows: [timer, "Min-SE: 1801"], outcome: .forward([.append("Session-Expires: 1801")]),
      answer: RequestRow.v(1801)),
    RequestRow(
      name: "A24", rows: [timer, "Min-SE: 3600;kept=1"],
      outcome: .forward([.append("Session-Expires: 3600")]), answer: RequestRow.v(3600)),
    RequestRow(name: "A25", rows: [timer], wanted: nil, outcome: .forward([])),
    RequestRow(name: "A25", rows: [timer, "Min-SE: 300"], wanted: nil, outcome: .forward([])),
    RequestRow(name: "A26", rows: [timer, "Session-Expires: 89"], outcome: .reject(90)),
    RequestRow(name: "A26", rows: [timer, "Session-Expires: 0"], wanted: nil, outcome: .reject(90)),
    RequestRow(
      name: "A26", rows: [timer, "Session-Expires: 599;refresher=uas"], least: 600, outcome: .reject(600)),
    // Also when the request's own Min-SE is larger than ours.
    RequestRow(
      name: "A26", rows: [timer, "Session-Expires: 100", "Min-SE: 900"], least: 600, outcome: .reject(600)),
    RequestRow(
      name: "A27", rows: [timer, "Session-Expires: 120;refresher=uas;p", "Min-SE: 600"],
      outcome: .forward([interval("120;refresher=uas;p", "600;refresher=uas;p")]), answer: RequestRow.v(600)),
    RequestRow(
      name: "A27", rows: [timer, "Min-SE: 3600", "Session-Expires: 2000"],
      outcome: .forward([interval("2000", "3600")]), answer: RequestRow.v(3600)),
    RequestRow(
      name: "A28", rows: [timer, "Session-Expires: 1200;refresher=uac"], outcome: .forward([]),
      answer: RequestRow.v(1200)),
    RequestRow(
      name: "A28", rows: [timer, "Session-Expires: 1800"], outcome: .forward([]), answer: RequestRow.v(1800)),
    RequestRow(
      name: "A28", rows: [timer, "Session-Expires: 90", "Min-SE: 90"], outcome: .forward([]),
      answer: RequestRow.v(90)),
    RequestRow(
      name: "A28", rows: [timer, "Session-Expires: 86401"], wanted: nil, outcome: .forward([]),
      answer: RequestRow.v(86401)),
    RequestRow(
      name: "A29", rows: [timer, "Session-Expires: 7200;refresher=uac;a=b"],
      outcome: .forward([interval("7200;refresher=uac;a=b", "1800;refresher=uac;a=b")]),
      answer: RequestRow.v(1800)),
    RequestRow(
      name: "A29", rows: [timer, "Session-Expires: 7200", "Min-SE: 3600"],
      outcome: .forward([interval("7200", "3600")]), answer: RequestRow.v(3600)),
    RequestRow(
      name: "A29", rows: [timer, "Session-Expires: 3600", "Min-SE: 3600"], outcome: .forward([]),
      answer: RequestRow.v(3600)),
  ]

  static let withoutTimer: [RequestRow] = [
    RequestRow(name: "A30", rows: [], outcome: .forward([inserted])),
    RequestRow(name: "A30", rows: ["Supported: 100rel"], least: 600, outcome: .forward([inserted])),
    RequestRow(name: "A31", rows: ["Min-SE: 300"], outcome: .forward([inserted])),
    RequestRow(name: "A31", rows: ["Min-SE: 100"], least: 600, outcome: .forward([inserted])),
    RequestRow(
      name: "A31", rows: ["Min-SE: 3600"], outcome: .forward([.append("Session-Expires: 3600")])),
    RequestRow(name: "A32", rows: [], wanted: nil, outcome: .forward([])),
    RequestRow(name: "A32", rows: ["Min-SE: 300"], wanted: nil, outcome: .forward([])),
    RequestRow(
      name: "A33", rows: ["Session-Expires: 30;refresher=uac"],
      outcome: .forward([interval("30;refresher=uac", "90;refresher=uac"), .append("Min-SE: 90")])),
    RequestRow(
      name: "A33", rows: ["Session-Expires: 599"], least: 600,
      outcome: .forward([interval("599", "600"), .append("Min-SE: 600")])),
    RequestRow(
      name: "A34", rows: ["Session-Expires: 100", "Min-SE: 95 ;q=1"], least: 600,
      outcome: .forward([interval("100", "600"), change("Min-SE", "95 ;q=1", "600 ;q=1")])),
    RequestRow(
      name: "A34", rows: ["Min-SE: 599", "Session-Expires: 599"], wanted: nil, least: 600,
      outcome: .forward([interval("599", "600"), change("Min-SE", "599", "600")])),
    RequestRow(
      name: "A35", rows: ["Session-Expires: 100", "Min-SE: 900"], least: 600,
      outcome: .forward([interval("100", "900")])),
    RequestRow(
      name: "A35", rows: ["Session-Expires: 700", "Min-SE: 900"], least: 600,
      outcome: .forward([interval("700", "900")])),
    RequestRow(
      name: "A35", rows: ["Session-Expires: 100", "Min-SE: 600"], least: 600,
      outcome: .forward([interval("100", "600")])),
    RequestRow(name: "A36", rows: ["Session-Expires: 600"], least: 600, outcome: .forward([])),
    RequestRow(name: "A36", rows: ["Session-Expires: 1800;refresher=uas"], outcome: .forward([])),
    RequestRow(name: "A36", rows: ["Session-Expires: 86401"], wanted: nil, outcome: .forward([])),
    RequestRow(
      name: "A37", rows: ["Session-Expires: 1801;refresher=uas"],
      outcome: .forward([interval("1801;refresher=uas", "1800;refresher=uas")])),
    RequestRow(
      name: "A37", rows: ["Session-Expires: 7200", "Min-SE: 3600"],
      outcome: .forward([interval("7200", "3600")])),
  ]

  static let unreadable: [RequestRow] = [
    RequestRow(name: "A38", rows: [timer, "Session-Expires: soon"], outcome: .forward([])),
    RequestRow(
      name: "A38", rows: ["Session-Expires: soon", "Min-SE: 90"], least: 600, outcome: .forward([])),
    RequestRow(
      name: "A38", rows: [timer, "Session-Expires: 10", "Session-Expires: 10"], outcome: .forward([])),
  ]

  /// A1, A14, A22–A38, A40, A45, A46: every row for every kind of refresh; whole messages are compared. The
  /// answer without Session-Expires then shows what was remembered (A3, A69).
  @Test(
    "every row changes the octets it names and no other, for every kind of refresh",
    arguments: withTimer + withoutTimer + unreadable, RefreshKind.allCases)
  func row(_ row: RequestRow, _ kind: RefreshKind) throws {
    let driver = try ProxyDriver.with(row.wanted, minSE: row.least)
    let call = kind.call(driver)
    let exchange = kind.send(row.rows, on: call)
    switch row.outcome {
    case .reject(let minSE):
      exchange.expectRejected(minSE: minSE)
    case .forward(let edits):
      exchange.expectForwarded(edits)
      exchange.answer(200, "OK").expectForwarded(row.answer)
    }
    #expect(driver.proxy.auditDialogs() == nil)
  }
}
