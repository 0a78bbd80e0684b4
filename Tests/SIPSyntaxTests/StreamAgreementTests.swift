import SIPSyntax
import Testing

/// Rows and octets that decide where a message ends, put together at random.
private struct MessageDice {
  var random: SplitMix
  static let rows = [
    "Via: SIP/2.0/TCP h;branch=z9hG4bKx", "From: <sip:a@b>;tag=1", "To: <sip:b@c>", "Call-ID: x",
    "CSeq: 1 OPTIONS",
    "Max-Forwards: 70", "Subject: a\r\n b", "X:\r\n\t\r\n y", "No colon here", ": no name", "l",
    "Content-Length",
    " Content-Length: 3", "X: Content-Length: 3", "Content-Lengthy: 9", "Content-Length\u{0}: 2",
  ]
  static let lengths = [
    "Content-Length: 0", "Content-Length: 4", "l: 4", "L :4", "content-LENGTH\t:\r\n 004 \r\n ", "l: 9",
    "l: -4",
    "Content-Length: 4;x", "Content-Length:",
  ]
  static let breaks = ["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n"]

  static let starts = [
    "OPTIONS sip:a@b SIP/2.0", "SIP/2.0 200 OK", "SIP/2.0 200", "GET / HTTP/1.1", "\u{0}A sip:a SIP/2.0",
  ]
  static let bodies = ["", "body", "body", "\r\n\r\n", "a\0\r\n", "bodyx"]
  static let goodRows = Array(rows[..<6])

  mutating func pick<Element>(_ choices: [Element]) -> Element {
    choices[Int.random(in: 0..<choices.count, using: &random)]
  }

  mutating func message() -> [UInt8] {
    // Half of them have what a message needs, so that some are right.
    var rows = Bool.random(using: &random) ? MessageDice.goodRows : []
    for _ in 0..<pick([0, 1, 2, 6]) {
      rows.insert(pick(MessageDice.rows), at: Int.random(in: 0...rows.count, using: &random))
    }
    for _ in 0..<pick([0, 1, 1, 1, 1, 2]) {
      rows.insert(pick(MessageDice.lengths), at: Int.random(in: 0...rows.count, using: &random))
    }
    let isClean = pick([true, true, false])
    var text = ""
    for line in [pick(MessageDice.starts)] + rows + [""] {
      text += line + (isClean ? "\r\n" : pick(MessageDice.breaks))
    }
    return Array((text + pick(MessageDice.bodies)).utf8)
  }
}

@Suite("RFC 3261 §18.3: framer and parser agree on where a message ends")
struct StreamAgreementTests {
  /// D31-D34, E41.
  @Test("whatever is framed, the parser ends where the framer does", arguments: [UInt64(1), 2, 3, 4])
  func agreement(_ seed: UInt64) {
    print("framer seed \(seed)")
    var dice = MessageDice(random: SplitMix(state: seed))
    var parsed = SIPMessage()
    var (framed, accepted) = (0, 0)
    for _ in 0..<1_000 {
      let octets = dice.message()
      let pieces = FramedStream.pieces(of: octets, readsOf: octets.count)
      for size in [1, 3, 11] where FramedStream.pieces(of: octets, readsOf: size) != pieces {
        Issue.record("reads of \(size) octets change what \(String(reflecting: octets)) is")
      }
      for case .message(let found) in pieces {
        framed += 1
        switch parsed.parse(found.span, datagram: false) {
        case .wellFormed, .malformed: check(parsed.messageEnd == found.count)
        case .unrecognisable, .keepAlive: break
        }
        if case .malformed(let defect) = parsed.parse(found.span, datagram: false) {
          check(defect.field != .contentLength)
        }
      }
      // What is right in a datagram and says its exact length is one message of a stream.
      if case .wellFormed = parsed.parse(octets.span), parsed.first(.contentLength) != nil,
        parsed.messageEnd == octets.count
      {
        accepted += 1
        let start = octets.firstIndex { $0 != 0 } ?? 0
        if pieces != [.message(Array(octets[start...]))] {
          Issue.record("\(String(reflecting: octets)) is no message of a stream")
        }
      }
    }
    print("\(framed) framed, \(accepted) accepted from a datagram")
    #expect(framed > 100 && accepted > 5)
  }

  @Test("torture messages are framed as they are parsed", arguments: SectionFixtureTests.names)
  func fixtures(_ name: String) throws {
    let octets = try #require(fixture(name + ".sip"))
    var parsed = SIPMessage()
    for case .message(let found) in FramedStream.pieces(of: octets, readsOf: 1) {
      switch parsed.parse(found.span, datagram: false) {
      case .wellFormed, .malformed: check(parsed.messageEnd == found.count)
      case .unrecognisable, .keepAlive: break
      }
    }
  }
}
