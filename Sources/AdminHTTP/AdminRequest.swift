/// One request to the query API, taken apart.
public struct AdminRequest: Sendable {
  /// `GET`, `HEAD`, or anything else, which is refused; methods are told apart by case.
  public var method: String
  /// The path, percent signs decoded in each segment, without the empty one in front.
  public var segments: [[UInt8]]
  /// The query's fields in their order, decoded.
  public var query: [(name: [UInt8], value: [UInt8])]

  /// Reads a request target such as `/dialogs?limit=10`.
  public init(method: String, target: String) {
    self.method = method
    let parts = target.utf8.split(
      separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
    let path = parts.first ?? ""[...].utf8
    segments = path.split(separator: UInt8(ascii: "/")).map { decodePercent($0) }
    query = []
    guard parts.count > 1 else { return }
    for field in parts[1].split(separator: UInt8(ascii: "&")) {
      let sides = field.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      let value = sides.count > 1 ? decodePercent(sides[1]) : []
      query.append((decodePercent(sides[0]), value))
    }
  }

  /// The value of the first query field of that name.
  func value(of name: String) -> [UInt8]? {
    query.first { $0.name.elementsEqual(name.utf8) }?.value
  }
}

/// Replaces `%XX` by its byte; anything that is no such triple stays as it is.
///
/// A plus sign stays one: it is legal in a Call-ID, and ours is no HTML form.
func decodePercent(_ text: Substring.UTF8View) -> [UInt8] {
  var bytes: [UInt8] = []
  var rest = text[...]
  while let byte = rest.popFirst() {
    let digits = rest.prefix(2).compactMap { hexadecimalValue(of: $0) }
    if byte == UInt8(ascii: "%"), digits.count == 2 {
      bytes.append(digits[0] << 4 | digits[1])
      rest = rest.dropFirst(2)
    } else {
      bytes.append(byte)
    }
  }
  return bytes
}

private func hexadecimalValue(of byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}

/// The number that all of `bytes` is in decimal; nil when it is none or does not fit.
func decimal(_ bytes: [UInt8]) -> UInt64? {
  guard !bytes.isEmpty, bytes.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else { return nil }
  return UInt64(String(decoding: bytes, as: UTF8.self))
}
