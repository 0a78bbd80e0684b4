import SIPSyntax
import Testing

@Suite("RFC 3261 §7.3.1: list fields")
struct ListCursorTests {
  private func elements(_ rows: [String], _ name: FieldName = .route) -> [String] {
    let bytes = request(adding: rows)
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    var cursor = ListCursor(name, in: parsed)
    var found: [String] = []
    while let element = cursor.next(parsed, bytes.span) { found.append(text(bytes, element.value)) }
    return cursor.failed ? found + ["(failed)"] : found
  }

  @Test(
    "commas and rows separate, but not inside quotes, brackets and comments",
    arguments: [
      (["Route: <sip:a;lr>,<sip:b>", "Route: <sip:c>"], ["<sip:a;lr>", "<sip:b>", "<sip:c>"]),  // E11
      // E12
      (["Route: \"x, <y>\" <sip:a,b>;p=\"1,2\" , <sip:b>"], ["\"x, <y>\" <sip:a,b>;p=\"1,2\"", "<sip:b>"]),
      (["Route: <sip:a>\r\n , \r\n <sip:b>"], ["<sip:a>", "<sip:b>"]),  // E10
      (["Route: h (a, b) , i"], ["h (a, b)", "i"]), (["Route: sip:a(b, sip:c"], ["sip:a(b", "sip:c"]),
      (["Route: a,,b"], ["a", "(failed)"]), (["Route: a,"], ["a", "(failed)"]),
      (["Route: ,a"], ["(failed)"]),  // E23
      (["Route:"], ["(failed)"]), (["Route: \"open, <sip:a>"], ["(failed)"]), ([], []),  // E14
    ])
  func separators(rows: [String], expected: [String]) { #expect(elements(rows) == expected) }

  @Test(
    "removing elements of a row leaves the bytes of the others",
    arguments: [
      (0, 0, "Route:  <sip:b>\t,  <sip:c>;x\r\nRoute: <sip:d>\r\n"),
      (1, 1, "Route:  <sip:a> ,<sip:c>;x\r\nRoute: <sip:d>\r\n"),
      (2, 2, "Route:  <sip:a> ,<sip:b>\r\nRoute: <sip:d>\r\n"),
      (3, 3, "Route:  <sip:a> ,<sip:b>\t,  <sip:c>;x\r\n"),
      (0, 1, "Route:  <sip:c>;x\r\nRoute: <sip:d>\r\n"), (1, 2, "Route:  <sip:a>\r\nRoute: <sip:d>\r\n"),
      (0, 2, "Route: <sip:d>\r\n"),
    ])
  func removal(first: Int, last: Int, expected: String) {  // E16, B36
    let bytes = request(adding: ["Route:  <sip:a> ,<sip:b>\t,  <sip:c>;x", "Route: <sip:d>"])
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    var edits = MessageEdits()
    var cursor = ListCursor(.route, in: parsed)
    var start: ListCursor.Element?
    var position = 0
    while let element = cursor.next(parsed, bytes.span) {
      if position == first { start = element }
      if position == last, let start { edits.delete(start.removal(through: element)) }
      position += 1
    }
    var output = OutputBuffer(capacity: 512)
    edits.apply(to: bytes.span, upTo: parsed.messageEnd, into: &output)
    #expect(output.count == parsed.messageEnd + edits.sizeChange)
    let untouched = parsed.first(.route).map { parsed[field: $0].row.lowerBound } ?? 0
    #expect(Array(output.bytes[..<untouched]) == Array(bytes[..<untouched]))
    #expect(String(decoding: output.bytes[untouched...], as: UTF8.self) == expected + "\r\n")
  }

  @Test(
    "an option tag is found as a whole token only",
    arguments: [
      (["Supported: 100rel, Timer"], true), (["k: timer"], true), (["Supported: a", "k: b,timer"], true),
      (["Supported: timers, xtimer"], false), (["Supported: \"timer\""], false),
      (["Supported: timer;x"], false),
      (["Supported: timer,"], true), (["Supported: a,,timer"], false), (["Supported:"], false),
      (["Supported:", "k: timer"], true), (["Require: timer"], false), ([], false),
    ])
  func options(rows: [String], expected: Bool) {  // A11, A21, A47
    let bytes = request(adding: rows)
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    check(containsOption(.timer, in: .supported, parsed, bytes.span) == expected)
  }
}
