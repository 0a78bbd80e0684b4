/// The request table once more, as plain as it can be: one entry a row, its columns copied into predicates,
/// no sharing and no order. `RequestPropertyTests` expects exactly one row to match every input.
struct NaiveRow: Sendable {
  let name: String
  let matches: @Sendable (Columns) -> Bool
  /// nil rejects with M; otherwise what Session-Expires and Min-SE become and what is remembered.
  let result: @Sendable (Columns) -> NaiveResult?
}

/// What Session-Expires and Min-SE become, and V (nil when not asked).
typealias NaiveResult = (interval: Field, minSE: Field, remembered: Int?)

/// The columns, with m already 90 where the table says so.
struct Columns {
  let timer: Bool
  let interval: Field
  let minSE: Field
  let wanted: Int?
  let least: Int

  init(_ input: RequestInput) {
    timer = input.timer
    interval = input.interval
    minSE = input.minSE
    wanted = input.wanted.map(Int.init)
    least = Int(input.least)
  }

  /// s where there is one.
  var s: Int? { if case .value(let seconds) = interval { Int(seconds) } else { nil } }
  /// m, 90 by default (RFC 4028 §5).
  var m: Int { if case .value(let seconds) = minSE { seconds < 90 ? 90 : Int(seconds) } else { 90 } }
  /// m as it is written, below 90 or not; 90 when absent or unreadable.
  var writtenM: Int { if case .value(let seconds) = minSE { Int(seconds) } else { 90 } }
  var hasMinSE: Bool { minSE != .none }
}

private func seconds(_ value: Int) -> Field { .value(UInt32(value)) }

let naiveTable: [NaiveRow] = [
  NaiveRow(
    name: "A22", matches: { $0.timer && $0.interval == .none && !$0.hasMinSE && $0.wanted != nil },
    result: { (seconds($0.wanted ?? 0), $0.minSE, $0.wanted) }),
  NaiveRow(
    name: "A23",
    matches: { row in
      row.timer && row.interval == .none && row.hasMinSE && row.wanted.map { $0 >= row.m } == true
    },
    result: { (seconds($0.wanted ?? 0), $0.minSE, $0.wanted) }),
  NaiveRow(
    name: "A24",
    matches: { row in
      row.timer && row.interval == .none && row.hasMinSE && row.wanted.map { $0 < row.m } == true
    },
    result: { (seconds($0.m), $0.minSE, $0.m) }),
  NaiveRow(
    name: "A25", matches: { $0.timer && $0.interval == .none && $0.wanted == nil },
    result: { (.none, $0.minSE, nil) }),
  NaiveRow(
    name: "A26", matches: { row in row.timer && row.s.map { $0 < row.least } == true }, result: { _ in nil }),
  NaiveRow(
    name: "A27", matches: { row in row.timer && row.s.map { row.least <= $0 && $0 < row.m } == true },
    result: { (seconds($0.m), $0.minSE, $0.m) }),
  NaiveRow(
    name: "A28",
    matches: { row in
      row.timer
        && row.s.map { $0 >= row.least && $0 >= row.m && (row.wanted == nil || $0 <= row.wanted ?? 0) }
          == true
    },
    result: { ($0.interval, $0.minSE, $0.s) }),
  NaiveRow(
    name: "A29",
    matches: { row in
      row.timer && row.wanted != nil
        && row.s.map { $0 >= row.least && $0 >= row.m && $0 > row.wanted ?? 0 } == true
    },
    result: { (seconds(max($0.wanted ?? 0, $0.m)), $0.minSE, max($0.wanted ?? 0, $0.m)) }),
  NaiveRow(
    name: "A30", matches: { !$0.timer && $0.interval == .none && !$0.hasMinSE && $0.wanted != nil },
    result: { (seconds($0.wanted ?? 0), .none, $0.wanted) }),
  NaiveRow(
    name: "A31", matches: { !$0.timer && $0.interval == .none && $0.hasMinSE && $0.wanted != nil },
    result: { (seconds(max($0.wanted ?? 0, $0.m)), $0.minSE, max($0.wanted ?? 0, $0.m)) }),
  NaiveRow(
    name: "A32", matches: { !$0.timer && $0.interval == .none && $0.wanted == nil },
    result: { (.none, $0.minSE, nil) }),
  NaiveRow(
    name: "A33", matches: { row in !row.timer && !row.hasMinSE && row.s.map { $0 < row.least } == true },
    result: { (seconds($0.least), seconds($0.least), $0.least) }),
  NaiveRow(
    name: "A34",
    matches: { row in
      !row.timer && row.hasMinSE && row.writtenM < row.least && row.s.map { $0 < row.least } == true
    },
    result: { (seconds($0.least), seconds($0.least), $0.least) }),
  NaiveRow(
    name: "A35",
    matches: { row in
      !row.timer && row.hasMinSE && row.writtenM >= row.least && row.s.map { $0 < row.m } == true
    },
    result: { (seconds($0.m), $0.minSE, $0.m) }),
  NaiveRow(
    name: "A36",
    matches: { row in
      !row.timer
        && row.s.map { $0 >= row.least && $0 >= row.m && (row.wanted == nil || $0 <= row.wanted ?? 0) }
          == true
    },
    result: { ($0.interval, $0.minSE, $0.s) }),
  NaiveRow(
    name: "A37",
    matches: { row in
      !row.timer && row.wanted != nil
        && row.s.map { $0 >= row.least && $0 >= row.m && $0 > row.wanted ?? 0 } == true
    },
    result: { (seconds(max($0.wanted ?? 0, $0.m)), $0.minSE, max($0.wanted ?? 0, $0.m)) }),
  NaiveRow(
    name: "A38", matches: { $0.interval == .opaque }, result: { ($0.interval, $0.minSE, nil) }),
]

extension NaiveRow {
  /// This row's effect in the same form as the real decision's.
  func observed(_ columns: Columns) -> Observed {
    guard let result = result(columns) else {
      return Observed(clause: name, rejectedWith: UInt32(columns.least))
    }
    return Observed(
      clause: name, rejectedWith: nil, interval: result.interval, minSE: result.minSE,
      asked: result.remembered != nil, remembered: UInt32(result.remembered ?? 0))
  }
}
