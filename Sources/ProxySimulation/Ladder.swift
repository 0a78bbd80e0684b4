import SIPSyntax
import Timekeeping

/// Remembers who sent what to whom, and draws the messages of one call.
struct Ladder {
  /// What became of a datagram.
  enum Fate { case arrives, arrivesTwice, isLost }

  private struct Step {
    let at: MonotonicInstant
    let from: SocketAddress
    let to: SocketAddress
    let text: String
    let fate: Fate
  }

  private let proxy: SocketAddress
  private var steps: [String: [Step]] = [:]

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
    for step in steps.suffix(limit) { lines.append(line(of: step, columns)) }
    return lines.joined(separator: "\n")
  }

  private static let width = 22

  private func line(of step: Step, _ columns: [SocketAddress]) -> String {
    let microseconds = step.at.nanoseconds / 1000
    let fraction = String(microseconds % 1_000_000 + 1_000_000).dropFirst()
    var line = Self.pad("\(microseconds / 1_000_000).\(fraction)", to: 14)
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
      }
    return "\(line) \(arrow) \(step.text)\(fate)"
  }

  private static func pad(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.utf8.count))
  }
}
