// RFC 4648 section 5: base64url without padding, in which tokens stand in our URIs.

import SIPSyntax

/// The few octets of a token, without a heap allocation.
struct TokenBytes {
  /// The longest token: a connection to an IPv6 address, with its MAC.
  private static var capacity: Int { 41 }

  private var octets = InlineArray<42, UInt8>(repeating: 0)
  private(set) var count = 0

  init() {}

  subscript(position: Int) -> UInt8 { octets[position] }

  mutating func append(_ octet: UInt8) {
    precondition(count < Self.capacity, "a token has at most 41 octets")
    octets[count] = octet
    count += 1
  }

  /// Appends the low octets of a number, most significant first.
  mutating func append(_ number: UInt64, octets width: Int) {
    var shift = UInt64(width) * 8
    while shift > 0 {
      shift -= 8
      append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }

  /// The number that starts at an octet.
  func number(at start: Int, octets width: Int) -> UInt64 {
    var number: UInt64 = 0
    for position in start..<start + width { number = number << 8 | UInt64(octets[position]) }
    return number
  }

  mutating func removeLast(octets width: Int) -> UInt64 {
    count -= width
    return number(at: count, octets: width)
  }

  /// Decodes base64url without padding; nil for other characters, too many, or stray bits.
  init?(base64 text: ByteRange, in bytes: Span<UInt8>) {
    guard text.upperBound <= bytes.count, text.count * 6 / 8 <= Self.capacity else { return nil }
    var bits: UInt32 = 0
    var available: UInt32 = 0
    var position = text.lowerBound
    while position < text.upperBound {
      guard let digit = Self.digit(bytes[position]) else { return nil }
      bits = bits << 6 | UInt32(digit)
      available += 6
      if available >= 8 {
        available -= 8
        append(UInt8(truncatingIfNeeded: bits >> available))
        bits &= (1 << available) - 1
      }
      position += 1
    }
    guard available < 6, bits == 0 else { return nil }
  }

  /// Appends these octets as base64url without padding: only token characters.
  func writeBase64(to output: inout OutputBuffer) {
    output.append(upTo: (count * 8 + 5) / 6) { output in
      var bits: UInt32 = 0
      var available: UInt32 = 0
      for position in 0..<count {
        bits = bits &<< 8 | UInt32(octets[position])
        available &+= 8
        while available >= 6 {
          available &-= 6
          output.append(Self.character(UInt8(truncatingIfNeeded: bits &>> available & 63)))
        }
        bits &= (1 &<< available) &- 1
      }
      if available > 0 {
        output.append(Self.character(UInt8(truncatingIfNeeded: bits &<< (6 &- available) & 63)))
      }
    }
  }

  private static func digit(_ character: UInt8) -> UInt8? {
    switch character {
    case 0x41...0x5A: character - 0x41
    case 0x61...0x7A: character - 0x61 + 26
    case 0x30...0x39: character - 0x30 + 52
    case 0x2D: 62
    case 0x5F: 63
    default: nil
    }
  }

  private static func character(_ digit: UInt8) -> UInt8 {
    switch digit {
    case 0..<26: digit + 0x41
    case 26..<52: digit - 26 + 0x61
    case 52..<62: digit - 52 + 0x30
    case 62: 0x2D
    default: 0x5F
    }
  }
}
