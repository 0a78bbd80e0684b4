import EventIO

/// Mistakes found while reading goes on: `run` ends at the first, `check` tells all of them.
struct Mistakes {
  /// In the order in which they were found.
  private(set) var found: [CommandError] = []

  /// What `read` reads, or `fallback` and a mistake more.
  mutating func keep<Value>(_ fallback: Value, _ read: () throws -> Value) -> Value {
    do {
      return try read()
    } catch {
      switch error {
      case let error as CommandError: found.append(error)
      case let error as EventIOError: found.append(CommandError(starting: error))
      default: found.append(CommandError(.configuration, printable("\(error)")))
      }
      return fallback
    }
  }

  /// `keep` for each of several settings.
  mutating func each<Value>(_ settings: [Setting], _ read: (Setting) throws -> Value) -> [Value] {
    settings.compactMap { setting in keep(nil) { try read(setting) } }
  }

  /// Notes a mistake found elsewhere.
  mutating func add(_ mistake: CommandError) { found.append(mistake) }

  /// Ends what cannot go on after a mistake.
  func throwFirst() throws(CommandError) {
    if let first = found.first { throw first }
  }
}
