/// A growable buffer that messages are written into.
///
/// It is meant to be reused: `removeAll()` keeps the memory, so that writing allocates nothing once the
/// buffer has reached its working size. Not copyable, so that no accidental copy costs an allocation.
public struct OutputBuffer: ~Copyable, Sendable {
  /// What was written; use `bytes.span` to read it.
  public internal(set) var bytes: [UInt8] = []

  /// An empty buffer with room for `capacity` bytes.
  public init(capacity: Int) { bytes.reserveCapacity(capacity) }

  /// Number of bytes written.
  public var count: Int { bytes.count }

  /// Forgets the content and keeps the memory.
  public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  /// Drops everything behind the first `count` bytes.
  public mutating func truncate(to count: Int) {
    let excess = bytes.count - count
    if excess > 0, count >= 0 { bytes.removeLast(excess) }
  }

  /// Appends one byte.
  public mutating func append(_ byte: UInt8) { bytes.append(byte) }

  /// Appends literal text.
  public mutating func append(_ text: StaticString) { bytes.append(literal: text) }

  /// Appends a string; for names and addresses prepared in advance, not for the hot path.
  public mutating func append(string: String) { bytes.append(contentsOf: string.utf8) }

  /// Appends all of `source`.
  public mutating func append(_ source: Span<UInt8>) {
    bytes.append(copying: source, from: 0, to: source.count)
  }

  /// Appends the part of `source` that `range` names; a range past the end is cut there.
  public mutating func append(_ source: Span<UInt8>, _ range: ByteRange) {
    bytes.append(copying: source, from: range.lowerBound, to: range.upperBound)
  }

  /// Appends at most `count` bytes that `write` puts into a span: one check of the room for all of them.
  public mutating func append(upTo count: Int, _ write: (inout OutputSpan<UInt8>) -> Void) {
    bytes.append(addingCapacity: count, initializingWith: write)
  }

  /// Appends a number in decimal, without leading zeros.
  public mutating func append(decimal number: UInt64) {
    if number < 10 { return bytes.append(48 &+ UInt8(truncatingIfNeeded: number)) }
    var divisor: UInt64 = 10
    while number / divisor >= 10 { divisor &*= 10 }
    append(upTo: 20) { output in
      while divisor > 0 {
        output.append(48 &+ UInt8(truncatingIfNeeded: (number / divisor) % 10))
        divisor /= 10
      }
    }
  }

  /// Appends the lowest `digits` hexadecimal digits of a number, lower case, with leading zeros.
  public mutating func append(hexadecimal number: UInt64, digits: Int) {
    var left = min(max(digits, 0), 16)
    while left > 0 {
      left -= 1
      let nibble = UInt8(truncatingIfNeeded: (number >> UInt64(left * 4)) & 15)
      bytes.append(nibble < 10 ? 48 &+ nibble : 87 &+ nibble)
    }
  }
}
