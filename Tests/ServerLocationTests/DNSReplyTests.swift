import PagedStorage
import SIPSyntax
import Testing

@testable import ServerLocation

@Suite("RFC 1035 §4.1: replies on the wire")
struct DNSReplyTests {
  /// A reply to `a.example A` with one record and a pointer at its start.
  static let plain: [UInt8] =
    [0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, 97, 7] + Array("example".utf8) + [0, 0, 1, 0, 1]
    + [0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1]

  static let question = ask("a.example", .a)

  @Test("A plain reply")
  func plain() {
    #expect(
      DNSAnswer(reply: Self.plain.span, to: Self.question)
        == .records([.address(IPAddress(v4: 0xC000_0201))], timeToLive: 300))
  }

  @Test("A reply cut off anywhere is none")
  func cutOff() {
    for count in 0..<Self.plain.count {
      let part = Array(Self.plain.prefix(count))
      #expect(DNSAnswer(reply: part.span, to: Self.question) == nil, "\(count) octets")
    }
  }

  @Test("What is no reply, or is in another class, says nothing")
  func otherKinds() {
    var query = Self.plain
    query[2] = 1
    #expect(DNSAnswer(reply: query.span, to: Self.question) == nil)
    var chaos = Self.plain
    chaos[32] = 3
    #expect(DNSAnswer(reply: chaos.span, to: Self.question) == .some(.none(timeToLive: 5)))
  }

  @Test("A time to live with the top bit set is zero (RFC 2181 §8)")
  func topBit() {
    var reply = Self.plain
    reply[33] = 0x80
    #expect(
      DNSAnswer(reply: reply.span, to: Self.question)
        == .records([.address(IPAddress(v4: 0xC000_0201))], timeToLive: 0))
  }

  @Test("Pointers that go in circles, forward or nowhere are no names", arguments: [27, 28, 200, 0x3FFF])
  func pointers(place: Int) {
    var reply = Self.plain
    (reply[27], reply[28]) = (0xC0 | UInt8(place >> 8), UInt8(place & 0xFF))
    #expect(DNSAnswer(reply: reply.span, to: Self.question) == .some(.none(timeToLive: 5)))
  }

  @Test("Octets of any kind are read without harm", arguments: 0..<20 as Range<UInt64>)
  func anything(seed: UInt64) {
    var random = SelectionGenerator(key: HashKey(seed, 3))
    for _ in 0..<2_000 {
      var reply = Self.plain
      for _ in 0..<Int.random(in: 1...12, using: &random) {
        let place = Int.random(in: 0..<reply.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: reply.insert(0xC0, at: place)
        case 1: reply.remove(at: place)
        case 2: reply[place] = UInt8.random(in: 0...35, using: &random)
        default: reply[place] = .random(in: 0...255, using: &random)
        }
      }
      for type in DNSRecordType.allCases {
        _ = DNSAnswer(reply: reply.span, to: DNSQuestion(name: Self.question.name, type: type))
      }
    }
  }
}
