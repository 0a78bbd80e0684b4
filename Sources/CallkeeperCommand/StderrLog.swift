import AdminHTTP
import EventIO
import Glibc
import Logging

/// How much is logged and in which form.
struct LogOptions: Equatable, Sendable {
  /// Form of a line.
  enum Format: String, CaseIterable, Sendable { case text, logfmt, json }

  /// Least severe level that is written.
  var level: Logger.Level = .info
  /// Form of the lines.
  var format: Format = .text

  /// The defaults.
  init() {}

  /// Reads `--log-level` and `--log-format`.
  init(_ settings: Settings) throws(CommandError) {
    if let setting = settings[Flags.logLevel] {
      guard let level = Logger.Level(rawValue: setting.value.lowercased()) else { throw setting.illegal }
      self.level = level
    }
    if let setting = settings[Flags.logFormat] {
      guard let format = Format(rawValue: setting.value.lowercased()) else { throw setting.illegal }
      self.format = format
    }
  }

  /// A logger that writes to stderr.
  func logger() -> Logger {
    var logger = Logger(label: "callkeeper") { _ in StderrLog(format: format) }
    logger.logLevel = level
    return logger
  }
}

/// One line on stderr for each event; values may hold any bytes and cannot break the line.
struct StderrLog: LogHandler {
  var logLevel: Logger.Level = .info
  var metadata: Logger.Metadata = [:]
  let format: LogOptions.Format

  init(format: LogOptions.Format) { self.format = format }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let fields = metadata.merging(event.metadata ?? [:]) { _, new in new }
      .map { (name: $0.key, value: $0.value.description) }.sorted { $0.name < $1.name }
    writeLine(
      StderrLog.line(
        format, time: timestamp(MonotonicClock.secondsSince1970), level: event.level,
        event: event.message.description, fields: fields),
      to: STDERR_FILENO)
  }

  /// The text of a line.
  static func line(
    _ format: LogOptions.Format, time: String, level: Logger.Level, event: String,
    fields: [(name: String, value: String)]
  ) -> String {
    switch format {
    case .text:
      return "\(time) \(level) \(printable(event))"
        + fields.map { " \($0.name)=\(quotedIfNeeded($0.value))" }.joined()
    case .logfmt:
      return "time=\(time) level=\(level) event=\(quotedIfNeeded(event))"
        + fields.map { " \($0.name)=\(quotedIfNeeded($0.value))" }.joined()
    case .json:
      var json = JSONWriter()
      json.object { json in
        json.field("time", time)
        json.field("level", level.rawValue)
        json.field("event", event)
        for field in fields { json.field(field.name, field.value) }
      }
      return String(decoding: json.bytes, as: UTF8.self)
    }
  }

  /// Quotes are put around what could be misread.
  private static func quotedIfNeeded(_ value: String) -> String {
    let text = printable(value).map { $0 == "\"" ? "\\\($0)" : "\($0)" }.joined()
    let isPlain = !text.isEmpty && !text.contains { $0 == " " || $0 == "=" || $0 == "\\" }
    return isPlain ? text : "\"\(text)\""
  }
}

/// An instant of the wall clock in UTC, to the second, as RFC 3339 writes it; from 1970 on.
func timestamp(_ secondsSince1970: Int64) -> String {
  func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
  func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
  let second = max(0, secondsSince1970)
  var (day, year, month) = (second / 86_400, Int64(1970), 0)
  while day >= (isLeap(year) ? 366 : 365) {
    day -= isLeap(year) ? 366 : 365
    year += 1
  }
  let lengths: [Int64] = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  while day >= lengths[month] {
    day -= lengths[month]
    month += 1
  }
  return "\(year)-\(two(Int64(month) + 1))-\(two(day + 1))"
    + "T\(two(second / 3_600 % 24)):\(two(second / 60 % 60)):\(two(second % 60))Z"
}
