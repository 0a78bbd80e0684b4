import ArgumentParser
import EventIO
import Glibc

/// The flags all queries share, and asking by them.
struct QueryOptions: ParsableArguments {
  @Option(name: Flags.control.spelling, help: Flags.control.help) var control: String?
  @Option(name: Flags.config.spelling, help: "File whose control setting names the socket, as for run")
  var config: String?

  /// Path of the socket to ask: by the flag, the variable, the file, or the rule that `run` follows.
  func path(
    environment: (String) -> String? = OperatingSystem.environment,
    readFile: (String) -> [UInt8]? = readWholeFile
  ) throws(CommandError) -> String {
    if let control { return control }
    let concerned = [Flags.control, Flags.config]
    // Other settings are the business of run: a query is not to fail because of them.
    let settings = try Settings(
      given: config.map { [Flags.config.name: [$0]] } ?? [:],
      environment: { name in concerned.contains { $0.variable == name } ? environment(name) : nil },
      readFile: readFile)
    return settings[Flags.control]?.value ?? ControlSocket.pathForQuery()
  }

  /// The body of an answer with status 200.
  func ask(_ target: String) throws(CommandError) -> [UInt8] {
    let path = try path()
    let answer: (status: Int, body: [UInt8])
    do {
      answer = try ControlSocket.get(target, from: path)
    } catch {
      if error.errorNumber == EACCES { throw CommandError(.noPermission, printable("\(error)")) }
      if error.errorNumber == ETIMEDOUT {
        throw CommandError(
          .notRunning, "the proxy behind \(printable(path)) does not answer; is it stopped, or busy?")
      }
      throw CommandError(
        .notRunning, printable("not running: \(error)") + "; start it, or name its socket with --control")
    }
    guard answer.status == 200 else {
      let reason = JSONValue(answer.body)?["error"]?.display ?? "status \(answer.status)"
      throw CommandError(.usage, "the proxy refused: \(reason)")
    }
    return answer.body
  }

  /// The same, read.
  func askJSON(_ target: String) throws(CommandError) -> JSONValue {
    guard let value = JSONValue(try ask(target)) else {
      throw CommandError(
        .notRunning, "\(printable(try path())): the answer is not JSON; is this a callkeeper?")
    }
    return value
  }
}

/// Writes an answer's body to stdout as it is.
private func writeBody(_ body: [UInt8]) throws(CommandError) {
  var text = String(decoding: body, as: UTF8.self)
  if text.hasSuffix("\n") { text.removeLast() }
  try printLine(text)
}

/// `callkeeper count`.
struct CountCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "count", abstract: "Print how many calls are up: confirmed dialogs, one integer.")

  @OptionGroup var query: QueryOptions
  @Flag(help: "Print active, early, timed and untimed dialogs as JSON.") var json = false
  @Flag(help: "Repeat every second until interrupted.") var watch = false

  func run() throws {
    repeat {
      if json {
        try writeBody(try query.ask("/dialogs/count"))
      } else if let count = try query.askJSON("/dialogs/count")["active"] {
        try printLine(count.display)
      }
      if watch { sleep(1) }
    } while watch
  }
}

/// `callkeeper dialogs`.
struct DialogsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dialogs", abstract: "Print the table of dialogs.")

  @OptionGroup var query: QueryOptions
  @Flag(help: "Print pages of the table as JSON, one a line.") var json = false
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Dialogs to print at most (default: 100; legal: \(legalLimit))", valueName: "n"))
  var limit: String?

  private static let legalLimit = "0 to 4294967295, 0 for all"

  private static let columns = [
    "call_id", "caller", "callee", "state", "interval", "refresher", "expires_in",
  ]

  func run() throws {
    var left = try Self.bound(limit)
    var cursor = ""
    if !json {
      let titles = Self.columns.map { $0.uppercased().replacing("_", with: "-") }
      try printLine(titles.joined(separator: "\t"))
    }
    repeat {
      let body = try query.ask("/dialogs?limit=\(min(left, 1_000))\(cursor)")
      guard let page = JSONValue(body) else { return }
      if json { try writeBody(body) }
      let dialogs = page["dialogs"]?.elements ?? []
      for dialog in dialogs where !json {
        let cells = Self.columns.map { dialog[$0]?.display ?? "-" }
        try printLine(cells.joined(separator: "\t"))
      }
      left -= min(left, UInt64(dialogs.count))
      guard case .text(let next)? = page["cursor"] else { return }
      cursor = "&cursor=\(next)"
    } while left > 0
  }
}

extension DialogsCommand {
  /// How many dialogs a value of `--limit` means.
  static func bound(_ limit: String?) throws(CommandError) -> UInt64 {
    guard let number = limit.map({ decimalNumber($0[...]) }) ?? 100, number <= UInt64(UInt32.max) else {
      throw CommandError(.usage, "--limit \(printable(limit ?? "")): must be \(legalLimit)")
    }
    return number == 0 ? .max : number
  }
}

/// `callkeeper why`.
struct WhyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "why",
    abstract: "Explain the session timer of a call: the last decisions and their clauses.",
    discussion: """
      Of each dialog of the call the last four decisions are kept, and of requests that were refused for \
      their session timer the last 4096. A Call-ID that begins with a hyphen needs -- in front of it.
      """)

  @Argument(help: ArgumentHelp("The call's Call-ID.", valueName: "call-id")) var callID: String
  @OptionGroup var query: QueryOptions

  func run() throws {
    let callID = percentEncoded(argumentBytes(of: self.callID))
    var cursor = ""
    var isKnown = false
    repeat {
      let page = try query.askJSON("/why?call-id=\(callID)\(cursor)")
      for decision in page["decisions"]?.elements ?? [] {
        isKnown = true
        try printLine(Self.sentence(decision))
      }
      guard case .text(let next)? = page["cursor"] else { break }
      cursor = "&cursor=\(next)"
    } while true
    if !isKnown {
      writeLine("\(Program.name): no decision is remembered of that Call-ID", to: STDERR_FILENO)
    }
  }

  /// One decision as a line.
  static func sentence(_ decision: JSONValue) -> String {
    func field(_ name: String) -> String { decision[name]?.display ?? "-" }
    let place = decision["dialog"] == .null ? "no dialog" : "dialog \(field("dialog"))"
    return "\(field("age")) s ago, \(field("request")) from \(field("from")), \(place): "
      + "\(field("value_in")) -> \(field("value_out")), \(field("citation")) (\(field("clause"))): \(field("explanation"))"
  }
}

/// `callkeeper stats`.
struct StatsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "stats", abstract: "Print all counters.")

  @OptionGroup var query: QueryOptions
  @Flag(help: "Print them as JSON.") var json = false

  func run() throws {
    if json { return try writeBody(try query.ask("/stats")) }
    for field in try query.askJSON("/stats").fields {
      if field.value.fields.isEmpty { try printLine("\(field.name) \(field.value.display)") }
      for inner in field.value.fields {
        try printLine("\(field.name).\(inner.name) \(inner.value.display)")
      }
    }
  }
}

/// The bytes of the argument that reads as `text`: a Call-ID may hold what is not UTF-8, which a string cannot.
private func argumentBytes(of text: String) -> [UInt8] {
  let arguments = unsafe UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc))
  for index in arguments.indices {
    guard let argument = unsafe arguments[index] else { continue }
    let bytes = unsafe Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument)))
    if String(decoding: bytes, as: UTF8.self) == text { return bytes }
  }
  return Array(text.utf8)
}

/// Bytes for a URL: everything but letters, digits and `-._~` as `%XX`.
func percentEncoded(_ bytes: [UInt8]) -> String {
  bytes.map { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"):
      String(UnicodeScalar(byte))
    default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
  }.joined()
}
