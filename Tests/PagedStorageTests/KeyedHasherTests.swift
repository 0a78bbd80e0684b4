import PagedStorage
import Testing

/// SipHash written a second time, straight from the paper's description over a whole array.
func referenceSipHash(
  _ key: [UInt8], _ message: [UInt8], wide: Bool, rounds: (each: Int, last: Int) = (2, 4)
) -> [UInt8] {
  func word(_ bytes: some Collection<UInt8>) -> UInt64 {
    bytes.enumerated().reduce(0) { $0 | UInt64($1.element) << (8 * $1.offset) }
  }
  func bytes(_ word: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  func rotate(_ word: UInt64, _ by: UInt64) -> UInt64 { word << by | word >> (64 - by) }
  let constants: [UInt64] = [0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261, 0x7465646279746573]
  var v = (0..<4).map { constants[$0] ^ word(key[($0 % 2 * 8)..<($0 % 2 * 8 + 8)]) }
  if wide { v[1] ^= 0xee }
  func mix(_ count: Int) {
    for _ in 0..<count {
      v[0] &+= v[1]
      v[2] &+= v[3]
      v[1] = rotate(v[1], 13) ^ v[0]
      v[3] = rotate(v[3], 16) ^ v[2]
      v[0] = rotate(v[0], 32)
      v[2] &+= v[1]
      v[0] &+= v[3]
      v[1] = rotate(v[1], 17) ^ v[2]
      v[3] = rotate(v[3], 21) ^ v[0]
      v[2] = rotate(v[2], 32)
    }
  }
  var padded = message
  while padded.count % 8 != 7 { padded.append(0) }
  padded.append(UInt8(truncatingIfNeeded: message.count))
  for start in stride(from: 0, to: padded.count, by: 8) {
    let block = word(padded[start..<start + 8])
    v[3] ^= block
    mix(rounds.each)
    v[0] ^= block
  }
  v[2] ^= wide ? 0xee : 0xff
  mix(rounds.last)
  let first = bytes(v.reduce(0, ^))
  guard wide else { return first }
  v[1] ^= 0xdd
  mix(rounds.last)
  return first + bytes(v.reduce(0, ^))
}

@Suite("G11: the keyed hash is SipHash")
struct KeyedHasherTests {
  static let keyBytes: [UInt8] = Array(0..<16)
  static let key = HashKey(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)

  static func littleEndian(_ hash: Hash128) -> [UInt8] {
    [hash.low, hash.high].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }

  @Test("the vector of the paper: fifteen bytes under the key 00 to 0f")
  func vectorOfThePaper() {
    var hasher = KeyedHasher(key: Self.key, output: .bits64)
    let message: [UInt8] = Array(0..<15)
    hasher.append(message.span)
    #expect(hasher.finish64() == 0xa129_ca61_49be_45e5)
    #expect(
      referenceSipHash(Self.keyBytes, message, wide: false) == [
        0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1,
      ])
  }

  @Test("both widths agree with a second implementation at every length", arguments: 0..<130)
  func allLengths(length: Int) {
    let message = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
    var narrow = KeyedHasher(key: Self.key, output: .bits64)
    narrow.append(message.span)
    var wide = KeyedHasher(key: Self.key)
    wide.append(message.span)
    let hash = wide.finish()
    #expect(Self.littleEndian(hash) == referenceSipHash(Self.keyBytes, message, wide: true))
    let narrowBytes = Self.littleEndian(Hash128(high: 0, low: narrow.finish64())).prefix(8)
    #expect(Array(narrowBytes) == referenceSipHash(Self.keyBytes, message, wide: false))
  }

  @Test("what only finds places has fewer rounds: SipHash-1-3", arguments: 0..<40)
  func lookup(length: Int) {
    let message = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 11 &+ 5) }
    var hasher = KeyedHasher(key: Self.key, for: .lookup)
    hasher.append(message.span)
    let expected = referenceSipHash(Self.keyBytes, message, wide: true, rounds: (1, 3))
    #expect(Self.littleEndian(hasher.finish()) == expected)
  }

  @Test("how the bytes are cut into pieces makes no difference", arguments: [21, 22, 23] as [UInt64])
  func anyPieces(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      let message = (0..<Int.random(in: 0...90, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      var hasher = KeyedHasher(key: Self.key)
      var position = 0
      while position < message.count {
        let end = min(message.count, position + Int.random(in: 1...20, using: &random))
        if end - position == 1 {
          hasher.append(message[position])
        } else if end - position == 8 {
          let word = (0..<8).reduce(UInt64(0)) { $0 | UInt64(message[position + $1]) << (8 * $1) }
          hasher.append(word)
        } else {
          hasher.append(message.span, from: position, to: end)
        }
        position = end
      }
      #expect(Self.littleEndian(hasher.finish()) == referenceSipHash(Self.keyBytes, message, wide: true))
    }
  }

  /// The octets of a field as they are hashed.
  static func encoded(_ field: [UInt8]) -> [UInt8] {
    let length = (0..<8).map { UInt8(truncatingIfNeeded: field.count >> (8 * $0)) }
    return length + field + Array(repeating: 0, count: (8 - field.count % 8) % 8)
  }

  @Test("a field is its length, its bytes and zeros up to a whole word", arguments: 0..<40)
  func fields(length: Int) {
    let field = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ 1) }
    var hasher = KeyedHasher(key: Self.key)
    hasher.append(UInt8(9))
    hasher.appendField(field.span, from: 0, to: length)
    hasher.appendField(field.span, from: length / 2, to: length)
    hasher.append(UInt64(0x0807_0605_0403_0201))
    hasher.append(UInt8(9))
    let message =
      [9, 0, 0, 0, 0, 0, 0, 0] + Self.encoded(field) + Self.encoded(Array(field[(length / 2)...]))
      + [1, 2, 3, 4, 5, 6, 7, 8, 9]
    #expect(Self.littleEndian(hasher.finish()) == referenceSipHash(Self.keyBytes, message, wide: true))
  }

  @Test("lowercasing changes the 26 capitals and nothing else")
  func lowercasing() {
    let all: [UInt8] = Array(0...255) + Array(0...255).reversed()
    let lowered = all.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
    for start in 0..<9 {
      var folded = KeyedHasher(key: Self.key)
      folded.appendLowercasedField(all.span, from: start, to: all.count - start)
      var plain = KeyedHasher(key: Self.key)
      plain.appendField(lowered.span, from: start, to: all.count - start)
      #expect(folded.finish() == plain.finish())
    }
  }

  @Test("another key gives another hash")
  func keyed() {
    var one = KeyedHasher(key: Self.key)
    var other = KeyedHasher(key: HashKey(1, 2))
    one.append(1 as UInt8)
    other.append(1 as UInt8)
    #expect(one.finish() != other.finish())
  }
}
