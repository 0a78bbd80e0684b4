import SIPSyntax

/// A message that is rendered once and then patched in place: what differs from call to call has a fixed width.
///
/// Written as a string literal with marks in it. A line break in the literal is CRLF in the message.
struct MessageTemplate: ExpressibleByStringInterpolation {
  /// A place in the message that is filled in for each copy.
  enum Mark {
    /// The number of the call, eight hexadecimal digits.
    case call
    /// The sequence number inside a branch, three digits.
    case sequence
    /// The sequence number of CSeq, right-aligned in three places, because blanks before it are legal.
    case cSeq
    /// The session interval in seconds, right-aligned in eight places.
    case interval

    fileprivate var width: Int {
      switch self {
      case .call, .interval: 8
      case .sequence, .cSeq: 3
      }
    }
  }

  private var bytes: [UInt8] = []
  private var marks: [(mark: Mark, offset: Int)] = []

  /// A message without marks.
  init(stringLiteral text: String) { append(text) }

  /// What the literal says.
  init(stringInterpolation: StringInterpolation) { self = stringInterpolation.template }

  fileprivate init() {}

  /// Fills the marks in and appends the message to `output`.
  mutating func write(
    call: UInt32, sequence: UInt8 = 0, interval: UInt32 = 0, to output: inout OutputBuffer
  ) {
    for (mark, offset) in marks {
      switch mark {
      case .call: putHexadecimal(call, at: offset)
      case .sequence: putDecimal(UInt32(sequence), at: offset, mark.width, padding: UInt8(ascii: "0"))
      case .cSeq: putDecimal(UInt32(sequence), at: offset, mark.width, padding: UInt8(ascii: " "))
      case .interval: putDecimal(interval, at: offset, mark.width, padding: UInt8(ascii: " "))
      }
    }
    output.append(bytes.span)
  }

  /// Appends a message that has no marks.
  func write(to output: inout OutputBuffer) { output.append(bytes.span) }

  private mutating func putHexadecimal(_ number: UInt32, at offset: Int) {
    var left = number
    for place in (offset..<offset + 8).reversed() {
      let digit = UInt8(truncatingIfNeeded: left & 15)
      bytes[place] = digit < 10 ? 48 + digit : 87 + digit
      left >>= 4
    }
  }

  private mutating func putDecimal(_ number: UInt32, at offset: Int, _ width: Int, padding: UInt8) {
    var left = number
    for place in (offset..<offset + width).reversed() {
      let isDigit = left > 0 || place == offset + width - 1
      bytes[place] = isDigit ? 48 + UInt8(truncatingIfNeeded: left % 10) : padding
      left /= 10
    }
  }

  fileprivate mutating func append(_ text: String) {
    for byte in text.utf8 {
      if byte == 0x0A { bytes.append(0x0D) }
      bytes.append(byte)
    }
  }

  fileprivate mutating func append(_ mark: Mark) {
    marks.append((mark, bytes.count))
    bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: mark.width))
  }

  fileprivate mutating func append(_ part: MessageTemplate) {
    for (mark, offset) in part.marks { marks.append((mark, bytes.count + offset)) }
    bytes.append(contentsOf: part.bytes)
  }

  /// Collects the text and the marks of a literal.
  struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var template = MessageTemplate()

    init(literalCapacity: Int, interpolationCount: Int) {
      template.bytes.reserveCapacity(literalCapacity + 16 * interpolationCount)
    }

    /// Text of the message.
    mutating func appendLiteral(_ text: String) { template.append(text) }

    /// A place to fill in.
    mutating func appendInterpolation(_ mark: Mark) { template.append(mark) }

    /// Text that is the same in all copies.
    mutating func appendInterpolation(_ text: some CustomStringConvertible) {
      template.append(text.description)
    }

    /// A part with marks of its own.
    mutating func appendInterpolation(_ part: MessageTemplate) { template.append(part) }
  }
}
