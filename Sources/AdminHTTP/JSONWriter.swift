/// Writes JSON (RFC 8259) into bytes; what it is given may hold any bytes, the result is always valid.
///
/// Values taken from the network are meant to be UTF-8 but need not be. A byte that is not part of a
/// well-formed UTF-8 sequence is written as `\u00XX`, the character of the same number.
public struct JSONWriter {
  /// What was written.
  public private(set) var bytes: [UInt8] = []
  private var needsComma = false

  /// An empty document; memory for `capacity` bytes is taken at once.
  public init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  /// Writes an object whose fields `content` writes.
  public mutating func object(_ content: (inout JSONWriter) -> Void) {
    enclose("{", "}", content)
  }

  /// Writes a field whose value is an object.
  public mutating func object(_ name: String, _ content: (inout JSONWriter) -> Void) {
    key(name)
    enclose("{", "}", content)
  }

  /// Writes a field whose value is an array; `content` writes its elements.
  public mutating func array(_ name: String, _ content: (inout JSONWriter) -> Void) {
    key(name)
    enclose("[", "]", content)
  }

  /// Writes a field with text.
  public mutating func field(_ name: String, _ value: String) {
    key(name)
    if value.utf8.allSatisfy(isPlain) {
      literal("\"")
      literal(value)
      literal("\"")
    } else {
      quote(Array(value.utf8))
    }
    needsComma = true
  }

  /// Writes a field with text, or null.
  public mutating func field(_ name: String, _ value: String?) {
    if let value { field(name, value) } else { field(name, nil as [UInt8]?) }
  }

  /// Writes a field with bytes from the network as text, or null.
  public mutating func field(_ name: String, _ value: [UInt8]?) {
    key(name)
    if let value { quote(value) } else { literal("null") }
    needsComma = true
  }

  /// Writes a field with a whole number, or null.
  public mutating func field(_ name: String, _ value: (some BinaryInteger)?) {
    key(name)
    if let value { decimal(value) } else { literal("null") }
    needsComma = true
  }

  /// Writes a field with true or false.
  public mutating func field(_ name: String, _ value: Bool) {
    key(name)
    literal(value ? "true" : "false")
    needsComma = true
  }

  /// Writes a whole number as an element of an array.
  public mutating func element(_ value: some BinaryInteger) {
    separate()
    decimal(value)
    needsComma = true
  }

  /// Ends the document with a line break, for people at a terminal.
  public mutating func endLine() { bytes.append(0x0A) }

  /// Field names are the program's own words and need no escapes.
  private mutating func key(_ name: String) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    bytes.append(contentsOf: name.utf8)
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  private mutating func enclose(_ open: String, _ close: String, _ content: (inout JSONWriter) -> Void) {
    separate()
    literal(open)
    needsComma = false
    content(&self)
    literal(close)
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = false
  }

  /// Writes digits in place: a page has thousands of small numbers.
  private mutating func decimal(_ value: some BinaryInteger) {
    guard let number = UInt32(exactly: value) else { return literal(String(value)) }
    var divisor: UInt32 = 1
    while number / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
      divisor /= 10
    }
  }

  private mutating func literal(_ text: String) { bytes.append(contentsOf: text.utf8) }

  private mutating func quote(_ value: [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    appendEscaped(value, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }
}

/// Whether a byte stands for itself in a JSON string.
private func isPlain(_ byte: UInt8) -> Bool {
  byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
}

/// Appends `value` as the inside of a JSON string.
func appendEscaped(_ value: [UInt8], to bytes: inout [UInt8]) {
  // Nearly every value is plain: a page of a thousand dialogs must not hold up the loop.
  if value.allSatisfy(isPlain) {
    bytes.append(contentsOf: value)
    return
  }
  var index = 0
  while index < value.count {
    let byte = value[index]
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
    case 0x0A: bytes.append(contentsOf: "\\n".utf8)
    case 0x0D: bytes.append(contentsOf: "\\r".utf8)
    case 0x09: bytes.append(contentsOf: "\\t".utf8)
    case 0x20..<0x7F: bytes.append(byte)
    default:
      let length = lengthOfSequence(at: index, in: value)
      if length > 0 {
        bytes.append(contentsOf: value[index..<index + length])
        index += length - 1
      } else {
        let digits = Array("0123456789abcdef".utf8)
        bytes.append(contentsOf: "\\u00".utf8)
        bytes.append(contentsOf: [digits[Int(byte >> 4)], digits[Int(byte & 15)]])
      }
    }
    index += 1
  }
}

/// Length of the well-formed multi-byte UTF-8 sequence that begins at `index` (RFC 3629 §4); 0 for none.
private func lengthOfSequence(at index: Int, in bytes: [UInt8]) -> Int {
  // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF.
  let (length, second): (Int, ClosedRange<UInt8>) =
    switch bytes[index] {
    case 0xC2...0xDF: (2, 0x80...0xBF)
    case 0xE0: (3, 0xA0...0xBF)
    case 0xED: (3, 0x80...0x9F)
    case 0xE1...0xEF: (3, 0x80...0xBF)
    case 0xF0: (4, 0x90...0xBF)
    case 0xF1...0xF3: (4, 0x80...0xBF)
    case 0xF4: (4, 0x80...0x8F)
    default: (0, 0...0)
    }
  guard length > 0, index + length <= bytes.count, second.contains(bytes[index + 1]) else { return 0 }
  return bytes[(index + 2)..<(index + length)].allSatisfy({ 0x80...0xBF ~= $0 }) ? length : 0
}
