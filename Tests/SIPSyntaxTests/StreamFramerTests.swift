import SIPSyntax
import Testing

/// A message of a stream: its Content-Length is right.
private func streamed(
  _ startLine: String = "OPTIONS sip:a@b SIP/2.0", adding rows: [String] = [], body: String = ""
) -> [UInt8] {
  request(startLine, adding: rows + ["Content-Length: \(body.utf8.count)"], body: body)
}

private let crlf = Array("\r\n".utf8)

@Suite("RFC 3261 §18.3: messages in a stream")
struct StreamFramerTests {
  static let folded = request(adding: ["Subject: a\r\n b\r\n\tc", "Content-Length:\r\n 4"], body: "body")
  /// Bodies that look like the ends and the starts of messages, and octets of every value (D37).
  static let samples: [[UInt8]] = [
    streamed(), streamed(body: "v=0\r\n"), folded,
    streamed(body: "\r\n\r\n\r\n\r\n"), streamed(body: "INVITE sip:x SIP/2.0\r\nContent-Length: 9\r\n\r\n"),
    request(adding: ["l: 256"]) + (0...255).map { UInt8($0) },
    message(["SIP/2.0 200 OK", "CSeq: 1 BYE", "CONTENT-LENGTH : 3 "], body: "\0\r\n"),
  ]

  @Test("two reads give the same messages wherever the first one ends")  // D34
  func everySplit() {
    let octets = crlf + StreamFramerTests.samples.joined(separator: crlf) + crlf + crlf
    let expected = StreamFramerTests.samples.map { StreamPiece.message($0) } + [.ping]
    for split in 0...octets.count {
      var stream = FramedStream()
      stream.read(octets[..<split])
      stream.read(octets[split...])
      if stream.pieces != expected { Issue.record("split at \(split)") }
      #expect(stream.kept.isEmpty)
    }
  }

  @Test("reads of any size give the same messages", arguments: [1, 2, 3, 5, 7, 16, 17, 64, 1_000])  // D34
  func everySize(_ size: Int) {
    let octets = Array(StreamFramerTests.samples.joined())
    let expected = StreamFramerTests.samples.map { StreamPiece.message($0) }
    #expect(FramedStream.pieces(of: octets, readsOf: size) == expected)
  }

  @Test("a hundred messages in one read are a hundred messages")  // D34
  func manyInOneRead() {
    let messages = (0..<100).map { streamed(adding: ["X: \($0)"], body: String(repeating: "b", count: $0)) }
    var stream = FramedStream()
    stream.read(messages.joined())
    #expect(stream.pieces == messages.map { .message($0) })
  }

  @Test("only a message that began and did not end counts as partial")  // D35
  func isInsideMessage() {
    var stream = FramedStream()
    stream.read("\r\n\r".utf8)
    #expect(!stream.framer.isInsideMessage && stream.kept.isEmpty)
    stream.read("\nO".utf8)
    #expect(stream.framer.isInsideMessage && stream.pieces == [.ping])
    stream.read(streamed().dropFirst())
    #expect(!stream.framer.isInsideMessage && stream.pieces == [.ping, .message(streamed())])
  }

  @Test("the longest message arrives octet by octet without being read again and again")  // D35, E42
  func linear() {
    // If each octet made all before it be looked at again, this would take 35,000,000,000 looks.
    let filler = (0..<500).map { "X-\($0): " + String(repeating: "x", count: 110) }
    let folded = "Folded: " + String(repeating: "a\r\n ", count: 500)
    let section = request(adding: filler + [folded, "Content-Length: 200000"])
    #expect(section.count > 60_000 && section.count < 65_536)
    let octets = section + [UInt8](repeating: 7, count: 200_000)
    var framer = StreamFramer()
    var last = StreamFramer.Finding.incomplete
    for count in 1...octets.count {
      guard last == .incomplete else { break }
      last = framer.next(octets.span.extracting(first: count)).finding
    }
    #expect(last == .message(ByteRange(0, octets.count)))
  }
}

@Suite("RFC 5626 §4.4.1: keep-alives in a stream")
struct StreamPingTests {
  @Test(
    "double CRLF between messages is a ping, a single one is nothing",  // D33, D65, D66
    arguments: [
      ("", 0), ("\r\n", 0), ("\r\n\r\n", 1), ("\r\n\r\n\r\n", 1), ("\r\n\r\n\r\n\r\n", 2), ("\r\r\n\r\n", 1),
      ("\r\n\n\r\n", 0), ("\n\n\n\n", 0), ("\r\n\0\r\n", 0), ("\r\n\r\r\n\r\n", 1), ("\r\r\r\r", 0),
    ])
  func pings(_ blanks: String, _ expected: Int) {
    for size in [1, 3, 100] {
      let octets = streamed() + Array(blanks.utf8) + streamed()
      let pieces =
        [.message(streamed())] + [StreamPiece](repeating: .ping, count: expected) + [.message(streamed())]
      #expect(FramedStream.pieces(of: octets, readsOf: size) == pieces)
    }
  }

  @Test("double CRLF inside a message is none")  // D66
  func insideMessage() {
    let octets = streamed(body: "\r\n\r\n\r\n\r\n")
    for size in [1, octets.count] {
      #expect(FramedStream.pieces(of: octets, readsOf: size) == [.message(octets)])
    }
  }

  @Test("an answer to a ping of ours and a ping of theirs are told apart by their number of CRLFs")  // D65
  func acrossMessages() {
    // One CRLF before a message and one behind it are no ping.
    let octets = crlf + streamed() + crlf + streamed() + crlf + crlf
    let expected: [StreamPiece] = [.message(streamed()), .message(streamed()), .ping]
    #expect(FramedStream.pieces(of: octets, readsOf: 1) == expected)
  }
}

@Suite("RFC 3261 §18.3: a stream whose framing is lost")
struct LostFramingTests {
  @Test(
    "a Content-Length that does not say one thing loses framing",  // D31, D32, E41
    arguments: [
      ([], "400 Missing Content-Length"),
      (["Content-Length"], "400 Missing Content-Length"),
      (["Content Length: 1"], "400 Missing Content-Length"),
      (["Transfer-Encoding: chunked"], "400 Missing Content-Length"),  // D36
      (["Content-Length: -1"], "400 Malformed Content-Length"),
      (["Content-Length: +1"], "400 Malformed Content-Length"),
      (["Content-Length: 0x10"], "400 Malformed Content-Length"),
      (["Content-Length: 1.0"], "400 Malformed Content-Length"),
      (["Content-Length: 1 2"], "400 Malformed Content-Length"),
      (["Content-Length: 1\r\n 2"], "400 Malformed Content-Length"),
      (["Content-Length: 5, 5"], "400 Malformed Content-Length"),
      (["Content-Length: five"], "400 Malformed Content-Length"),
      (["Content-Length:"], "400 Malformed Content-Length"),
      (["l: "], "400 Malformed Content-Length"),
      (["Content-Length: 5", "Content-Length: 5"], "400 Repeated Content-Length"),
      (["Content-Length: 5", "l: 5"], "400 Repeated Content-Length"),
      (["L: 5", "Subject: s", "content-length : 6"], "400 Repeated Content-Length"),
    ])
  func lengths(_ rows: [String], _ reason: String) {
    let section = request(adding: rows)
    let octets = section + Array("whatever\r\n\r\n".utf8) + streamed()
    for size in [1, 7, octets.count] {
      #expect(FramedStream.pieces(of: octets, readsOf: size) == [.broken(reason, section)])
    }
    #expect(verdict(section, datagram: false).hasPrefix("400 "))
  }

  @Test(
    "more than the body limit is refused before the body comes",  // D31, D35
    arguments: [
      "262145", "4294967296", "4294967300", "18446744073709551615", "18446744073709551616",
      "1\(String(repeating: "0", count: 99))",
    ])
  func tooLarge(_ length: String) {
    let section = request(adding: ["Content-Length: \(length)"])
    let expected = StreamPiece.overflow("413 Request Entity Too Large", section)
    #expect(FramedStream.pieces(of: section, readsOf: 1) == [expected])
    #expect(FramedStream.pieces(of: section + streamed(), readsOf: 10_000) == [expected])
    #expect(verdict(section, datagram: false) == "413 Request Entity Too Large")
    #expect(verdict(section) == "400 Content-Length Too Large")
  }

  @Test("the largest body and the largest header section pass, one octet more does not")  // D35, E42
  func limits() {
    let limits = StreamLimits(headerSection: 400, body: 10)
    #expect(FramedStream.pieces(of: streamed(body: "0123456789"), readsOf: 3, limits: limits).count == 1)
    let section = request(adding: ["l: 11"])
    #expect(
      FramedStream.pieces(of: section, readsOf: 3, limits: limits)
        == [.overflow("413 Request Entity Too Large", section)])

    let short = streamed(adding: ["X: "])
    let longest = streamed(adding: ["X: " + String(repeating: "x", count: 400 - short.count)])
    let tooLong = streamed(adding: ["X: " + String(repeating: "x", count: 401 - short.count)])
    for size in [1, 9, 400, 1_000] {
      #expect(FramedStream.pieces(of: longest, readsOf: size, limits: limits) == [.message(longest)])
      #expect(
        FramedStream.pieces(of: tooLong + longest, readsOf: size, limits: limits)
          == [.overflow("400 Header Section Too Large", Array(tooLong[..<400]))])
    }
  }

  @Test("a header section without end, or without any line, stops at the limit")  // D35
  func endless() {
    for octet in [UInt8(ascii: "a"), 0xFF, UInt8(ascii: " ")] {
      let octets = [UInt8](repeating: octet, count: 70_000)
      let expected = StreamPiece.overflow("400 Header Section Too Large", Array(octets[..<65_536]))
      #expect(FramedStream.pieces(of: octets, readsOf: 1_000) == [expected])
    }
  }

  @Test(
    "bare LF and lone CR lose framing once the header section has ended",  // E43
    arguments: [
      ("OPTIONS sip:a SIP/2.0\nl: 0\n\n", "400 Bare Line Feed"),
      ("OPTIONS sip:a SIP/2.0\r\nl: 0\n\r\n", "400 Bare Line Feed"),
      ("OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\n", "400 Bare Line Feed"),
      ("OPTIONS sip:a SIP/2.0\r\nSubject: a\n b\r\nl: 0\r\n\r\n", "400 Bare Line Feed"),
      ("OPTIONS sip:a SIP/2.0\r\nSubject: a\rb\r\nl: 0\r\n\r\n", "400 Lone Carriage Return"),
      ("OPTIONS sip:a SIP/2.0\r\n\rl: 0\r\n\r\n", "400 Lone Carriage Return"),
      ("OPTIONS sip:a SIP/2.0\r\nl: 0\r\r\n\r\n", "400 Lone Carriage Return"),
      ("OPTIONS sip:a SIP/2.0\rl: 0\r\n\r\n", "400 Lone Carriage Return"),
    ])
  func lineBreaks(_ text: String, _ reason: String) {
    let octets = Array(text.utf8)
    for size in [1, 5, octets.count] {
      #expect(FramedStream.pieces(of: octets, readsOf: size) == [.broken(reason, octets)])
      #expect(FramedStream.pieces(of: octets + streamed(), readsOf: size) == [.broken(reason, octets)])
    }
  }
}
