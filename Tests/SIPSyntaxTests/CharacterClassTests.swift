import SIPSyntax
import Testing

@Suite("RFC 3261 §25.1: character classes")
struct CharacterClassTests {
  static let tokens = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~".utf8)

  /// A request whose method and CSeq method hold `byte`.
  private func requestWithMethodByte(_ byte: UInt8) -> [UInt8] {
    request("AxB sip:h SIP/2.0").map { $0 == UInt8(ascii: "x") ? byte : $0 }
  }

  @Test("a method is made of token characters, read byte by byte")  // E2
  func methods() {
    for byte in UInt8.min...UInt8.max where byte != UInt8(ascii: " ") {
      let isAccepted = verdict(requestWithMethodByte(byte)) == "well-formed"
      #expect(isAccepted == CharacterClassTests.tokens.contains(byte), "byte \(byte)")
    }
  }

  @Test("E34: a branch is made of token characters wherever they stand", arguments: [0, 7, 8, 15, 16, 31])
  func branches(position: Int) {
    for byte in UInt8.min...UInt8.max {
      var value = Array("SIP/2.0/UDP h;branch=".utf8)
      let start = value.count
      value += Array(repeating: UInt8(ascii: "a"), count: 32)
      value[start + position] = byte
      let via = parseVia(value.span, ByteRange(0, value.count))
      // a separator or a blank may end the value: what is left of it is judged then
      let isWhole = via?.branch?.count == 32
      #expect(isWhole == CharacterClassTests.tokens.contains(byte), "byte \(byte) at \(position)")
    }
  }

  @Test("E5: a URI holds no blank, control, quote or angle bracket anywhere", arguments: [0, 15, 16, 40])
  func uris(position: Int) {
    for byte in UInt8.min...UInt8.max where byte != UInt8(ascii: "@") && byte != UInt8(ascii: "%") {
      var value = Array("sip:".utf8) + Array(repeating: UInt8(ascii: "a"), count: 50) + Array("@h".utf8)
      value[4 + position] = byte
      let isRead = SIPURI(parsing: value.span, ByteRange(0, value.count)) != nil
      let isForbidden = byte <= 32 || byte == 127 || "<>\"".utf8.contains(byte)
      let isEmptyUser = position == 0 && byte == UInt8(ascii: ":")
      #expect(isRead == (!isForbidden && !isEmptyUser), "byte \(byte) at \(position)")
    }
  }
}
