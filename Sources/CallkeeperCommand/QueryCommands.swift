import ArgumentParser
import EventIO
import Glibc

/// The flag all queries share, and asking by it.
struct QueryOptions: ParsableArguments {
  @Option(name: Flags.control.spelling, help: Flags.control.help) var control: String?

  /// Path of the socket to ask.
  var path: String {
    control ?? OperatingSystem.environment(Flags.control.variable) ?? ControlSocket.pathForQuery()
  }

  /// The body of an answer with status 200.
  func ask(_ target: String) throws(CommandError) -> [UInt8] {
    let answer: (status: Int, body: [UInt8])
    do {
      answer = try ControlSocket.get(target, from: path)
    } catch {
      if error.errorNumber == EACCES { throw CommandError(.noPermission, printable("\(error)")) }
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
      throw CommandError(.notRunning, "\(printable(path)): the answer is not JSON; is this a callkeeper?")
    }
    return value
  }
}

/// Writes an answer's body to stdout as it is.
private func writeBody(_ body: [UInt8]) {
  var text = String(decoding: body, as: UTF8.self)
  if text.hasSuffix("\n") { text.removeLast() }
  writeLine(text, to: STDOUT_FILENO)
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
        writeBody(try query.ask("/dialogs/count"))
      } else if let count = try query.askJSON("/dialogs/count")["active"] {
        writeLine(count.display, to: STDOUT_FILENO)
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
  @Option(help: "Dialogs to print at most; 0 for all (default: 100)") var limit: UInt32 = 100

  private static let columns = [
    "call_id", "caller", "callee", "state", "interval", "refresher", "expires_in",
  ]

  func run() throws {
    var left = limit == 0 ? UInt64.max : UInt64(limit)
    var cursor = ""
    if !json {
      let titles = Self.columns.map { $0.uppercased().replacing("_", with: "-") }
      writeLine(titles.joined(separator: "\t"), to: STDOUT_FILENO)
    }
    repeat {
      let body = try query.ask("/dialogs?limit=\(min(left, 1_000))\(cursor)")
      guard let page = JSONValue(body) else { return }
      if json { writeBody(body) }
      let dialogs = page["dialogs"]?.elements ?? []
      for dialog in dialogs where !json {
        let cells = Self.columns.map { dialog[$0]?.display ?? "-" }
        writeLine(cells.joined(separator: "\t"), to: STDOUT_FILENO)
      }
      left -= min(left, UInt64(dialogs.count))
      guard case .text(let next)? = page["cursor"] else { return }
      cursor = "&cursor=\(next)"
    } while left > 0
  }
}

/// `callkeeper why`.
struct WhyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "why", abstract: "Explain the session timer of a call: the last decisions and their clauses."
  )

  @Argument(help: ArgumentHelp("The call's Call-ID.", valueName: "call-id")) var callID: String
  @OptionGroup var query: QueryOptions

  func run() throws {
    var cursor = ""
    var isKnown = false
    repeat {
      let page = try query.askJSON("/why?call-id=\(percentEncoded(callID))\(cursor)")
      for decision in page["decisions"]?.elements ?? [] {
        isKnown = true
        writeLine(Self.sentence(decision), to: STDOUT_FILENO)
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
    if json { return writeBody(try query.ask("/stats")) }
    for field in try query.askJSON("/stats").fields {
      if field.value.fields.isEmpty { writeLine("\(field.name) \(field.value.display)", to: STDOUT_FILENO) }
      for inner in field.value.fields {
        writeLine("\(field.name).\(inner.name) \(inner.value.display)", to: STDOUT_FILENO)
      }
    }
  }
}

/// `text` for a URL: everything but letters, digits and `-._~` as `%XX`.
func percentEncoded(_ text: String) -> String {
  text.utf8.map { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"):
      String(UnicodeScalar(byte))
    default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
  }.joined()
}
