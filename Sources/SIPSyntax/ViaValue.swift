// RFC 3261 §20.42 with RFC 3581: one value of a Via header field.
// Left open: `received` in brackets or bare (both read, D14), comments of RFC 2543 (skipped), any protocol
// name before the transport (read, never judged: D16).

/// The `rport` parameter of RFC 3581.
public enum RPort: BitwiseCopyable, Hashable, Sendable {
  /// Not there.
  case absent
  /// There without a value: a request to fill it in.
  case empty
  /// There with a value.
  case value(UInt16)
}

/// One Via value.
public struct ViaValue: BitwiseCopyable, Sendable {
  /// This value, without the comma and blanks around it.
  public internal(set) var value = ByteRange.none
  /// Transport token, such as `UDP`; any token is legal (E33).
  public internal(set) var transport = ByteRange.none
  /// Host of sent-by, an IPv6 address with its brackets.
  public internal(set) var host = ByteRange.none
  /// Port of sent-by; nil when absent, which is not equal to an explicit default (C50).
  public internal(set) var port: UInt16?
  /// Host of sent-by when it is numeric.
  public internal(set) var hostAddress: IPAddress?
  /// Value of `branch`.
  public internal(set) var branch: ByteRange?
  /// Whether `branch` starts with the cookie of RFC 3261 §8.1.1.7.
  public internal(set) var hasMagicCookie = false
  /// Value of `received`, not to be trusted in what a peer sent (D13).
  public internal(set) var received: ByteRange?
  /// The whole `received` parameter with its semicolon, to be replaced; empty when absent.
  public internal(set) var receivedParameter = ByteRange.none
  /// The `rport` parameter.
  public internal(set) var rport = RPort.absent
  /// The whole `rport` parameter with its semicolon; empty when absent.
  public internal(set) var rportParameter = ByteRange.none
  /// Value of `maddr`.
  public internal(set) var maddr: ByteRange?
  /// End of the parameters, where another one can be inserted.
  public internal(set) var end = 0

  /// Nothing read yet.
  public init() {}

  /// Whether `branch` is the cookie and nothing else (C53).
  public var isBareCookie: Bool { hasMagicCookie && branch?.count == 7 }

  /// Whether sent-by was read; true also for a value that is malformed behind it (E19).
  public var hasSentBy: Bool { !host.isEmpty }
}

/// Reads the Via value that is all of `range`; nil when it is malformed.
public func parseVia(_ bytes: Span<UInt8>, _ range: ByteRange) -> ViaValue? {
  var scanner = FieldScanner(bytes, range)
  var via = ViaValue()
  guard via.scan(bytes, &scanner), scanner.isAtEnd else { return nil }
  return via
}

/// The address a Via value names in its sent-by; nil for a name, or when it is malformed. Reads no parameters.
public func readSentByAddress(_ bytes: Span<UInt8>, _ range: ByteRange) -> IPAddress? {
  var scanner = FieldScanner(bytes, range)
  var via = ViaValue()
  return via.scanHop(bytes, &scanner) ? via.hostAddress : nil
}

extension ViaValue {
  /// Reads one value up to a comma or the end; false when malformed, with all that was read kept.
  mutating func scan(_ bytes: Span<UInt8>, _ scanner: inout FieldScanner) -> Bool {
    scanner.skipSpace(bytes)
    let start = scanner.position
    return scanHop(bytes, &scanner) && scanParameters(bytes, &scanner, start)
  }

  /// Reads sent-protocol and sent-by, which stand in front of the parameters.
  fileprivate mutating func scanHop(_ bytes: Span<UInt8>, _ scanner: inout FieldScanner) -> Bool {
    scanner.skipSpace(bytes)
    if !scanner.acceptProtocol(bytes) {
      // sent-protocol, with blanks around the slashes (E33)
      guard !scanner.token(bytes).isEmpty, scanner.separator(bytes, UInt8(ascii: "/")),
        !scanner.token(bytes).isEmpty, scanner.separator(bytes, UInt8(ascii: "/"))
      else { return false }
    }
    transport = scanner.token(bytes)
    guard !transport.isEmpty, scanner.peek(bytes).isLinearSpace else { return false }
    scanner.skipSpace(bytes)
    return scanSentBy(bytes, &scanner)
  }

  private mutating func scanSentBy(_ bytes: Span<UInt8>, _ scanner: inout FieldScanner) -> Bool {
    let start = scanner.position
    guard scanner.host(bytes, address: &hostAddress) else { return false }
    host = ByteRange(start, scanner.position)
    end = scanner.position
    if scanner.separator(bytes, UInt8(ascii: ":")) {
      let digits = scanner.position
      while scanner.peek(bytes).isDigit { scanner.position += 1 }
      guard let number = bytes.port(ByteRange(digits, scanner.position)) else { return false }
      port = number
      end = scanner.position
    }
    value = ByteRange(start, end)
    return true
  }

  private mutating func scanParameters(
    _ bytes: Span<UInt8>, _ scanner: inout FieldScanner, _ start: Int
  ) -> Bool {
    while true {
      value = ByteRange(start, end)
      scanner.skipSpace(bytes)
      if scanner.peek(bytes) == UInt8(ascii: "(") {
        guard scanner.comment(bytes) else { return false }
        end = scanner.position
        continue
      }
      let semicolon = scanner.position
      guard scanner.accept(bytes, UInt8(ascii: ";")) else {
        return scanner.isAtEnd || scanner.peek(bytes) == UInt8(ascii: ",")
      }
      scanner.skipSpace(bytes)
      guard let parameter = scanner.parameter(bytes, beforeComment: true) else { return false }
      end = scanner.position
      guard note(parameter, ByteRange(semicolon, end), bytes) else { return false }
    }
  }

  /// Keeps a parameter that the proxy uses; false when it is repeated (E21) or has no legal value.
  private mutating func note(
    _ parameter: FieldScanner.Parameter, _ whole: ByteRange, _ bytes: Span<UInt8>
  ) -> Bool {
    let value = parameter.value
    switch parameter.name.count {
    case 5 where bytes.isWord(parameter.name, .rport):
      guard rport == .absent else { return false }
      rportParameter = whole
      if value.isEmpty {
        rport = .empty
      } else {
        guard let number = bytes.number(value), let port = UInt16(exactly: number) else { return false }
        rport = .value(port)
      }
    case 5 where bytes.isWord(parameter.name, .maddr):
      guard maddr == nil, !value.isEmpty else { return false }
      maddr = value
    case 6 where bytes.isWord(parameter.name, .branch):
      guard branch == nil, parameter.isToken else { return false }
      branch = value
      hasMagicCookie = bytes.isWord(
        ByteRange(value.lowerBound, min(value.upperBound, value.lowerBound + 7)), .magicCookie)
    case 8 where bytes.isWord(parameter.name, .received):
      guard received == nil else { return false }
      received = value
      receivedParameter = whole
    default: break
    }
    return true
  }
}

extension FieldScanner {
  /// Moves over `SIP/2.0/` written just so and followed by the transport; false, unmoved, for anything else.
  @inline(__always)
  fileprivate mutating func acceptProtocol(_ bytes: Span<UInt8>) -> Bool {
    guard position + 8 < end, bytes.word(at: position) == 0x2F30_2E32_2F50_4953,
      !bytes[position + 8].isLinearSpace
    else { return false }
    position += 8
    return true
  }

  /// Moves over a host and reads its address when it is numeric; false when there is none, or it is no address
  /// though in brackets.
  mutating func host(_ bytes: Span<UInt8>, address: inout IPAddress?) -> Bool {
    let start = position
    if peek(bytes).isDigit, let dotted = dottedQuad(bytes) {
      address = IPAddress(v4: dotted)
      return true
    }
    guard host(bytes) else { return false }
    guard bytes[start] == UInt8(ascii: "[") else { return true }
    address = IPAddress(bytes, ByteRange(start, position))
    return address != nil
  }

  /// Moves over a host that is an IPv4 address; nil, unmoved, for any other.
  private mutating func dottedQuad(_ bytes: Span<UInt8>) -> UInt32? {
    var offset = position
    var address: UInt32 = 0
    for part in 0..<4 {
      let first = offset
      var number: UInt32 = 0
      while offset < end, offset &- first < 4, bytes[offset].isDigit {
        number = number &* 10 &+ UInt32(bytes[offset] &- 48)
        offset &+= 1
      }
      guard offset > first, offset &- first < 4, number <= 255 else { return nil }
      address = address &<< 8 | number
      if part < 3 {
        guard offset < end, bytes[offset] == UInt8(ascii: ".") else { return nil }
        offset &+= 1
      }
    }
    if offset < end, bytes[offset].isHostCharacter { return nil }
    position = offset
    return address
  }

  /// Moves over a host: a name, a dotted quad, or anything in brackets; false when there is none.
  private mutating func host(_ bytes: Span<UInt8>) -> Bool {
    let start = position
    if accept(bytes, UInt8(ascii: "[")) {
      while position < end {
        let byte = bytes[position]
        position += 1
        if byte == UInt8(ascii: "]") { return true }
        guard byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".") || byte.hexadecimalValue != nil
        else { return false }
      }
      return false
    }
    while position < end, bytes[position].isHostCharacter { position += 1 }
    return position > start
  }
}
