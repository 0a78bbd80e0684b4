import ArgumentParser
import Logging
import Testing

@testable import CallkeeperCommand

@Suite("Lines for people and machines")
struct OutputTests {
  static let logLines: [(format: LogOptions.Format, line: String)] = [
    (.text, #"T warning call.refused from="a b\x1b[0m" id=7 why="say \"no\"""#),
    (.logfmt, #"time=T level=warning event=call.refused from="a b\x1b[0m" id=7 why="say \"no\"""#),
    (
      .json,
      #"{"time":"T","level":"warning","event":"call.refused","from":"a b\u001b[0m","id":"7","why":"say \"no\""}"#
    ),
  ]

  @Test("Each format keeps an event on one line, whatever its values hold", arguments: logLines)
  func formats(_ row: (format: LogOptions.Format, line: String)) {
    let backslash = StderrLog.line(
      .text, time: "T", level: .info, event: "e", fields: [(name: "a", value: #"b\c"#)])
    #expect(backslash == #"T info e a="b\\c""#)
    let fields = [
      (name: "from", value: "a b\u{1B}[0m"), (name: "id", value: "7"), (name: "why", value: "say \"no\""),
    ]
    let line = StderrLog.line(row.format, time: "T", level: .warning, event: "call.refused", fields: fields)
    #expect(line == row.line)
  }

  static let clockTexts: [(seconds: Int64, text: String)] = [
    (0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"), (951_782_400, "2000-02-29T00:00:00Z"),
    (1_767_225_599, "2025-12-31T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
  ]

  @Test("Instants are written in UTC", arguments: clockTexts)
  func instants(_ row: (seconds: Int64, text: String)) {
    #expect(timestamp(row.seconds) == row.text)
  }

  @Test("Control characters and bidirectional marks do not reach a terminal")
  func printables() {
    #expect(printable("a\u{07}b\u{9B}c\u{202E}d\u{2028}é電") == #"a\x07b\xc2\x9bc\xe2\x80\xaed\xe2\x80\xa8é電"#)
    #expect(printable(#"a\x07"#) == #"a\\x07"#)
  }

  static let documents: [(json: String, display: String?)] = [
    (#"{"a":1,"b":[true,null,"x"],"c":{"d":-2.5}}"#, "a=1 b=[true, -, x] c=d=-2.5"), ("[]", "[]"),
    (" 7 ", "7"),
    (#""\u00e9\ud83d\udcde\n""#, "é📞\\x0a"), ("{", nil), ("[1,]", nil), (#"{"a"}"#, nil), ("7 8", nil),
    ("", nil),
    (#""\u12""#, nil), (#""open"#, nil), ("tru", nil), (String(repeating: "[", count: 40), nil),
  ]

  @Test("Answers of the query API are read", arguments: documents)
  func readsJSON(_ row: (json: String, display: String?)) {
    #expect(JSONValue(Array(row.json.utf8))?.display == row.display)
  }

  @Test("A Call-ID goes into a URL with everything unusual escaped")
  func encodes() {
    #expect(
      percentEncoded(Array("a-b_c.d~e@[::1]/+ &?é".utf8)) == "a-b_c.d~e%40%5B%3A%3A1%5D%2F%2B%20%26%3F%C3%A9")
    #expect(percentEncoded([0x61, 0xFF, 0x00]) == "a%FF%00")
  }

  @Test("A flag that does not exist is told in one line with the nearest name")
  func suggests() {
    let error = #expect(throws: (any Error).self) { _ = try Callkeeper.parseAsRoot(["--min-see", "90"]) }
    let line = error.map { usageLine(for: $0) } ?? ""
    #expect(line.contains("--min-see") && line.contains("'--min-se'") && !line.contains("\n"))
  }
}
