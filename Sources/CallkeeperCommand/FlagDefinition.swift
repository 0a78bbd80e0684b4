import ArgumentParser

/// One setting of `run`: the single definition behind parsing, `--help`, `check` and Docs/FLAGS.md.
struct FlagDefinition: Sendable, Equatable {
  /// Name without the dashes; also the key in a configuration file.
  let name: String
  /// What stands for the value in help texts; nil for a switch.
  let placeholder: String?
  /// The value when nobody gives one, as text; nil when there is none.
  let defaultValue: String?
  /// The legal values, in words that fit behind "must be".
  let legal: String
  /// Whether it may be given several times.
  let isRepeatable: Bool
  /// One sentence for `--help`.
  let summary: String
  /// What else an operator should know, for FLAGS.md; empty when there is nothing.
  let details: String

  init(
    _ name: String, _ placeholder: String?, default defaultValue: String? = nil, legal: String,
    isRepeatable: Bool = false, _ summary: String, details: String = ""
  ) {
    self.name = name
    self.placeholder = placeholder
    self.defaultValue = defaultValue
    self.legal = legal
    self.isRepeatable = isRepeatable
    self.summary = summary
    self.details = details
  }

  /// Whether it takes no value on the command line.
  var isSwitch: Bool { placeholder == nil }

  /// The environment variable that sets it: `--min-se` is `CALLKEEPER_MIN_SE`.
  var variable: String {
    "CALLKEEPER_" + String(name.uppercased().map { $0 == "-" ? "_" : $0 })
  }

  /// What `--help` shows.
  var help: ArgumentHelp {
    var notes: [String] = []
    if isRepeatable { notes.append("repeatable") }
    if let defaultValue { notes.append("default: \(defaultValue)") }
    if !isSwitch { notes.append("legal: \(legal)") }
    let text = notes.isEmpty ? summary : "\(summary) (\(notes.joined(separator: "; ")))"
    return placeholder.map { ArgumentHelp(stringLiteral: text).named($0) }
      ?? ArgumentHelp(stringLiteral: text)
  }

  /// How argument-parser knows it.
  var spelling: NameSpecification { .customLong(name) }
}

extension ArgumentHelp {
  fileprivate func named(_ valueName: String) -> ArgumentHelp {
    var help = self
    help.valueName = valueName
    return help
  }
}
