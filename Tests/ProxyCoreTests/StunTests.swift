import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing

/// A STUN message being written by hand; everything is in the tests' own words, so that a mistake of the
/// proxy's cannot hide in shared code.
private struct Stun {
  static let transaction: [UInt8] = [
    0x21, 0x12, 0xA4, 0x42, 0xC0, 0xDE, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
  ]
  var type: UInt16 = 0x0001
  var attributes: [UInt8] = []
  var transaction = Stun.transaction

  static func words(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xFF)] }

  static func header(_ type: UInt16, _ length: Int, _ transaction: [UInt8] = Stun.transaction) -> [UInt8] {
    words(type) + words(UInt16(length)) + transaction
  }

  var bytes: [UInt8] { Stun.header(type, attributes.count, transaction) + attributes }

  /// With an attribute, padded to four octets with `padding`.
  func with(_ type: UInt16, _ value: [UInt8], padding: UInt8 = 0) -> Stun {
    var message = self
    message.attributes += Stun.words(type) + Stun.words(UInt16(value.count)) + value
    while message.attributes.count % 4 != 0 { message.attributes.append(padding) }
    return message
  }

  /// With the checksum of what is there so far; `error` spoils it.
  func fingerprinted(error: UInt32 = 0) -> Stun {
    var covered = bytes
    covered.replaceSubrange(2..<4, with: Stun.words(UInt16(attributes.count + 8)))
    let sum = Stun.checksum(covered) ^ 0x5354_554E ^ error
    return with(0x8028, [24, 16, 8, 0].map { UInt8(sum >> $0 & 0xFF) })
  }

  static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var sum = UInt32.max
    for byte in bytes {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
    }
    return ~sum
  }
}

private let client = "203.0.113.5:5062"
/// 5062 and 203.0.113.5 with the magic cookie over them.
private let mapped: [UInt8] = [
  0x00, 0x20, 0, 8, 0, 1, 0x13 ^ 0x21, 0xC6 ^ 0x12, 203 ^ 0x21, 0 ^ 0x12, 113 ^ 0xA4, 5 ^ 0x42,
]

@Suite("RFC 5626 §5.4, §8 with RFC 5389: STUN keep-alives")
struct StunTests {
  /// D67, G8.
  @Test("A Binding request is answered with the address it came from, and no SIP message was seen")
  func bindsIPv4() throws {
    try withStage { stage in
      let answers = stage.driver.deliver(Stun().bytes, from: client)
      #expect(answers.map(\.bytes) == [Stun.header(0x0101, 12) + mapped])
      #expect(answers.first?.destination == client)
      #expect(answers.first?.flow.local.description == "192.0.2.10")
      #expect(stage.count(.stunBindingsAnswered) == 1)
      #expect(stage.count(.droppedUnrecognisable) == 0 && stage.count(.requestsReceived) == 0)
    }
  }

  /// D67: the address of IPv6 is hidden behind the cookie and the transaction's number.
  @Test("The same over IPv6")
  func bindsIPv6() throws {
    try withStage { stage in
      let address: [UInt8] = [0x20, 0x01, 0x0D, 0xB8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0xAB, 0xCD]
      let port: [UInt8] = [0, 2, 0x13 ^ 0x21, 0xC4 ^ 0x12]
      let value: [UInt8] = port + zip(address, Stun.transaction).map { $0 ^ $1 }
      let answers = stage.driver.deliver(Stun().bytes, from: "[2001:db8:1:2:3:4:5:abcd]:5060")
      #expect(answers.map(\.bytes) == [Stun(type: 0x0101).with(0x0020, value).bytes])
    }
  }

  /// D67: RFC 5389 section 15.5; the checksum's own check value first.
  @Test("A request with FINGERPRINT gets an answer with one")
  func fingerprints() throws {
    #expect(Stun.checksum(Array("123456789".utf8)) == 0xCBF4_3926)
    try withStage { stage in
      let request = Stun().with(0x8022, Array("phone".utf8), padding: 0x20).fingerprinted()
      let answer = try #require(stage.driver.deliver(request.bytes, from: client).first)
      #expect(answer.bytes == Stun(type: 0x0101, attributes: mapped).fingerprinted().bytes)
      #expect(stage.driver.deliver(Stun().fingerprinted(error: 1).bytes, from: client).isEmpty)
      #expect(stage.driver.deliver(Stun().fingerprinted().with(0x8022, [1]).bytes, from: client).isEmpty)
      #expect(stage.count(.droppedStun) == 2)
    }
  }

  /// D67: RFC 5389 sections 7.3.1 and 15.
  @Test("What must be understood and is not gets 420 with its types; what may be ignored is")
  func unknownAttributes() throws {
    try withStage { stage in
      // CHANGE-REQUEST of RFC 3489, one more, and USERNAME, which is known.
      let request = Stun().with(0x0003, [0, 0, 0, 6]).with(0x0006, [65]).with(0x7FFF, [])
      let answer = try #require(stage.driver.deliver(request.bytes, from: client).first)
      let expected = Stun(type: 0x0111)
        .with(0x0009, [0, 0, 4, 20] + Array("Unknown Attribute".utf8))
        .with(0x000A, [0x00, 0x03, 0x7F, 0xFF])
      #expect(answer.bytes == expected.bytes)
      #expect(stage.count(.stunBindingsRefused) == 1)
      // Three types are padded to four.
      let odd = try #require(
        stage.driver.deliver(request.with(0x0002, [9]).fingerprinted().bytes, from: client).first)
      let list: [UInt8] = [0x00, 0x03, 0x7F, 0xFF, 0x00, 0x02]
      let code: [UInt8] = [0, 0, 4, 20] + Array("Unknown Attribute".utf8)
      #expect(
        odd.bytes == Stun(type: 0x0111).with(0x0009, code).with(0x000A, list).fingerprinted().bytes)
      // Behind MESSAGE-INTEGRITY nothing counts (section 15.4).
      let signed = Stun().with(0x0008, [UInt8](repeating: 1, count: 20)).with(0x0003, [0, 0, 0, 6])
      #expect(stage.driver.deliver(signed.bytes, from: client).first?.bytes.prefix(2) == [1, 1])
      #expect(stage.driver.deliver(Stun().with(0xC001, [1, 2, 3]).bytes, from: client).count == 1)
    }
  }

  static let invalid: [(name: String, bytes: [UInt8])] = [
    ("one octet", [1]), ("a header cut short", Array(Stun().bytes.dropLast())),
    ("an indication", Stun(type: 0x0011).bytes), ("a response", Stun(type: 0x0101).bytes),
    ("another method", Stun(type: 0x0003).bytes),
    ("another cookie", Stun(transaction: [UInt8](repeating: 7, count: 16)).bytes),
    ("a length too great", Stun.header(0x0001, 4)),
    ("a length too small", Stun().with(0x8022, [1]).bytes + [0]),
    ("no multiple of four", Stun.header(0x0001, 2) + [0, 0]),
    ("a value past the end", Stun.header(0x0001, 4) + [0x80, 0x22, 0, 1]),
    ("a FINGERPRINT of five octets", Stun().with(0x8028, [1, 2, 3, 4, 5]).bytes),
    ("longer than a path is known to carry", Stun().with(0x8022, [UInt8](repeating: 1, count: 528)).bytes),
    ("SIP behind a zero", [0] + Draft.request().bytes),
  ]

  /// D67, G8: nobody learns anything by being wrong, and nothing of it is read as SIP.
  @Test("Anything else that begins with octet 0 or 1 is dropped and counted", arguments: invalid)
  func drops(_ row: (name: String, bytes: [UInt8])) throws {
    try withStage { stage in
      #expect(stage.driver.deliver(row.bytes, from: client).isEmpty)
      #expect(stage.count(.droppedStun) == 1)
      #expect(stage.count(.requestsReceived) == 0 && stage.count(.droppedUnrecognisable) == 0)
    }
  }

  /// D68.
  @Test("A datagram of zeros is a keep-alive without an answer", arguments: [1, 4, 20, 64])
  func zeros(count: Int) throws {
    try withStage { stage in
      #expect(stage.driver.deliver([UInt8](repeating: 0, count: count), from: client).isEmpty)
      #expect(stage.count(.keepAlivesReceived) == 1 && stage.count(.droppedStun) == 0)
    }
  }

  /// G8: what the answer may be, whatever the request asks for.
  @Test("No answer is more than two and a half times as long as its request")
  func amplification() throws {
    try withStage { stage in
      for count in 0..<120 {
        var request = Stun()
        for index in 0..<count { request = request.with(UInt16(0x4000 + index), []) }
        for bytes in [request.bytes, request.fingerprinted().bytes] {
          for source in [client, "[2001:db8::7]:9"] {
            let answers = stage.driver.deliver(bytes, from: source)
            #expect(answers.count == 1)
            #expect((answers.first?.bytes.count ?? 0) * 2 <= bytes.count * 5)
          }
        }
      }
    }
  }
}
