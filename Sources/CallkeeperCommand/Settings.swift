import EventIO
import Glibc

/// One value of one flag, and who gave it.
struct Setting: Equatable, Sendable {
  /// Where a value comes from; the first of these that has one wins.
  enum Origin: Equatable, Sendable {
    case commandLine
    case environment
    case file(String, line: Int)
    case defaults
  }

  /// Whose value it is.
  let flag: FlagDefinition
  /// The text, not yet read.
  let value: String
  /// Who gave it.
  let origin: Origin

  /// The setting as an error message begins: flag, value, and who gave it unless it was the command line.
  var description: String {
    let text = "--\(flag.name) \(printable(value))"
    return switch origin {
    case .commandLine: text
    case .environment: "\(text) (from \(flag.variable))"
    case .file(let path, let line): "\(text) (from \(printable(path)) line \(line))"
    case .defaults: "\(text) (default)"
    }
  }

  /// A value that cannot be read, or lies outside the legal range.
  var illegal: CommandError { refused("must be \(flag.legal)") }

  /// A value that is refused for a reason of its own.
  func refused(_ reason: String) -> CommandError {
    CommandError(.configuration, "\(description): \(reason)")
  }
}

/// All settings, from the command line, the environment, a file and the defaults, in this order of weight.
struct Settings: Sendable {
  private var values: [String: [Setting]] = [:]

  /// Gathers the settings; the first mistake ends it.
  init(
    given: [String: [String]], environment: (String) -> String?,
    readFile: (String) -> [UInt8]? = readWholeFile
  ) throws(CommandError) {
    var mistakes = Mistakes()
    self.init(given: given, environment: environment, readFile: readFile, noting: &mistakes)
    try mistakes.throwFirst()
  }

  /// Gathers the settings and notes mistakes; the file is the one `--config` or its variable names.
  init(
    given: [String: [String]], environment: (String) -> String?,
    readFile: (String) -> [UInt8]? = readWholeFile, noting mistakes: inout Mistakes
  ) {
    for flag in Flags.all {
      if let texts = given[flag.name] {
        values[flag.name] = texts.map { Setting(flag: flag, value: $0, origin: .commandLine) }
      } else if let text = environment(flag.variable), !text.isEmpty {
        let parts = Settings.parts(of: text, flag)
        // Nothing but separators would mean a list without anything in it: no listener, nobody allowed.
        if parts.isEmpty { mistakes.add(Setting(flag: flag, value: text, origin: .environment).illegal) }
        values[flag.name] = parts.map { Setting(flag: flag, value: $0, origin: .environment) }
      }
    }
    if let config = self[Flags.config] {
      if let bytes = readFile(config.value) {
        let file = ConfigurationFile(
          String(decoding: bytes, as: UTF8.self), path: config.value, noting: &mistakes)
        for (name, settings) in file.settings where values[name] == nil { values[name] = settings }
      } else {
        mistakes.add(config.illegal)
      }
    }
    for flag in Flags.all where values[flag.name] == nil {
      guard let text = flag.defaultValue else { continue }
      values[flag.name] = Settings.parts(of: text, flag).map {
        Setting(flag: flag, value: $0, origin: .defaults)
      }
    }
  }

  /// In one text, values of a repeatable flag stand with blanks or commas between them.
  private static func parts(of text: String, _ flag: FlagDefinition) -> [String] {
    flag.isRepeatable ? text.split { $0 == " " || $0 == "," }.map(String.init) : [text]
  }

  /// The value of a flag that is not repeatable; nil when there is none.
  subscript(flag: FlagDefinition) -> Setting? { values[flag.name]?.last }

  /// All values of a flag.
  func all(_ flag: FlagDefinition) -> [Setting] { values[flag.name] ?? [] }

  /// Everything that is set, as lines of a configuration file with the origin as comment.
  var listing: [String] {
    Flags.all.flatMap { all($0) }.map { setting in
      let origin =
        switch setting.origin {
        case .commandLine: "command line"
        case .environment: setting.flag.variable
        case .file(let path, let line): "\(printable(path)) line \(line)"
        case .defaults: "default"
        }
      return "\(setting.flag.name) = \(printable(setting.value))  # \(origin)"
    }
  }
}

/// The bytes of a file, at most a mebibyte; nil when it cannot be read.
func readWholeFile(_ path: String) -> [UInt8]? {
  let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  var content: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  while content.count <= 1 << 20 {
    let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
    if count < 0 { return nil }
    if count == 0 { return content }
    content.append(contentsOf: chunk[..<count])
  }
  return nil
}
