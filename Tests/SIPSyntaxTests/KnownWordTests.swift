@testable import SIPSyntax
import Testing

/// Numbers that stand for words of the grammar are those words.
@Suite("Words as numbers")
struct KnownWordTests {
  private static let words: [(KnownWord, String)] = [
    (.sip, "sip"), (.sips, "sips"), (.tel, "tel"), (.lr, "lr"), (.ob, "ob"), (.token, "ck"), (.ttl, "ttl"),
    (.user, "user"), (.maddr, "maddr"), (.method, "method"), (.tag, "tag"), (.branch, "branch"),
    (.rport, "rport"), (.received, "received"), (.magicCookie, "z9hG4bK"), (.uac, "uac"), (.uas, "uas"),
    (.protocolName, "SIP/"), (.protocolVersion, "SIP/2.0"),
  ]

  private static func isWord(_ bytes: [UInt8], _ count: Int, _ word: KnownWord) -> Bool {
    bytes.span.isWord(ByteRange(0, count), word)
  }

  private static func method(_ bytes: [UInt8], _ count: Int) -> SIPMethod {
    SIPMethod(bytes.span, ByteRange(0, count))
  }

  @Test("A known word equals its text in either letter case, and nothing else")
  func words() {
    for (word, text) in Self.words {
      for spelling in [text, text.uppercased(), text.lowercased()] {
        // With and without eight bytes behind it: both ways to load it.
        for behind in ["", " and more of the message"] {
          let bytes = Array((spelling + behind).utf8)
          #expect(Self.isWord(bytes, text.utf8.count, word), "\(text)")
        }
      }
      var other = Array(text.utf8)
      other[other.count - 1] ^= 1
      #expect(!Self.isWord(other, other.count, word), "\(text)")
      #expect(!Self.isWord(other, other.count - 1, word), "\(text)")
    }
  }

  /// E2: method names are case-sensitive.
  @Test("Every method is read by its exact name")
  func methods() {
    for method in SIPMethod.allCases where method != .other {
      let name = "\(method.name)"
      for behind in ["", " sip:example.org SIP/2.0"] {
        let bytes = Array((name + behind).utf8)
        #expect(Self.method(bytes, name.utf8.count) == method)
      }
      let small = Array(name.lowercased().utf8)
      #expect(Self.method(small, small.count) == .other)
      let longer = Array((name + "S").utf8)
      #expect(Self.method(longer, longer.count) == .other)
    }
  }

  /// E1: what is written in another letter case is read, and known to need a correction.
  @Test("Only SIP/2.0 in upper case is canonical", arguments: [("SIP/2.0", true), ("sip/2.0", false)])
  func version(_ version: String, _ isCanonical: Bool) {
    var message = SIPMessage()
    for line in ["OPTIONS sip:a@example.org \(version)", "\(version) 200 OK"] {
      let bytes = Array((line + "\r\n\r\n").utf8)
      _ = message.parse(bytes.span)
      let found = message.hasCanonicalVersion
      #expect(found == isCanonical)
    }
  }
}
