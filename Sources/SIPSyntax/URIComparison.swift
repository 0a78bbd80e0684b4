// RFC 3261 §19.1.4 with RFC 5954 §4.2: when two URIs mean the same (E36).
// Left open: how many parameters to compare. Beyond 32 on either side the two are taken as different, so
// that a hostile URI costs no quadratic time.

extension SIPURI {
  /// Whether two URIs are equivalent; each comes with the bytes it was parsed from.
  ///
  /// Schemes other than sip and sips are compared byte by byte, but for the letter case of the scheme.
  public static func areEquivalent(
    _ left: SIPURI, _ leftBytes: Span<UInt8>, _ right: SIPURI, _ rightBytes: Span<UInt8>
  ) -> Bool {
    guard left.scheme == right.scheme else { return false }
    guard left.scheme == .sip || left.scheme == .sips else {
      return haveSameOpaqueText(left.range, leftBytes, right.range, rightBytes)
    }
    return left.hasUser == right.hasUser && left.port == right.port
      && URIText(leftBytes, left.userInfo).equals(URIText(rightBytes, right.userInfo), leftBytes, rightBytes)
      && haveSameHost(left, leftBytes, right, rightBytes)
      && covers(left, leftBytes, right, rightBytes) && covers(right, rightBytes, left, leftBytes)
      && haveSameHeaders(left.headers, leftBytes, right.headers, rightBytes)
  }

  /// Hosts: numeric ones in binary (D63), names without case.
  static func haveSameHost(
    _ left: SIPURI, _ leftBytes: Span<UInt8>, _ right: SIPURI, _ rightBytes: Span<UInt8>
  ) -> Bool {
    if let first = left.hostAddress, let second = right.hostAddress {
      return first.canonical == second.canonical
    }
    return left.hostAddress == nil && right.hostAddress == nil
      && URIText(leftBytes, left.host).equals(
        URIText(rightBytes, right.host), leftBytes, rightBytes, ignoringCase: true)
  }

  private static func haveSameOpaqueText(
    _ left: ByteRange, _ leftBytes: Span<UInt8>, _ right: ByteRange, _ rightBytes: Span<UInt8>
  ) -> Bool {
    guard left.count == right.count else { return false }
    var isInScheme = true
    for offset in 0..<left.count {
      let first = leftBytes[left.lowerBound + offset]
      let second = rightBytes[right.lowerBound + offset]
      guard isInScheme ? first.lowercased == second.lowercased : first == second else { return false }
      if first == UInt8(ascii: ":") { isInScheme = false }
    }
    return true
  }

  /// Whether each parameter of `left` that counts is in `right` with the same value.
  ///
  /// A parameter in both must match. `transport`, `ttl`, `user`, `method` and `maddr` in only one never
  /// match, not even with the default value; any other one in only one of them is ignored.
  private static func covers(
    _ left: SIPURI, _ leftBytes: Span<UInt8>, _ right: SIPURI, _ rightBytes: Span<UInt8>
  ) -> Bool {
    var walk = URIPieces(left.parameters, separator: UInt8(ascii: ";"))
    var budget = 32
    while let piece = walk.next(leftBytes) {
      budget -= 1
      guard budget >= 0 else { return false }
      guard let other = find(piece.name, leftBytes, in: right.parameters, rightBytes) else {
        if matters(piece.name, leftBytes) { return false }
        continue
      }
      guard piece.hasValue == other.hasValue,
        URIText(leftBytes, piece.value).equals(
          URIText(rightBytes, other.value), leftBytes, rightBytes, ignoringCase: true)
      else { return false }
    }
    return true
  }

  private static func matters(_ name: ByteRange, _ bytes: Span<UInt8>) -> Bool {
    switch name.count {
    case 3: bytes.equalsIgnoringCase(name, "ttl")
    case 4: bytes.equalsIgnoringCase(name, "user")
    case 5: bytes.equalsIgnoringCase(name, "maddr")
    case 6: bytes.equalsIgnoringCase(name, "method")
    case 9: bytes.equalsIgnoringCase(name, "transport")
    default: false
    }
  }

  private static func find(
    _ name: ByteRange, _ nameBytes: Span<UInt8>, in range: ByteRange, _ bytes: Span<UInt8>,
    separator: UInt8 = UInt8(ascii: ";")
  ) -> URIPieces.Piece? {
    var walk = URIPieces(range, separator: separator)
    var budget = 32
    while budget > 0, let piece = walk.next(bytes) {
      budget -= 1
      if URIText(nameBytes, name).equals(URIText(bytes, piece.name), nameBytes, bytes, ignoringCase: true) {
        return piece
      }
    }
    return nil
  }

  /// Headers are never ignored: the same set on both sides, in any order.
  private static func haveSameHeaders(
    _ left: ByteRange?, _ leftBytes: Span<UInt8>, _ right: ByteRange?, _ rightBytes: Span<UInt8>
  ) -> Bool {
    guard let left, let right else { return left == nil && right == nil }
    return hold(left, leftBytes, allOf: right, rightBytes) && hold(right, rightBytes, allOf: left, leftBytes)
  }

  /// Whether `left` has as many headers as `right` and each of `right` with the same value.
  private static func hold(
    _ left: ByteRange, _ leftBytes: Span<UInt8>, allOf right: ByteRange, _ rightBytes: Span<UInt8>
  ) -> Bool {
    let ampersand = UInt8(ascii: "&")
    var walk = URIPieces(right, separator: ampersand)
    var others = URIPieces(left, separator: ampersand)
    var count = 0
    while let piece = walk.next(rightBytes) {
      count += 1
      guard count <= 32, others.next(leftBytes) != nil,
        let other = find(piece.name, rightBytes, in: left, leftBytes, separator: ampersand),
        URIText(rightBytes, piece.value).equals(URIText(leftBytes, other.value), rightBytes, leftBytes)
      else { return false }
    }
    return others.next(leftBytes) == nil
  }
}

/// Walks `;name=value` parameters, or the `&`-separated headers behind a question mark.
private struct URIPieces {
  struct Piece {
    var name: ByteRange
    var value: ByteRange
    var hasValue: Bool
  }

  private var position: Int
  private let end: Int
  private let separator: UInt8

  /// `range` starts with the `;` or `?` before the first piece, or is empty.
  init(_ range: ByteRange, separator: UInt8) {
    position = range.lowerBound
    end = range.upperBound
    self.separator = separator
  }

  mutating func next(_ bytes: Span<UInt8>) -> Piece? {
    let limit = min(end, bytes.count)
    guard position < limit else { return nil }
    position += 1
    let start = position
    var equals = -1
    while position < limit, bytes[position] != separator {
      if bytes[position] == UInt8(ascii: "="), equals < 0 { equals = position }
      position += 1
    }
    return Piece(
      name: ByteRange(start, equals < 0 ? position : equals),
      value: equals < 0 ? .none : ByteRange(equals + 1, position), hasValue: equals >= 0)
  }
}

/// Text of a URI read octet by octet, where an escape of a character outside the reserved set equals that
/// character, and any other escape equals only an escape of the same octet.
private struct URIText {
  private var position: Int
  private let end: Int

  init(_ bytes: Span<UInt8>, _ range: ByteRange) { (position, end) = bytes.bounds(range) }

  /// The next octet, plus 256 when it is escaped and reserved; nil at the end.
  private mutating func next(_ bytes: Span<UInt8>) -> UInt16? {
    guard position < end else { return nil }
    let byte = bytes[position]
    position += 1
    guard byte == UInt8(ascii: "%"), position + 1 < end, let high = bytes[position].hexadecimalValue,
      let low = bytes[position + 1].hexadecimalValue
    else { return UInt16(byte) }
    position += 2
    let octet = high << 4 | low
    return octet.isUnreserved ? UInt16(octet) : UInt16(octet) | 256
  }

  func equals(
    _ other: URIText, _ bytes: Span<UInt8>, _ otherBytes: Span<UInt8>, ignoringCase: Bool = false
  ) -> Bool {
    var first = self
    var second = other
    while let left = first.next(bytes) {
      guard let right = second.next(otherBytes) else { return false }
      if left == right { continue }
      guard ignoringCase, left < 128, right < 128,
        UInt8(truncatingIfNeeded: left).lowercased == UInt8(truncatingIfNeeded: right).lowercased
      else { return false }
    }
    return second.next(otherBytes) == nil
  }
}

extension UInt8 {
  /// `unreserved`: an alphanumeric or a mark.
  fileprivate var isUnreserved: Bool {
    if isLetter || isDigit { return true }
    switch self {
    case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "~"),
      UInt8(ascii: "*"), UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"):
      return true
    default: return false
    }
  }
}
