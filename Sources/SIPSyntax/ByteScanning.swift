// The only file of this module with unsafe memory access: word loads, literals and bulk copies, each
// behind bounds that are checked here. Every range is cut to the bytes that exist, so that no caller
// can be made to read outside by what a packet says.

extension Span where Element == UInt8 {
  /// The offsets of `range` cut to the bytes that exist.
  @inline(__always)
  func bounds(_ range: ByteRange) -> (start: Int, end: Int) {
    let end = Swift.min(range.upperBound, count)
    return (Swift.min(range.lowerBound, end), end)
  }

  /// Whether the bytes of `range` are exactly `text`.
  public func equals(_ range: ByteRange, _ text: StaticString) -> Bool {
    let (start, end) = bounds(range)
    guard end - start == text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { literal in
      for offset in 0..<(end - start) {
        if unsafe self[start + offset] != literal[offset] { return false }
      }
      return true
    }
  }

  /// Whether the bytes of `range` are `text`, ASCII letters compared without case.
  public func equalsIgnoringCase(_ range: ByteRange, _ text: StaticString) -> Bool {
    let (start, end) = bounds(range)
    guard end - start == text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { literal in
      for offset in 0..<(end - start) {
        if unsafe self[start + offset].lowercased != literal[offset].lowercased { return false }
      }
      return true
    }
  }

  /// Whether the bytes of `range` are `word`, letters compared without case.
  @inline(__always)
  func isWord(_ range: ByteRange, _ word: KnownWord) -> Bool {
    guard Int(range.end) &- Int(range.start) == word.count, range.upperBound <= self.count else {
      return false
    }
    return lowercasedWord(at: range.lowerBound, word.count) == word.bits
  }

  /// The `length` bytes (1 to 8, and they exist) from `offset` on in one word, capitals in lower case.
  @inline(__always)
  func lowercasedWord(at offset: Int, _ length: Int) -> UInt64 {
    foldingLetters(shortWord(at: offset, length))
  }

  /// The `length` bytes (1 to 8, and they exist) from `offset` on in one word, the first one lowest.
  @inline(__always)
  func shortWord(at offset: Int, _ length: Int) -> UInt64 {
    if offset &+ 8 <= count { return word(at: offset) & (UInt64.max &>> UInt64(64 &- 8 &* length)) }
    return shortWordAtEnd(offset, length)
  }

  @inline(never)
  private func shortWordAtEnd(_ offset: Int, _ length: Int) -> UInt64 {
    var word: UInt64 = 0
    for index in 0..<length { word |= UInt64(self[offset + index]) &<< UInt64(index &* 8) }
    return word
  }

  /// Eight bytes from `offset` on, the first one lowest; the caller has checked that they exist.
  @inline(__always)
  func word(at offset: Int) -> UInt64 {
    UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// Sixteen bytes from `offset` on; the caller has checked that they exist.
  @inline(__always)
  func block(at offset: Int) -> SIMD16<UInt8> {
    unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: SIMD16<UInt8>.self)
  }
}

/// Eight bytes with exactly the ASCII capitals turned to lower case.
@inline(__always)
func foldingLetters(_ word: UInt64) -> UInt64 {
  let low = word & 0x7F7F_7F7F_7F7F_7F7F
  let fromA = low &+ 0x3F3F_3F3F_3F3F_3F3F  // high bit set from "A" on
  let afterZ = low &+ 0x2525_2525_2525_2525  // high bit set behind "Z"
  let capitals = (fromA ^ afterZ) & ~word & 0x8080_8080_8080_8080
  return word | capitals >> 2
}

extension [UInt8] {
  mutating func append(literal text: StaticString) {
    text.withUTF8Buffer { literal in unsafe append(literal) }
  }

  mutating func append(copying source: Span<UInt8>, from start: Int, to end: Int) {
    let end = Swift.min(end, source.count)
    guard start >= 0, start < end else { return }
    unsafe source.extracting(start..<end).withUnsafeBufferPointer { part in unsafe append(part) }
  }

  /// One check of the room and one copy.
  @inline(__always)
  private mutating func append(_ part: UnsafeBufferPointer<UInt8>) {
    append(addingCapacity: part.count) { output in
      unsafe output.withUnsafeMutableBufferPointer { memory, initialized in
        guard let target = memory.baseAddress, let origin = part.baseAddress else { return }
        unsafe target.update(from: origin, count: part.count)
        initialized = part.count
      }
    }
  }
}

extension Span where Element == UInt8 {
  /// The number that all bytes of `range` spell in decimal, saturating; nil when empty or not digits.
  public func number(_ range: ByteRange) -> UInt64? {
    let (start, end) = bounds(range)
    guard start < end else { return nil }
    var value: UInt64 = 0
    var offset = start
    while offset < end {
      let byte = self[offset]
      guard byte.isDigit else { return nil }
      value = value > 0xFFFF_FFFF_FFFF ? 0xFFFF_FFFF_FFFF : value &* 10 &+ UInt64(byte &- 48)
      offset += 1
    }
    return value
  }

  /// Whether two ranges hold the same bytes.
  public func equal(_ left: ByteRange, _ right: ByteRange) -> Bool {
    let (first, firstEnd) = bounds(left)
    let (second, secondEnd) = bounds(right)
    guard firstEnd - first == secondEnd - second else { return false }
    for offset in 0..<(firstEnd - first) where self[first + offset] != self[second + offset] { return false }
    return true
  }

  /// Whether two ranges hold the same bytes, ASCII letters compared without case.
  public func equalIgnoringCase(_ left: ByteRange, _ right: ByteRange) -> Bool {
    let (first, firstEnd) = bounds(left)
    let (second, secondEnd) = bounds(right)
    guard firstEnd - first == secondEnd - second else { return false }
    for offset in 0..<(firstEnd - first)
    where self[first + offset].lowercased != self[second + offset].lowercased {
      return false
    }
    return true
  }
}

extension SIMD16<UInt8> {
  /// Index of the first lane that is `byte`; 16 without one.
  @inline(__always)
  func firstOffset(of byte: UInt8) -> Int { SIMD16.firstOffset(self .== SIMD16(repeating: byte)) }

  /// Index of the first lane that is `byte` or `other`; 16 without one.
  @inline(__always)
  func firstOffset(of byte: UInt8, or other: UInt8) -> Int {
    SIMD16.firstOffset((self .== SIMD16(repeating: byte)) .| (self .== SIMD16(repeating: other)))
  }

  /// Index of the first lane that matters between the elements of a list: `,`, `<`, `"` or `(`; 16 without one.
  @inline(__always)
  func firstOffsetOfListMark() -> Int {
    SIMD16.firstOffset(
      (self .== SIMD16(repeating: 0x2C)) .| (self .== SIMD16(repeating: 0x3C))
        .| (self .== SIMD16(repeating: 0x22)) .| (self .== SIMD16(repeating: 0x28)))
  }

  /// Index of the first lane that ends a URI: a blank, a control, `<`, `>`, `"` or DEL; 16 without one.
  @inline(__always)
  func firstOffsetOfNonURI() -> Int {
    SIMD16.firstOffset(
      (self .<= SIMD16(repeating: 32)) .| (self .== SIMD16(repeating: 0x3C))
        .| (self .== SIMD16(repeating: 0x3E))
        .| (self .== SIMD16(repeating: 0x22)) .| (self .== SIMD16(repeating: 127)))
  }

  /// Index of the first lane that is no visible ASCII or UTF-8 byte: a blank, a control or DEL; 16 without one.
  @inline(__always)
  func firstOffsetOfInvisible() -> Int {
    SIMD16.firstOffset((self .<= SIMD16(repeating: 32)) .| (self .== SIMD16(repeating: 127)))
  }

  /// Index of the first lane that is no token character; 16 without one.
  @inline(__always)
  func firstOffsetOfNonToken() -> Int {
    let letters = ((self | SIMD16(repeating: 0x20)) &- SIMD16(repeating: 97)) .< SIMD16(repeating: 26)
    let digits = (self &- SIMD16(repeating: 48)) .< SIMD16(repeating: 10)
    let starPlus = (self | SIMD16(repeating: 1)) .== SIMD16(repeating: 0x2B)
    let dashDot = (self &- SIMD16(repeating: 0x2D)) .< SIMD16(repeating: 2)
    let lineGrave = (self &- SIMD16(repeating: 0x5F)) .< SIMD16(repeating: 2)
    let percentQuote = (self | SIMD16(repeating: 2)) .== SIMD16(repeating: 0x27)
    let others = (self .== SIMD16(repeating: 0x21)) .| (self .== SIMD16(repeating: 0x7E))
    return SIMD16.firstOffset(
      .!(letters .| digits .| starPlus .| dashDot .| lineGrave .| percentQuote .| others))
  }

  /// Whether one of the first `length` lanes is zero.
  @inline(__always)
  func hasZero(before length: Int) -> Bool {
    SIMD16.firstOffset(self .== SIMD16(repeating: 0)) < length
  }

  /// The first `length` (0 to 16) lanes as two words, capitals in lower case, zeros behind them.
  @inline(__always)
  func foldedPrefix(_ length: Int) -> (first: UInt64, second: UInt64) {
    let capitals = (self &- SIMD16(repeating: 65)) .< SIMD16(repeating: 26)
    let folded = self | SIMD16(repeating: 0).replacing(with: 0x20, where: capitals)
    let lanes = SIMD16<UInt8>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    let inside = lanes .< SIMD16(repeating: UInt8(truncatingIfNeeded: length))
    let halves = unsafe unsafeBitCast(
      SIMD16<UInt8>(repeating: 0).replacing(with: folded, where: inside), to: SIMD2<UInt64>.self)
    return (UInt64(littleEndian: halves[0]), UInt64(littleEndian: halves[1]))
  }

  @inline(__always)
  private static func firstOffset(_ mask: SIMDMask<SIMD16<Int8>>) -> Int {
    let marks = SIMD16<UInt8>(repeating: 0).replacing(with: .max, where: mask)
    let halves = unsafe unsafeBitCast(marks, to: SIMD2<UInt64>.self)
    if halves[0] != 0 { return UInt64(littleEndian: halves[0]).trailingZeroBitCount >> 3 }
    return halves[1] == 0 ? 16 : 8 + (UInt64(littleEndian: halves[1]).trailingZeroBitCount >> 3)
  }
}

extension Span where Element == UInt8 {
  /// Offset of the first byte in [offset, end) that cannot stand in a URI, or `end`; `end` is at most
  /// `count`. Bytes above 127 pass: whoever minds them looks for them.
  @inline(__always)
  func endOfURICharacters(from offset: Int, to end: Int) -> Int {
    var offset = offset
    while offset < end, offset + 16 <= count {
      let found = block(at: offset).firstOffsetOfNonURI()
      if found < 16 { return Swift.min(offset + found, end) }
      offset += 16
    }
    while offset < end, self[offset].isURICharacter || self[offset] >= 128 { offset += 1 }
    return Swift.min(offset, end)
  }

  /// Offset of the first byte in [offset, end) that is a blank, a control or DEL, or `end`; `end` is at
  /// most `count`.
  @inline(__always)
  func endOfVisible(from offset: Int, to end: Int) -> Int {
    var offset = offset
    while offset < end, offset + 16 <= count {
      let found = block(at: offset).firstOffsetOfInvisible()
      if found < 16 { return Swift.min(offset + found, end) }
      offset += 16
    }
    while offset < end, self[offset] > 32, self[offset] != 127 { offset += 1 }
    return Swift.min(offset, end)
  }

  /// Offset of the first byte in [offset, end) that is no token character, or `end`; for tokens that are
  /// likely long. `end` is at most `count`.
  @inline(__always)
  func endOfToken(from offset: Int, to end: Int) -> Int {
    var offset = offset
    while offset < end, offset + 16 <= count {
      let found = block(at: offset).firstOffsetOfNonToken()
      if found < 16 { return Swift.min(offset + found, end) }
      offset += 16
    }
    while offset < end, self[offset].isToken { offset += 1 }
    return Swift.min(offset, end)
  }

  /// Offset of the first `,`, `<`, `"` or `(` in [offset, end), or `end`; `end` is at most `count`.
  @inline(__always)
  func firstListMark(from offset: Int, to end: Int) -> Int {
    var offset = offset
    while offset < end, offset + 16 <= count {
      let found = block(at: offset).firstOffsetOfListMark()
      if found < 16 { return Swift.min(offset + found, end) }
      offset += 16
    }
    while offset < end {
      switch self[offset] {
      case 0x2C, 0x3C, 0x22, 0x28: return offset
      default: offset += 1
      }
    }
    return Swift.min(offset, end)
  }

  /// Offset of the first `"` or backslash in [offset, end), or `end`; `end` is at most `count`.
  @inline(__always)
  func firstQuoteOrBackslash(from offset: Int, to end: Int) -> Int {
    var offset = offset
    while offset < end, offset + 16 <= count {
      let found = block(at: offset).firstOffset(of: 0x22, or: 0x5C)
      if found < 16 { return Swift.min(offset + found, end) }
      offset += 16
    }
    while offset < end, self[offset] != 0x22, self[offset] != 0x5C { offset += 1 }
    return Swift.min(offset, end)
  }

  /// Offset of the first `byte` in [offset, end), or `end`; `end` is at most `count`.
  @inline(__always)
  func firstOffset(of byte: UInt8, from offset: Int, to end: Int) -> Int {
    var offset = offset
    while offset < end, offset + 16 <= count {
      let found = block(at: offset).firstOffset(of: byte)
      if found < 16 { return Swift.min(offset + found, end) }
      offset += 16
    }
    while offset < end, self[offset] != byte { offset += 1 }
    return Swift.min(offset, end)
  }
}
