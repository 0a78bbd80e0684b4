import ProxyCore

/// Prometheus text format, version 0.0.4: every counter and gauge with its help and type.
///
/// Names: `callkeeper_`, the counter's name in snake case, `_total`. Counters that are one thing in several
/// kinds (answers by status, drops by reason, ends of dialogs by cause) share a name and differ in a label.
func metricsText(_ facts: AdminFacts) -> [UInt8] {
  var text = ""
  func open(_ name: String, _ type: String, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }
  open("callkeeper_build_info", "gauge", "Version of the running program, as a label; always 1.")
  text += "callkeeper_build_info{version=\"\(labelValue(facts.version))\"} 1\n"
  open("callkeeper_uptime_seconds", "gauge", "Seconds since the process began to serve.")
  text += "callkeeper_uptime_seconds \(facts.uptime)\n"
  open("callkeeper_draining", "gauge", "1 while new calls are refused because the process is about to end.")
  text += "callkeeper_draining \(facts.isDraining ? 1 : 0)\n"
  open("callkeeper_dialogs_active", "gauge", "Confirmed dialogs: calls that are up now.")
  text += "callkeeper_dialogs_active \(facts.sum(Gauge.dialogsTimed) + facts.sum(Gauge.dialogsUntimed))\n"
  for gauge in Gauge.allCases {
    let name = "callkeeper_" + gauge.snakeCase
    open(name, "gauge", gauge.help)
    text += "\(name) \(facts.sum(gauge))\n"
  }
  // All series of a family must stand together, wherever its counters are declared.
  let metrics = Counter.allCases.map { ($0, $0.metric) }
  var written: Set<String> = []
  for (first, family) in metrics where written.insert(family.name).inserted {
    open(family.name, "counter", first.help)
    for (counter, metric) in metrics where metric.name == family.name {
      let label = metric.label.map { "{\($0.name)=\"\(labelValue($0.value))\"}" } ?? ""
      text += "\(metric.name)\(label) \(facts.sum(counter))\n"
    }
  }
  return Array(text.utf8)
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
  struct Label: Equatable {
    var name: String
    var value: String
  }
  var name: String
  var label: Label?
}

extension Counter {
  /// The counter's name as `/stats` writes it.
  var snakeCase: String { MetricName.snakeCase(of: "\(self)") }

  /// The counters whose names begin alike are one family, told apart by a label.
  var metric: Metric {
    // A timer's letter in the name would read as an abbreviated unit.
    let families = [
      ("answered_", "", "callkeeper_answers_total", "status"),
      ("dropped_", "", "callkeeper_messages_dropped_total", "reason"),
      ("dialogs_ended_by_", "", "callkeeper_dialogs_ended_total", "cause"),
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
  var snakeCase: String { MetricName.snakeCase(of: "\(self)") }
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
