/// A JSON document as the query commands read it from the proxy.
indirect enum JSONValue: Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case text(String)
  case list([JSONValue])
  /// Fields in their order.
  case object([(name: String, value: JSONValue)])

  static func == (left: JSONValue, right: JSONValue) -> Bool { left.display == right.display }

  /// Reads a whole document; nil when it is not valid JSON or nests deeper than 32 levels.
  init?(_ bytes: [UInt8]) {
    var reader = JSONReader(bytes: bytes)
    guard let value = reader.value(depth: 0), reader.isAtEnd else { return nil }
    self = value
  }

  /// A field of an object.
  subscript(name: String) -> JSONValue? {
    guard case .object(let fields) = self else { return nil }
    return fields.first { $0.name == name }?.value
  }

  /// The elements of a list; none for anything else.
  var elements: [JSONValue] {
    if case .list(let elements) = self { elements } else { [] }
  }

  /// The fields of an object; none for anything else.
  var fields: [(name: String, value: JSONValue)] {
    if case .object(let fields) = self { fields } else { [] }
  }

  /// The value for people: text as it is but safe for a terminal, `-` for null.
  var display: String {
    switch self {
    case .null: "-"
    case .bool(let value): value ? "true" : "false"
    case .number(let value): Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    case .text(let value): printable(value)
    case .list(let elements): "[" + elements.map(\.display).joined(separator: ", ") + "]"
    case .object(let fields):
      fields.map { "\(printable($0.name))=\($0.value.display)" }.joined(separator: " ")
    }
  }
}

/// Reads JSON (RFC 8259) from bytes, one value deep at a time.
private struct JSONReader {
  let bytes: [UInt8]
  var place = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  /// Whether nothing but blanks follows.
  var isAtEnd: Bool {
    mutating get {
      skipBlanks()
      return place == bytes.count
    }
  }

  mutating func value(depth: Int) -> JSONValue? {
    skipBlanks()
    guard depth < 32, place < bytes.count else { return nil }
    switch bytes[place] {
    case UInt8(ascii: "{"): return object(depth)
    case UInt8(ascii: "["): return list(depth)
    case UInt8(ascii: "\""): return text().map { .text($0) }
    case UInt8(ascii: "t"): return take("true") ? .bool(true) : nil
    case UInt8(ascii: "f"): return take("false") ? .bool(false) : nil
    case UInt8(ascii: "n"): return take("null") ? .null : nil
    default: return number()
    }
  }

  private mutating func object(_ depth: Int) -> JSONValue? {
    place += 1
    var fields: [(name: String, value: JSONValue)] = []
    if takeAfterBlanks("}") { return .object(fields) }
    repeat {
      skipBlanks()
      guard let name = text(), takeAfterBlanks(":"), let value = value(depth: depth + 1) else { return nil }
      fields.append((name, value))
    } while takeAfterBlanks(",")
    return takeAfterBlanks("}") ? .object(fields) : nil
  }

  private mutating func list(_ depth: Int) -> JSONValue? {
    place += 1
    var elements: [JSONValue] = []
    if takeAfterBlanks("]") { return .list(elements) }
    repeat {
      guard let value = value(depth: depth + 1) else { return nil }
      elements.append(value)
    } while takeAfterBlanks(",")
    return takeAfterBlanks("]") ? .list(elements) : nil
  }

  private mutating func number() -> JSONValue? {
    let start = place
    while place < bytes.count, "+-.eE0123456789".utf8.contains(bytes[place]) { place += 1 }
    return Double(String(decoding: bytes[start..<place], as: UTF8.self)).map { .number($0) }
  }

  private mutating func text() -> String? {
    guard take("\"") else { return nil }
    var units: [UInt16] = []
    var run: [UInt8] = []
    func flushed() -> [UInt16] { Array(String(decoding: run, as: UTF8.self).utf16) }
    while place < bytes.count {
      let byte = bytes[place]
      place += 1
      if byte == UInt8(ascii: "\"") {
        return String(decoding: units + flushed(), as: UTF16.self)
      }
      if byte != UInt8(ascii: "\\") {
        run.append(byte)
        continue
      }
      guard place < bytes.count else { return nil }
      units += flushed()
      run.removeAll()
      let letter = bytes[place]
      place += 1
      switch letter {
      case UInt8(ascii: "n"): units.append(0x0A)
      case UInt8(ascii: "r"): units.append(0x0D)
      case UInt8(ascii: "t"): units.append(0x09)
      case UInt8(ascii: "b"): units.append(0x08)
      case UInt8(ascii: "f"): units.append(0x0C)
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(UInt16(letter))
      case UInt8(ascii: "u"):
        guard place + 4 <= bytes.count,
          let unit = UInt16(String(decoding: bytes[place..<place + 4], as: UTF8.self), radix: 16)
        else { return nil }
        units.append(unit)
        place += 4
      default: return nil
      }
    }
    return nil
  }

  private mutating func skipBlanks() {
    while place < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[place]) { place += 1 }
  }

  private mutating func take(_ word: String) -> Bool {
    guard bytes[place...].starts(with: word.utf8) else { return false }
    place += word.utf8.count
    return true
  }

  private mutating func takeAfterBlanks(_ word: String) -> Bool {
    skipBlanks()
    return take(word)
  }
}
