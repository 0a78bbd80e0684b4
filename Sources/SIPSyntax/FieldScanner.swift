// RFC 3261 §25.1: the pieces that field values are made of. A scanner never leaves the range it was given
// and stops, rather than fails, at its end; callers decide what a missing piece means.

/// A position in a field value, moved over the grammar's pieces.
struct FieldScanner {
  var position: Int
  let end: Int

  init(_ bytes: Span<UInt8>, _ range: ByteRange) { (position, end) = bytes.bounds(range) }

  var isAtEnd: Bool { position >= end }

  /// The next byte, or 0 at the end. A NUL in the value reads the same and is accepted by nobody.
  @inline(__always)
  func peek(_ bytes: Span<UInt8>) -> UInt8 { position < end ? bytes[position] : 0 }

  /// Moves over linear white space, folding included (E10).
  @inline(__always)
  mutating func skipSpace(_ bytes: Span<UInt8>) {
    while position < end, bytes[position].isLinearSpace { position += 1 }
  }

  /// Moves over `byte` if it is next.
  @inline(__always)
  mutating func accept(_ bytes: Span<UInt8>, _ byte: UInt8) -> Bool {
    guard position < end, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  /// Moves over white space, `separator` and white space; false, unmoved but for space, without it.
  @inline(__always)
  mutating func separator(_ bytes: Span<UInt8>, _ separator: UInt8) -> Bool {
    skipSpace(bytes)
    guard accept(bytes, separator) else { return false }
    skipSpace(bytes)
    return true
  }

  /// The token that starts here; empty if none does.
  @inline(__always)
  mutating func token(_ bytes: Span<UInt8>) -> ByteRange {
    let start = position
    position = bytes.endOfToken(from: position, to: end)
    return ByteRange(start, position)
  }

  /// Moves over a quoted string whose opening quote is next; false when it does not end (E14).
  mutating func quotedString(_ bytes: Span<UInt8>) -> Bool {
    position += 1
    while position < end {
      position = bytes.firstQuoteOrBackslash(from: position, to: end)
      guard position < end else { break }
      if bytes[position] == UInt8(ascii: "\"") {
        position += 1
        return true
      }
      position += 2
    }
    position = end
    return false
  }

  /// Moves over a comment whose opening parenthesis is next, nested ones included; false when it does
  /// not end.
  mutating func comment(_ bytes: Span<UInt8>) -> Bool {
    var depth = 0
    while position < end {
      switch bytes[position] {
      case UInt8(ascii: "("): depth += 1
      case UInt8(ascii: ")"): depth -= 1
      case UInt8(ascii: "\\"): position += 1
      default: break
      }
      position += 1
      if depth == 0 { return position <= end }
    }
    position = end
    return false
  }

  /// A parameter: its name, and its value if there is an equals sign.
  struct Parameter {
    var name: ByteRange
    var value: ByteRange
    var hasValue: Bool
    /// Whether the value is a token of at least one character.
    var isToken: Bool
  }

  /// Reads one `generic-param` behind its semicolon; nil when there is none (E23) or it is broken.
  ///
  /// A value may be a token, a host, a quoted string or nothing (E22). Where comments are legal, one may follow a
  /// value without a blank.
  mutating func parameter(_ bytes: Span<UInt8>, beforeComment: Bool = false) -> Parameter? {
    let name = token(bytes)
    guard !name.isEmpty else { return nil }
    let nameEnd = position
    guard separator(bytes, UInt8(ascii: "=")) else {
      position = nameEnd
      return Parameter(name: name, value: .none, hasValue: false, isToken: false)
    }
    let start = position
    if peek(bytes) == UInt8(ascii: "\"") {
      guard quotedString(bytes) else { return nil }
      return Parameter(name: name, value: ByteRange(start, position), hasValue: true, isToken: false)
    }
    position = bytes.endOfToken(from: position, to: end)
    let tokenEnd = position
    while position < end {
      let byte = bytes[position]
      if byte <= 32 || byte == UInt8(ascii: ";") || byte == UInt8(ascii: ",") { break }
      if beforeComment, byte == UInt8(ascii: "(") { break }
      guard byte != UInt8(ascii: "\""), byte != UInt8(ascii: "<"), byte != UInt8(ascii: ">"), byte != 127
      else { return nil }
      position += 1
    }
    return Parameter(
      name: name, value: ByteRange(start, position), hasValue: true,
      isToken: position == tokenEnd && position > start)
  }
}

extension Span where Element == UInt8 {
  /// A port: digits, 1 to 65535; nil otherwise.
  func port(_ range: ByteRange) -> UInt16? {
    guard let number = number(range), number > 0 else { return nil }
    return UInt16(exactly: number)
  }

  /// `range` without linear white space at either end.
  @inline(__always)
  func trimmed(_ start: Int, _ end: Int) -> ByteRange {
    var start = start
    var end = end
    while start < end, self[start].isLinearSpace { start += 1 }
    while end > start, self[end - 1].isLinearSpace { end -= 1 }
    return ByteRange(start, end)
  }
}
