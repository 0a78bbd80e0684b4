// RFC 3261 §7.3.1: list fields, where commas and repeated rows mean the same (E11, E12).
// An empty element is a fault (E23) except that Supported and its like may be wholly empty (§20.37).

/// Walks the elements of a list field in order, over rows and commas; linear in the bytes walked.
public struct ListCursor: BitwiseCopyable, Sendable {
  /// One element of a list field.
  public struct Element: BitwiseCopyable, Sendable {
    /// The element without the blanks around it.
    public internal(set) var value: ByteRange
    /// Index of its row in the message.
    public internal(set) var row: Int
    /// Whether no element stands before it in its row.
    public internal(set) var isFirstInRow: Bool
    /// Whether no element stands behind it in its row.
    public internal(set) var isLastInRow: Bool
    /// Bytes to delete to remove this one element: the whole row when it is alone in it, else itself and
    /// the separator to its right, or to its left for the last one (E16).
    public var removal: ByteRange { removal(through: self) }

    var rowRange: ByteRange
    var previousEnd: UInt32
    var nextStart: UInt32

    /// Bytes to delete to remove this element and all through `last`, which stands in the same row.
    public func removal(through last: Element) -> ByteRange {
      if isFirstInRow && last.isLastInRow { return rowRange }
      if last.isLastInRow { return ByteRange(Int(previousEnd), last.value.upperBound) }
      return ByteRange(value.lowerBound, Int(last.nextStart))
    }
  }

  /// Whether the walk stopped at an empty element or an unterminated quote (E14, E23).
  public private(set) var failed = false

  private var row: UInt16
  private var position: UInt32 = 0
  private var previousEnd: UInt32 = 0
  private var isInRow = false
  private let allowsEmptyRow: Bool

  /// A cursor before the first element of `name`.
  public init(_ name: FieldName, in message: borrowing SIPMessage) {
    row = message.first(name).map { UInt16(clamping: $0) } ?? HeaderField.none
    switch name {
    case .supported, .unsupported, .allow, .accept: allowsEmptyRow = true
    default: allowsEmptyRow = false
    }
  }

  /// The next element; nil behind the last one, or when `failed`.
  public mutating func next(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) -> Element? {
    while !failed, row != HeaderField.none, Int(row) < message.fieldCount {
      let field = message[field: Int(row)]
      if !isInRow {
        position = field.value.start
        previousEnd = position
        if field.value.isEmpty {
          failed = !allowsEmptyRow
          row = field.next
          continue
        }
      }
      let start = Int(position)
      var scanner = FieldScanner(bytes, ByteRange(start, field.value.upperBound))
      guard scanner.moveToComma(bytes) else {
        failed = true
        return nil
      }
      let value = bytes.trimmed(start, scanner.position)
      let isLast = scanner.isAtEnd
      if !isLast {
        scanner.position += 1
        scanner.skipSpace(bytes)
      }
      guard !value.isEmpty else {
        failed = true
        return nil
      }
      let element = Element(
        value: value, row: Int(row), isFirstInRow: !isInRow, isLastInRow: isLast, rowRange: field.row,
        previousEnd: previousEnd, nextStart: UInt32(clamping: scanner.position))
      isInRow = !isLast
      position = UInt32(clamping: scanner.position)
      previousEnd = value.end
      if isLast { row = field.next }
      return element
    }
    return nil
  }
}

extension FieldScanner {
  /// Moves to the next comma outside quotes, `<>` and comments, or to the end; false when a quoted string
  /// does not end. A parenthesis opens a comment only behind a blank: elsewhere it may belong to a URI.
  mutating func moveToComma(_ bytes: Span<UInt8>) -> Bool {
    let start = position
    var isBracketed = false
    while true {
      position =
        isBracketed
        ? bytes.firstOffset(of: UInt8(ascii: ">"), from: position, to: end)
        : bytes.firstListMark(from: position, to: end)
      guard position < end else { return true }
      switch bytes[position] {
      case UInt8(ascii: ",") where !isBracketed: return true
      case UInt8(ascii: "<"): isBracketed = true
      case UInt8(ascii: ">"): isBracketed = false
      case UInt8(ascii: "\"") where !isBracketed:
        guard quotedString(bytes) else { return false }
        continue
      case UInt8(ascii: "(") where !isBracketed && (position == start || bytes[position - 1].isLinearSpace):
        guard comment(bytes) else { return false }
        continue
      default: break
      }
      position += 1
    }
  }
}

/// A name in Supported, Require, Proxy-Require or Unsupported.
public struct OptionTag: Sendable {
  /// The tag as registered.
  public let text: StaticString

  /// A tag by its registered name.
  public init(_ text: StaticString) { self.text = text }

  /// RFC 4028.
  public static let timer = OptionTag("timer")
  /// RFC 3327.
  public static let path = OptionTag("path")
  /// RFC 5626.
  public static let outbound = OptionTag("outbound")
}

/// Whether `option` is an element of the rows of `name`: the exact token, in any letter case (A21).
///
/// Rows after a fault are not read; elements before it count.
public func containsOption(
  _ option: OptionTag, in name: FieldName, _ message: borrowing SIPMessage, _ bytes: Span<UInt8>
) -> Bool {
  var cursor = ListCursor(name, in: message)
  while let element = cursor.next(message, bytes) {
    if bytes.equalsIgnoringCase(element.value, option.text) { return true }
  }
  return false
}
