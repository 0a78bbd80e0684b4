public import ProxyCore

/// Prometheus text format, version 0.0.4: every counter and gauge with its help and type.
///
/// Names: `callkeeper_`, the counter's name in snake case, `_total`. Counters that are one thing in several
/// kinds (answers by status, drops by reason, ends of dialogs by cause) share a name and differ in a label.
func metricsText(_ facts: AdminFacts) -> [UInt8] {
  var text = MetricLayout.opening(
    "callkeeper_build_info", "gauge", "Version of the running program, as a label; always 1.")
  text += "callkeeper_build_info{version=\"\(labelValue(facts.version))\"} 1\n"
  var bytes = Array(text.utf8)
  bytes.reserveCapacity(16_384)
  for row in MetricLayout.rows {
    bytes.append(contentsOf: row.text)
    bytes.append(contentsOf: row.value(facts).utf8)
    bytes.append(UInt8(ascii: "\n"))
  }
  return bytes
}

/// What of the text never changes, made once: each row's lines up to the value.
private struct MetricLayout {
  struct Row: Sendable {
    var text: [UInt8]
    var value: @Sendable (AdminFacts) -> String
  }

  static func opening(_ name: String, _ type: String, _ help: String) -> String {
    "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  static let rows: [Row] = {
    var rows: [Row] = []
    func gauge(_ name: String, _ help: String, _ value: @escaping @Sendable (AdminFacts) -> Int) {
      let text = opening(name, "gauge", help) + name + " "
      rows.append(Row(text: Array(text.utf8)) { String(value($0)) })
    }
    gauge("callkeeper_uptime_seconds", "Seconds since the process began to serve.") { Int($0.uptime) }
    gauge("callkeeper_draining", "1 while new calls are refused because the process is about to end.") {
      $0.isDraining ? 1 : 0
    }
    gauge("callkeeper_dialogs_active", "Confirmed dialogs: calls that are up now.") {
      $0.sum(Gauge.dialogsTimed) + $0.sum(Gauge.dialogsUntimed)
    }
    for each in Gauge.allCases { gauge("callkeeper_" + each.snakeCase, each.help) { $0.sum(each) } }
    // All series of a family must stand together, wherever its counters are declared.
    let metrics = Counter.allCases.map { ($0, $0.metric) }
    var written: Set<String> = []
    for (first, family) in metrics where written.insert(family.name).inserted {
      var opening = opening(family.name, "counter", first.help)
      for (counter, metric) in metrics where metric.name == family.name {
        let label = metric.label.map { "{\($0.name)=\"\(labelValue($0.value))\"}" } ?? ""
        rows.append(Row(text: Array("\(opening)\(metric.name)\(label) ".utf8)) { String($0.sum(counter)) })
        opening = ""
      }
    }
    return rows
  }()
}

/// Escapes a label's value as the format asks.
private func labelValue(_ value: String) -> String {
  var escaped = ""
  for character in value.unicodeScalars {
    switch character {
    case "\\": escaped += "\\\\"
    case "\"": escaped += "\\\""
    case "\n": escaped += "\\n"
    default: escaped.unicodeScalars.append(character)
    }
  }
  return escaped
}

/// The series a counter is shown as.
struct Metric: Equatable {
  /// What tells a series from others of its name.
  struct Label: Equatable {
    /// The name.
    var name: String
    var value: String
  }
  var name: String
  /// The label; nil for a series that is alone.
  var label: Label?
}

extension Counter {
  /// The counter's name as `/stats` writes it.
  public var snakeCase: String { Counter.snakeCaseNames[rawValue] }

  private static let snakeCaseNames = allCases.map { MetricName.snakeCase(of: "\($0)") }

  /// The counters whose names begin alike are one family, told apart by a label.
  var metric: Metric {
    // A timer's letter in the name would read as an abbreviated unit.
    let families = [
      ("answered_", "", "callkeeper_answers_total", "status"),
      ("dropped_", "", "callkeeper_messages_dropped_total", "reason"),
      ("dialogs_ended_by_", "", "callkeeper_dialogs_ended_total", "cause"),
      ("connections_closed_", "", "callkeeper_connections_closed_total", "cause"),
      ("connections_refused_by_", "", "callkeeper_connections_refused_total", "reason"),
      ("timer_", "_fired", "callkeeper_timers_fired_total", "timer"),
    ]
    let name = snakeCase
    for (prefix, suffix, family, label) in families where name.hasPrefix(prefix) && name.hasSuffix(suffix) {
      let value = String(name.dropFirst(prefix.count).dropLast(suffix.count))
      return Metric(name: family, label: Metric.Label(name: label, value: value))
    }
    return Metric(name: "callkeeper_\(name)_total", label: nil)
  }
}

extension Gauge {
  /// The gauge's name as `/stats` and `/metrics` write it.
  public var snakeCase: String { Gauge.snakeCaseNames[rawValue] }

  private static let snakeCaseNames = allCases.map { MetricName.snakeCase(of: "\($0)") }
}

/// Swift's spelling of a name turned into that of metrics.
enum MetricName {
  /// `timerBFired` becomes `timer_b_fired`, `answered200` becomes `answered_200`.
  static func snakeCase(of name: String) -> String {
    let letters = Array(name.utf8)
    var result: [UInt8] = []
    for (index, letter) in letters.enumerated() {
      let isCapital = kind(of: letter) == .capital
      if index > 0, kind(of: letter) != .small {
        let before = kind(of: letters[index - 1])
        let startsWord = isCapital && index + 1 < letters.count && kind(of: letters[index + 1]) == .small
        if before == .small || (isCapital && before == .digit) || (before == .capital && startsWord) {
          result.append(UInt8(ascii: "_"))
        }
      }
      result.append(isCapital ? letter | 0x20 : letter)
    }
    return String(decoding: result, as: UTF8.self)
  }

  private enum Kind { case small, capital, digit }

  private static func kind(of letter: UInt8) -> Kind {
    switch letter {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): .capital
    case UInt8(ascii: "0")...UInt8(ascii: "9"): .digit
    default: .small
    }
  }
}
