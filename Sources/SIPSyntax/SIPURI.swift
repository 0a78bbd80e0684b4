// RFC 3261 §19.1: SIP and SIPS URIs; other schemes are kept whole (416 is the proxy's answer, B11).
// Left open: how strictly the user part is checked. We ask for printable ASCII and whole escapes only,
// because dialled strings with `#` are common and forwarding them changes nothing.

/// The scheme of a URI, as far as routing cares.
public enum URIScheme: UInt8, BitwiseCopyable, Hashable, Sendable { case sip, sips, tel, other }

/// A parsed URI; all ranges lie in the bytes it was parsed from. Escapes are never decoded (E37).
public struct SIPURI: BitwiseCopyable, Sendable {
  /// The whole URI.
  public internal(set) var range = ByteRange.none
  /// Its scheme.
  public internal(set) var scheme = URIScheme.other
  /// User part without the password; may hold `;`, `?` and more (E35).
  public internal(set) var user = ByteRange.none
  /// User part with the password.
  public internal(set) var userInfo = ByteRange.none
  /// Whether there is a user part.
  public internal(set) var hasUser = false
  /// Host, an IPv6 address with its brackets; empty unless the scheme is sip or sips.
  public internal(set) var host = ByteRange.none
  /// Host when it is numeric.
  public internal(set) var hostAddress: IPAddress?
  /// Explicit port.
  public internal(set) var port: UInt16?
  /// Digits of the port; empty without one.
  public internal(set) var portRange = ByteRange.none
  /// URI parameters from the first semicolon on; empty without any.
  public internal(set) var parameters = ByteRange.none
  /// `lr`, with or without a value (E39).
  public internal(set) var hasLR = false
  /// `ob` of RFC 5626.
  public internal(set) var hasOB = false
  /// Value of `transport`.
  public internal(set) var transport: ByteRange?
  /// The whole `transport` parameter with its semicolon.
  public internal(set) var transportParameter = ByteRange.none
  /// Value of `maddr`.
  public internal(set) var maddr: ByteRange?
  /// The whole `maddr` parameter with its semicolon.
  public internal(set) var maddrParameter = ByteRange.none
  /// Value of `method`.
  public internal(set) var method: ByteRange?
  /// The whole `method` parameter with its semicolon.
  public internal(set) var methodParameter = ByteRange.none
  /// Value of `ttl`.
  public internal(set) var ttl: ByteRange?
  /// The whole `ttl` parameter with its semicolon.
  public internal(set) var ttlParameter = ByteRange.none
  /// Value of `user`.
  public internal(set) var userParameter: ByteRange?
  /// Value of `ck`, our own token in Record-Route and Path.
  public internal(set) var token: ByteRange?
  /// `?` and the headers behind it.
  public internal(set) var headers: ByteRange?

  /// Reads the URI that is all of `range`; nil when it is malformed, for example an unbracketed IPv6
  /// host (D59), an empty parameter (E23), or a repeated parameter that routing uses (E21).
  public init?(parsing bytes: Span<UInt8>, _ range: ByteRange) {
    let (start, end) = bytes.bounds(range)
    guard bytes.hasScheme(range) else { return nil }
    self.range = ByteRange(start, end)
    var colon = start
    while bytes[colon] != UInt8(ascii: ":") { colon += 1 }
    scheme = SIPURI.scheme(bytes, ByteRange(start, colon))
    guard bytes.endOfURICharacters(from: colon, to: end) == end else { return nil }
    guard scheme == .sip || scheme == .sips else { return }
    // E35, E40: the last `@` ends the user part
    var lastAt = -1
    var at = bytes.firstOffset(of: UInt8(ascii: "@"), from: colon, to: end)
    while at < end {
      lastAt = at
      at = bytes.firstOffset(of: UInt8(ascii: "@"), from: at + 1, to: end)
    }
    if lastAt >= 0 {
      guard scanUser(bytes, colon + 1, lastAt) else { return nil }
    }
    guard scanHost(bytes, max(lastAt, colon) + 1, end) else { return nil }
  }

  private static func scheme(_ bytes: Span<UInt8>, _ range: ByteRange) -> URIScheme {
    switch range.count {
    case 3 where bytes.isWord(range, .sip): .sip
    case 3 where bytes.isWord(range, .tel): .tel
    case 4 where bytes.isWord(range, .sips): .sips
    default: .other
    }
  }

  private mutating func scanUser(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    var userEnd = end
    var offset = start
    while offset < end {
      switch bytes[offset] {
      case UInt8(ascii: "%"):
        guard offset + 2 < end, bytes[offset + 1].hexadecimalValue != nil,
          bytes[offset + 2].hexadecimalValue != nil
        else { return false }
      case UInt8(ascii: ":") where userEnd == end: userEnd = offset
      case UInt8(ascii: "@"): return false
      default: break
      }
      offset += 1
    }
    user = ByteRange(start, userEnd)
    userInfo = ByteRange(start, end)
    hasUser = true
    return !user.isEmpty
  }

  private mutating func scanHost(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    var scanner = FieldScanner(bytes, ByteRange(start, end))
    guard scanner.host(bytes, address: &hostAddress) else { return false }
    host = ByteRange(start, scanner.position)
    if scanner.accept(bytes, UInt8(ascii: ":")) {
      let digits = scanner.position
      while scanner.peek(bytes).isDigit { scanner.position += 1 }
      portRange = ByteRange(digits, scanner.position)
      guard let number = bytes.port(portRange) else { return false }
      port = number
    }
    let first = scanner.position
    while scanner.accept(bytes, UInt8(ascii: ";")) {
      guard scanParameter(bytes, &scanner) else { return false }
      parameters = ByteRange(first, scanner.position)
    }
    if scanner.peek(bytes) == UInt8(ascii: "?") {
      headers = ByteRange(scanner.position, end)
      return end - scanner.position > 1
    }
    return scanner.isAtEnd
  }

  private mutating func scanParameter(_ bytes: Span<UInt8>, _ scanner: inout FieldScanner) -> Bool {
    let start = scanner.position
    var equals = -1
    while !scanner.isAtEnd {
      let byte = bytes[scanner.position]
      if byte == UInt8(ascii: ";") || byte == UInt8(ascii: "?") { break }
      if byte == UInt8(ascii: "="), equals < 0 { equals = scanner.position }
      scanner.position += 1
    }
    let name = ByteRange(start, equals < 0 ? scanner.position : equals)
    let value = equals < 0 ? ByteRange.none : ByteRange(equals + 1, scanner.position)
    let whole = ByteRange(start - 1, scanner.position)
    guard !name.isEmpty else { return false }
    switch name.count {
    case 2 where bytes.isWord(name, .lr): hasLR = true
    case 2 where bytes.isWord(name, .ob): hasOB = true
    case 2 where bytes.isWord(name, .token): return SIPURI.keep(value, in: &token)
    case 3 where bytes.isWord(name, .ttl):
      ttlParameter = whole
      return SIPURI.keep(value, in: &ttl)
    case 4 where bytes.isWord(name, .user): return SIPURI.keep(value, in: &userParameter)
    case 5 where bytes.isWord(name, .maddr):
      maddrParameter = whole
      return SIPURI.keep(value, in: &maddr)
    case 6 where bytes.isWord(name, .method):
      methodParameter = whole
      return SIPURI.keep(value, in: &method)
    case 9 where bytes.equalsIgnoringCase(name, "transport"):
      transportParameter = whole
      return SIPURI.keep(value, in: &transport)
    default: break
    }
    return true
  }

  private static func keep(_ value: ByteRange, in slot: inout ByteRange?) -> Bool {
    guard slot == nil, !value.isEmpty else { return false }
    slot = value
    return true
  }
}
