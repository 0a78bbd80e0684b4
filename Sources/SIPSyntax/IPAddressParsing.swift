// Reading numeric addresses: RFC 3261 §25.1 as corrected by RFC 5954 §3.1, tolerance by RFC 5118.

extension IPAddress {
  /// Reads a dotted quad, or an IPv6 address with or without brackets; nil if it is neither.
  ///
  /// Strict about what an address is: four numbers of one to three digits up to 255, or eight groups of
  /// at most four hexadecimal digits with at most one `::`. Three colons before a dotted tail are read
  /// as two (D62). `[2001:db8::10:5070]` is all address (D60).
  public init?(_ bytes: Span<UInt8>, _ range: ByteRange) {
    var (start, end) = bytes.bounds(range)
    guard end - start >= 2, end - start <= 48 else { return nil }
    if bytes[start] == UInt8(ascii: "[") {
      guard bytes[end - 1] == UInt8(ascii: "]") else { return nil }
      start += 1
      end -= 1
    } else if let address = IPAddress.readDotted(bytes, start, end) {
      self.init(v4: address)
      return
    }
    guard let halves = IPAddress.readGroups(bytes, start, end) else { return nil }
    self.init(v6High: halves.high, v6Low: halves.low)
  }

  /// Reads the address that is all of `text`.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    self.init(bytes.span, ByteRange(0, bytes.count))
  }

  /// The dotted quad that is all of [start, end).
  private static func readDotted(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> UInt32? {
    guard end - start >= 7, end - start <= 15 else { return nil }
    var address: UInt32 = 0
    var part: UInt32 = 0
    var digits = 0
    var dots = 0
    for offset in start..<end {
      let byte = bytes[offset]
      if byte.isDigit {
        part = part &* 10 &+ UInt32(byte &- 48)
        digits += 1
        guard digits <= 3, part <= 255 else { return nil }
      } else {
        guard byte == UInt8(ascii: "."), digits > 0, dots < 3 else { return nil }
        address = address << 8 | part
        (part, digits, dots) = (0, 0, dots + 1)
      }
    }
    return dots == 3 && digits > 0 ? address << 8 | part : nil
  }

  /// The IPv6 address that is all of [start, end), as two halves.
  private static func readGroups(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> (
    high: UInt64, low: UInt64
  )? {
    var groups = SIMD8<UInt16>(repeating: 0)
    var count = 0
    var gap = -1  // number of groups before `::`
    var offset = start
    if offset + 1 < end, bytes[offset] == UInt8(ascii: ":") {
      guard bytes[offset + 1] == UInt8(ascii: ":") else { return nil }
    }
    while offset < end {
      if bytes[offset] == UInt8(ascii: ":") {
        offset += 1
        guard offset < end else { return nil }
        if bytes[offset] == UInt8(ascii: ":") {
          guard gap < 0 else { return nil }
          gap = count
          offset += 1
          if offset < end, bytes[offset] == UInt8(ascii: ":") {
            guard readDotted(bytes, offset + 1, end) != nil else { return nil }
            offset += 1
          }
          if offset == end { break }
        }
      } else if offset != start {
        return nil
      }
      if count <= 6, let tail = readDotted(bytes, offset, end) {
        groups[count] = UInt16(truncatingIfNeeded: tail >> 16)
        groups[count + 1] = UInt16(truncatingIfNeeded: tail)
        count += 2
        offset = end
        break
      }
      guard count < 8, let digit = bytes[offset].hexadecimalValue else { return nil }
      var group = UInt16(digit)
      offset += 1
      var digits = 1
      while offset < end, let next = bytes[offset].hexadecimalValue {
        digits += 1
        guard digits <= 4 else { return nil }
        group = group << 4 | UInt16(next)
        offset += 1
      }
      groups[count] = group
      count += 1
    }
    guard gap >= 0 ? count <= 7 : count == 8 else { return nil }
    var halves: (high: UInt64, low: UInt64) = (0, 0)
    let zeros = 8 - count
    for index in 0..<8 {
      let source = gap < 0 || index < gap ? index : index < gap + zeros ? -1 : index - zeros
      let group = source < 0 ? 0 : UInt64(groups[source])
      if index < 4 { halves.high = halves.high << 16 | group } else { halves.low = halves.low << 16 | group }
    }
    return halves
  }
}
