// RFC 3261 §25.1: the character classes of the grammar, as two 64-bit masks per class.

extension UInt8 {
  /// The ASCII letter in lower case; every other byte as it is.
  @inline(__always)
  var lowercased: UInt8 { self &- 65 < 26 ? self | 0x20 : self }

  /// 0 to 9.
  @inline(__always)
  var isDigit: Bool { self &- 48 < 10 }

  /// An ASCII letter.
  @inline(__always)
  var isLetter: Bool { (self | 0x20) &- 97 < 26 }

  /// A character of a host name, or of an IPv4 address.
  @inline(__always)
  var isHostCharacter: Bool { isLetter || isDigit || self == 0x2E || self == 0x2D || self == 0x5F }

  /// SP or HTAB.
  @inline(__always)
  var isBlank: Bool { self == 32 || self == 9 }

  /// A byte that linear white space consists of, inside a field value whose folding was verified.
  @inline(__always)
  var isLinearSpace: Bool { self <= 32 && (self == 32 || self == 9 || self == 13 || self == 10) }

  /// CR, LF or NUL: what may stand before a message and is no part of it.
  @inline(__always)
  var isPadding: Bool { self == 13 || self == 10 || self == 0 }

  /// A character of `token`.
  @inline(__always)
  var isToken: Bool { isMember(low: tokenLow, high: tokenHigh) }

  /// Printable ASCII that may stand in a URI as far as we read it: no blank, control, `<`, `>` or `"`.
  @inline(__always)
  var isURICharacter: Bool { self > 0x20 && self < 0x7F && self != 0x3C && self != 0x3E && self != 0x22 }

  /// Value of a hexadecimal digit, nil for any other byte.
  @inline(__always)
  var hexadecimalValue: UInt8? {
    if isDigit { return self &- 48 }
    let letter = (self | 0x20) &- 97
    return letter < 6 ? letter &+ 10 : nil
  }

  @inline(__always)
  private func isMember(low: UInt64, high: UInt64) -> Bool {
    self < 128 && ((self & 64 == 0 ? low : high) &>> UInt64(self)) & 1 == 1
  }
}

// token: alphanumerics and - . ! % * _ + ` ' ~ (verified against the text by a test)
private let tokenLow: UInt64 = 0x03FF_6CA2_0000_0000
private let tokenHigh: UInt64 = 0x47FF_FFFF_87FF_FFFE
