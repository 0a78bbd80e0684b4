import SIPSyntax
import Timekeeping

/// Remembers who sent what to whom, and draws the messages of one call.
struct Ladder {
  /// What became of a datagram.
  enum Fate { case arrives, arrivesTwice, isLost, isRefused }

  private struct Step {
    let at: MonotonicInstant
    let from: SocketAddress
    let to: SocketAddress
    let text: String
    let fate: Fate
  }

  private let proxy: SocketAddress
  private var steps: [String: [Step]] = [:]
  /// What concerned all calls.
  private var remarks: [(at: MonotonicInstant, text: String)] = []

  init(proxy: SocketAddress) { self.proxy = proxy }

  /// Notes a datagram when it is sent.
  mutating func note(
    _ message: WireMessage, from: SocketAddress, to: SocketAddress, fate: Fate, at now: MonotonicInstant
  ) {
    let timer = message.value("session-expires").map { "  x=\($0)" } ?? ""
    let subject = message.method ?? "\(message.status)"
    let text = "\(subject) (\(message.cSeq) \(message.cSeqMethod))\(timer)"
    steps[message.callID, default: []].append(Step(at: now, from: from, to: to, text: text, fate: fate))
  }

  /// Notes something that happened to everybody.
  mutating func remark(_ text: String, at now: MonotonicInstant) { remarks.append((now, text)) }

  /// The messages of a call, one a line: seconds, who to whom, what, and whether it was lost.
  ///
  /// Long calls are shortened to their end, where the fault is.
  func drawing(ofCall callID: String, last limit: Int = 120) -> String {
    let steps = steps[callID] ?? []
    var others: [SocketAddress] = []
    for step in steps {
      for end in [step.from, step.to] where end != proxy && !others.contains(end) { others.append(end) }
    }
    // The proxy stands between whoever spoke first and everybody else.
    let columns = Array(others.prefix(1)) + [proxy] + others.dropFirst()
    var lines = ["call \(callID)"]
    let heads = columns.map { Self.pad($0 == proxy ? "proxy" : $0.description, to: Self.width) }
    lines.append(Self.pad("seconds", to: 14) + heads.joined())
    if steps.count > limit { lines.append("... \(steps.count - limit) earlier messages left out") }
    let shown = steps.suffix(limit)
    var remarks = remarks.filter { remark in shown.first.map { $0.at <= remark.at } ?? false }[...]
    for step in shown {
      while let remark = remarks.first, remark.at <= step.at {
        lines.append(Self.time(remark.at) + "=== " + remark.text)
        remarks.removeFirst()
      }
      lines.append(line(of: step, columns))
    }
    lines += remarks.map { Self.time($0.at) + "=== " + $0.text }
    return lines.joined(separator: "\n")
  }

  private static let width = 22

  private func line(of step: Step, _ columns: [SocketAddress]) -> String {
    var line = Self.time(step.at)
    let from = columns.firstIndex(of: step.from) ?? 0
    let to = columns.firstIndex(of: step.to) ?? 0
    for column in columns.indices {
      let isCovered = column >= min(from, to) && column < max(from, to)
      line += isCovered ? String(repeating: "-", count: Self.width) : Self.pad("|", to: Self.width)
    }
    let arrow = from < to ? "->" : "<-"
    let fate =
      switch step.fate {
      case .arrives: ""
      case .arrivesTwice: "  (twice)"
      case .isLost: "  (lost)"
      case .isRefused: "  (refused)"
      }
    return "\(line) \(arrow) \(step.text)\(fate)"
  }

  private static func time(_ instant: MonotonicInstant) -> String {
    let microseconds = instant.nanoseconds / 1000
    let fraction = String(microseconds % 1_000_000 + 1_000_000).dropFirst()
    return pad("\(microseconds / 1_000_000).\(fraction)", to: 14)
  }

  private static func pad(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.utf8.count))
  }
}
