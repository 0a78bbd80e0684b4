import SIPSyntax

/// What tells the messages of one run from those of every other: eight hexadecimal digits.
///
/// The Call-ID is `CALL-RUN@load`, so that an answer finds its call by index, without any table of strings.
struct RunName: CustomStringConvertible {
  /// The eight digits.
  let description: String

  private let digits: [UInt8]

  /// A name made of 32 random bits.
  init(_ random: UInt32) {
    var output = OutputBuffer(capacity: 8)
    output.append(hexadecimal: UInt64(random), digits: 8)
    digits = output.bytes
    description = String(decoding: digits, as: UTF8.self)
  }

  /// The number of the call that a Call-ID of this run names; nil for any other Call-ID.
  func call(in bytes: Span<UInt8>, _ callID: ByteRange) -> UInt32? {
    let start = callID.lowerBound
    guard callID.count >= 17, callID.upperBound <= bytes.count, bytes[start + 8] == UInt8(ascii: "-") else {
      return nil
    }
    for offset in 0..<8 where bytes[start + 9 + offset] != digits[offset] { return nil }
    var number: UInt32 = 0
    for offset in 0..<8 {
      switch bytes[start + offset] {
      case let digit where digit.isDigit: number = number << 4 | UInt32(digit - 48)
      case let letter where (97...102).contains(letter): number = number << 4 | UInt32(letter - 87)
      default: return nil
      }
    }
    return number
  }
}

extension UInt8 {
  fileprivate var isDigit: Bool { self >= 48 && self <= 57 }
}
