import SIPSyntax

/// An array of octets with the few operations the targets need.
typealias Octets = [UInt8]

extension Span where Element == UInt8 {
  /// The octets of `range`, which must lie inside.
  func octets(_ range: ByteRange) -> Octets {
    require(
      range.upperBound <= count && range.lowerBound <= range.upperBound || range.isEmpty, "range \(range)")
    guard !range.isEmpty else { return [] }
    return octets(range.lowerBound, range.upperBound)
  }

  /// The octets of [start, end).
  func octets(_ start: Int, _ end: Int) -> Octets {
    var result = Octets()
    result.reserveCapacity(end - start)
    for offset in start..<end { result.append(self[offset]) }
    return result
  }

  /// Whether `range` and a range of other octets hold the same.
  func holds(_ range: ByteRange, asIn other: Span<UInt8>, _ otherRange: ByteRange) -> Bool {
    guard range.count == otherRange.count else { return false }
    for offset in 0..<range.count
    where self[range.lowerBound + offset] != other[otherRange.lowerBound + offset] {
      return false
    }
    return true
  }
}

/// Fails unless the range lies inside `count` octets.
func requireInside(_ range: ByteRange, _ count: Int, _ what: StaticString) {
  require(range.start <= range.end && range.upperBound <= count, "\(what) \(range) of \(count)")
}

/// Reads an input octet by octet and then as a whole.
struct InputReader {
  private(set) var position = 0

  mutating func byte(_ input: Span<UInt8>) -> UInt8 {
    guard position < input.count else { return 0 }
    position += 1
    return input[position - 1]
  }

  func rest(_ input: Span<UInt8>) -> Octets { input.octets(position, input.count) }
}
