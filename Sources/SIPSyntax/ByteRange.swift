/// A half-open range of byte offsets into a message.
///
/// Values taken from a message are kept as ranges, never as copies: the bytes stay where they arrived
/// and leave unchanged unless an edit names them. 32-bit offsets keep parsed values small.
public struct ByteRange: BitwiseCopyable, Hashable, Sendable {
  /// Offset of the first byte.
  public var start: UInt32
  /// Offset behind the last byte.
  public var end: UInt32

  /// The range from `start` up to, not including, `end`.
  @inlinable
  public init(_ start: Int, _ end: Int) {
    self.start = UInt32(clamping: start)
    self.end = UInt32(clamping: end)
  }

  /// The empty range at offset 0, where no value of a message can stand.
  public static let none = ByteRange(0, 0)

  /// Whether the range holds no byte.
  @inlinable
  public var isEmpty: Bool { end <= start }

  /// Number of bytes.
  @inlinable
  public var count: Int { end > start ? Int(end - start) : 0 }

  /// First offset as an `Int`.
  @inlinable
  public var lowerBound: Int { Int(start) }

  /// Offset behind the last byte as an `Int`.
  @inlinable
  public var upperBound: Int { Int(end) }
}
