// RFC 3261 §20.10, §20.20, §20.30, §20.34 and §20.39: name-addr and addr-spec with header parameters.
// Strict where the text can be taken in two ways (E29, E31); a display name right before `<` is legal (E30).

/// A From, To, Contact, Route, Record-Route or Path value.
public struct NameAddress: BitwiseCopyable, Sendable {
  /// The whole value.
  public internal(set) var value = ByteRange.none
  /// The URI, without `<` and `>`.
  public internal(set) var uri = ByteRange.none
  /// Whether the URI stands in `<` and `>`.
  public internal(set) var isBracketed = false
  /// The header parameters, from the first semicolon on; empty without any.
  public internal(set) var parameters = ByteRange.none
  /// Value of the `tag` parameter; empty without one (E32).
  public internal(set) var tag = ByteRange.none
  /// Whether there is a `tag` parameter.
  public internal(set) var hasTag = false

  /// Nothing read yet.
  public init() {}
}

/// Reads the name-addr or addr-spec that is all of `range`, with its parameters; nil when malformed.
public func parseNameAddress(_ bytes: Span<UInt8>, _ range: ByteRange) -> NameAddress? {
  var scanner = FieldScanner(bytes, range)
  scanner.skipSpace(bytes)
  var address = NameAddress()
  let start = scanner.position
  guard address.scanURI(bytes, &scanner), bytes.hasScheme(address.uri),
    address.scanParameters(bytes, &scanner)
  else { return nil }
  address.value = bytes.trimmed(start, scanner.end)
  return address
}

extension NameAddress {
  fileprivate mutating func scanURI(_ bytes: Span<UInt8>, _ scanner: inout FieldScanner) -> Bool {
    let start = scanner.position
    if scanner.peek(bytes) == UInt8(ascii: "\"") {
      guard scanner.quotedString(bytes) else { return false }
      scanner.skipSpace(bytes)
    } else {
      // display-name = *(token LWS), the last LWS optional (E30)
      while scanner.peek(bytes) != UInt8(ascii: "<"), !scanner.token(bytes).isEmpty {
        scanner.skipSpace(bytes)
      }
      if scanner.peek(bytes) != UInt8(ascii: "<") {
        scanner.position = start
        return scanBareURI(bytes, &scanner)
      }
    }
    guard scanner.accept(bytes, UInt8(ascii: "<")) else { return false }
    let first = scanner.position
    scanner.position = bytes.endOfURICharacters(from: first, to: scanner.end)
    uri = ByteRange(first, scanner.position)
    isBracketed = true
    return scanner.accept(bytes, UInt8(ascii: ">"))
  }

  /// An addr-spec without brackets, which cannot hold a comma, semicolon or question mark (E29).
  private mutating func scanBareURI(_ bytes: Span<UInt8>, _ scanner: inout FieldScanner) -> Bool {
    let start = scanner.position
    while scanner.position < scanner.end {
      let byte = bytes[scanner.position]
      if byte.isLinearSpace || byte == UInt8(ascii: ";") { break }
      guard byte.isURICharacter, byte != UInt8(ascii: ","), byte != UInt8(ascii: "?") else { return false }
      scanner.position += 1
    }
    uri = ByteRange(start, scanner.position)
    return true
  }

  /// Parameters up to the end of the value; a repeated `tag` (E21) or a stray separator (E23) fails.
  fileprivate mutating func scanParameters(_ bytes: Span<UInt8>, _ scanner: inout FieldScanner) -> Bool {
    scanner.skipSpace(bytes)
    let start = scanner.position
    while scanner.accept(bytes, UInt8(ascii: ";")) {
      scanner.skipSpace(bytes)
      guard let parameter = scanner.parameter(bytes) else { return false }
      if parameter.name.count == 3, bytes.isWord(parameter.name, .tag) {
        guard !hasTag, parameter.isToken else { return false }
        tag = parameter.value
        hasTag = true
      }
      parameters = ByteRange(start, scanner.position)
      scanner.skipSpace(bytes)
    }
    return scanner.isAtEnd
  }
}

extension Span where Element == UInt8 {
  /// Whether `range` starts with a URI scheme, its colon, and something behind it.
  func hasScheme(_ range: ByteRange) -> Bool {
    let (start, end) = bounds(range)
    if end - start > 5 {
      // sip: or sips:
      let word = lowercasedWord(at: start, 5)
      if word & 0xFFFF_FFFF == 0x3A70_6973 || word == 0x3A_7370_6973 { return true }
    }
    guard start < end, self[start].isLetter else { return false }
    var offset = start + 1
    while offset < end {
      let byte = self[offset]
      if byte == UInt8(ascii: ":") { return offset + 1 < end }
      guard
        byte.isLetter || byte.isDigit || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
          || byte == UInt8(ascii: ".")
      else { return false }
      offset += 1
    }
    return false
  }
}
