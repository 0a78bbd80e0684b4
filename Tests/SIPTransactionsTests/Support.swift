import SIPTransactions
import Timekeeping

/// The instant `milliseconds` after the clock's origin.
func at(_ milliseconds: Int64) -> MonotonicInstant { .origin + .milliseconds(milliseconds) }

extension MonotonicInstant {
  /// Whole milliseconds since the origin; nil for never.
  var milliseconds: Int64? {
    self == .distantFuture ? nil : duration(since: .origin).wholeMilliseconds
  }
}

/// What a machine says at each of its deadlines until it has none: pairs of milliseconds and action.
func fireAll<M: TabulatedMachine>(_ machine: inout M, limit: Int = 100, deadline: (M) -> MonotonicInstant)
  -> [String]
{
  var log: [String] = []
  while log.count < limit, let due = deadline(machine).milliseconds {
    log.append("\(due) \(machine.fire(at: deadline(machine)))")
  }
  return log
}

/// Rows written as "state | event | action | next", one a line.
func rows(_ text: String) -> [StateTableRow] {
  text.split(separator: "\n").map { line in
    let cells = line.split(separator: "|").map { cell in
      String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
    return StateTableRow(state: cells[0], event: cells[1], action: cells[2], next: cells[3])
  }
}
