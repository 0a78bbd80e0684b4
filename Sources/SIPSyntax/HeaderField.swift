/// One header field row as it stands in the message.
public struct HeaderField: BitwiseCopyable, Sendable {
  /// Which field.
  public var name: FieldName
  /// Next row of the same name, or `HeaderField.none`.
  public var next: UInt16
  /// From the first byte of the name through the final CRLF, folded lines included.
  public var row: ByteRange
  /// The value without the blanks around it; it may contain folding.
  public var value: ByteRange

  /// No further row.
  public static let none = UInt16.max

  static let empty = HeaderField(name: .other, next: HeaderField.none, row: .none, value: .none)
}

/// Why a message is malformed, and what a request with this defect is answered (RFC 3261 §16.3 item 1).
public struct Defect: Sendable {
  /// The status to answer a request with: 400, or 414, 501 (E27) or 505 (E3). Responses are dropped (E20).
  public let status: UInt16
  /// The field at fault; `.other` for the start line and the shape of the message.
  public let field: FieldName
  /// Reason phrase that names the fault, such as "Missing Call-ID" (B9).
  public let reason: StaticString
  /// Where in the message.
  public let offset: Int

  init(_ field: FieldName, _ reason: StaticString, at offset: Int, status: UInt16 = 400) {
    self.status = status
    self.field = field
    self.reason = reason
    self.offset = offset
  }
}

extension Defect: Equatable {
  /// Whether both are the same fault at the same place.
  public static func == (left: Defect, right: Defect) -> Bool {
    left.status == right.status && left.field == right.field && left.offset == right.offset
      && "\(left.reason)" == "\(right.reason)"
  }
}

/// First, last and number of the rows of each name, so that each is found in O(1).
struct FieldChains {
  private var firsts = InlineArray<64, UInt16>(repeating: HeaderField.none)
  private var lasts = InlineArray<64, UInt16>(repeating: HeaderField.none)
  private var counts = InlineArray<64, UInt16>(repeating: 0)

  @inline(__always)
  func first(_ name: FieldName) -> Int? {
    let row = firsts[Int(name.rawValue)]
    return row == HeaderField.none ? nil : Int(row)
  }

  @inline(__always)
  func count(_ name: FieldName) -> Int { Int(counts[Int(name.rawValue)]) }

  /// Notes row `index` of `name` and links it behind the previous one.
  @inline(__always)
  mutating func append(_ index: Int, _ name: FieldName, _ rows: inout MutableSpan<HeaderField>) {
    let slot = Int(name.rawValue)
    let row = UInt16(truncatingIfNeeded: index)
    let last = lasts[slot]
    if last == HeaderField.none { firsts[slot] = row } else { rows[Int(last)].next = row }
    lasts[slot] = row
    counts[slot] &+= 1
  }
}
