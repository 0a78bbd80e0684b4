import SIPSyntax
import Testing

@Suite("RFC 3261 §20.8: finding the Call-ID of an unparsed message")
struct CallIDFinderTests {
  private static let before = "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"

  private func found(_ text: String) -> String? {
    let bytes = Array(text.utf8)
    guard let range = CallIDFinder().find(in: bytes.span) else { return nil }
    return String(decoding: bytes[range.lowerBound..<range.upperBound], as: UTF8.self)
  }

  @Test(
    "It is found in every form that the grammar allows",  // E8, E10
    arguments: [
      "Call-ID: a@b\r\n", "i: a@b\r\n", "I:a@b\r\n", "CALL-id \t:  a@b \t \r\n", "Call-ID:\r\n a@b\r\n",
      "Subject: Call-ID: no\r\ni: a@b\r\n", "Subject: x\r\n Call-ID: no\r\ni: a@b\r\n", "Call-ID: a@b\n",
    ])
  func forms(_ row: String) {
    #expect(found(Self.before + row + "CSeq: 1 INVITE\r\n\r\n") == "a@b")
    #expect(found("\r\n\r\n" + Self.before + row + "\r\n") == "a@b")
  }

  @Test(
    "There is none to find",
    arguments: [
      "", "\r\n\r\n", "\0\u{1}", "INVITE sip:b SIP/2.0", "INVITE sip:b SIP/2.0\r\n\r\nCall-ID: body\r\n",
      before + "Call-ID:\r\n\r\n", before + "Call-IDs: a\r\n\r\n", before + "Call ID: a\r\n\r\n",
      before + "\n" + "i: a\r\n\r\n",
    ])
  func nothing(_ text: String) {
    #expect(found(text) == nil)
  }

  /// A worker finds a call by it, so that a difference would tear calls apart.
  @Test("In every message that parses it is what the parser finds, however its octets are changed")
  func agreesWithParser() {
    let seed =
      Self.before + "From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: one@two\r\n"
      + "Subject: x\r\n y\r\ni\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    let octets = Array(seed.replacing("i\r\n", with: "").utf8)
    let replacements = Array("\r\n\t :;i\0C".utf8)
    var message = SIPMessage()
    let finder = CallIDFinder()
    var wellFormed = 0
    for place in octets.indices {
      for replacement in replacements {
        for isInserted in [true, false] {
          var changed = octets
          if isInserted { changed.insert(replacement, at: place) } else { changed[place] = replacement }
          guard case .wellFormed = message.parse(changed.span) else { continue }
          wellFormed += 1
          #expect(finder.find(in: changed.span) == message.callID)
        }
      }
    }
    #expect(wellFormed > 500)
  }
}
