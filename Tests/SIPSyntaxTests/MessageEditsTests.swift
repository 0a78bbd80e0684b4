import SIPSyntax
import Testing

@Suite("RFC 3261 §16.6 item 1: a copy with named changes")
struct MessageEditsTests {
  private func apply(_ source: String, _ change: (inout MessageEdits) -> Void) -> String {
    let bytes = Array(source.utf8)
    var edits = MessageEdits()
    change(&edits)
    var output = OutputBuffer(capacity: 16)
    edits.apply(to: bytes.span, upTo: bytes.count, into: &output)
    #expect(output.count == bytes.count + edits.sizeChange)
    return String(decoding: output.bytes, as: UTF8.self)
  }

  @Test("without edits every byte leaves as it came")  // E15, E16
  func identity() {
    let bytes = request(adding: ["fOo :\t\r\n  bar ", "x:90", "Via:a,b"], body: "\0\r\n\u{FF}")
    var output = OutputBuffer(capacity: 0)
    let edits = MessageEdits()
    edits.apply(to: bytes.span, upTo: bytes.count, into: &output)
    #expect(output.bytes == bytes)
  }

  @Test("edits apply by position, in whatever order they were added")  // B66
  func order() {
    let expected = "01<a><b>2<x>56<end>"
    let changes: [(inout MessageEdits) -> Void] = [
      {
        $0.begin(insertingAt: 2)
        $0.text.append("<a>")
        $0.end()
        $0.begin(insertingAt: 2)
        $0.text.append("<b>")
        $0.end()
      },
      {
        $0.begin(replacing: ByteRange(3, 5))
        $0.text.append("<x>")
        $0.end()
      },
      {
        $0.begin(insertingAt: 7)
        $0.text.append("<end>")
        $0.end()
      },
    ]
    for permutation in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
      #expect(apply("0123456") { edits in for index in permutation { changes[index](&edits) } } == expected)
    }
  }

  @Test("what is deleted twice is deleted once, and insertions inside survive")
  func overlap() {
    #expect(
      apply("0123456789") { edits in
        edits.delete(ByteRange(4, 8))
        edits.delete(ByteRange(2, 6))
        edits.delete(ByteRange(3, 4))
        edits.begin(insertingAt: 5)
        edits.text.append("x")
        edits.end()
      } == "01x89")
  }

  @Test("ranges past the end are cut there")
  func beyond() {
    #expect(
      apply("0123") { edits in
        edits.begin(insertingAt: 4)
        edits.text.append(decimal: 18_446_744_073_709_551_615)
        edits.text.append(hexadecimal: 0xAB, digits: 4)
        edits.end()
      } == "01231844674407370955161500ab")
  }

  @Test("a cleared list changes nothing")
  func reuse() {
    var edits = MessageEdits()
    edits.delete(ByteRange(0, 3))
    edits.removeAll()
    var output = OutputBuffer(capacity: 8)
    let bytes: [UInt8] = [1, 2, 3]
    edits.apply(to: bytes.span, upTo: 3, into: &output)
    #expect(output.bytes == bytes)
    #expect(edits.sizeChange == 0)
  }
}
