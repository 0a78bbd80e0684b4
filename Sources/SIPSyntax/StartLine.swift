// RFC 3261 §7.1 and §7.2: Request-Line and Status-Line. Strict: one SP between the elements (E4).

/// `SIP/2.0`, the first byte lowest.
private let canonicalVersion: UInt64 = 0x30_2E32_2F50_4953

extension SIPMessage {
  /// Reads the start line at `start` and notes its defects; returns where the header fields start, or nil
  /// when it is no start line of SIP.
  mutating func parseStartLine(_ bytes: Span<UInt8>, from start: Int) -> Int? {
    let lineBreak = bytes.lineBreak(from: start)
    var next = lineBreak + 1
    if lineBreak < bytes.count, bytes[lineBreak] == 13, lineBreak + 1 < bytes.count,
      bytes[lineBreak + 1] == 10
    {
      next = lineBreak + 2
    } else if lineBreak < bytes.count {
      note(Defect(.other, bytes[lineBreak] == 10 ? "Bare Line Feed" : "Lone Carriage Return", at: lineBreak))
    }
    next = min(next, bytes.count)
    startLine = ByteRange(start, next)
    let line = ByteRange(start, lineBreak)
    let isRead = bytes.startsWithProtocol(line) ? parseStatusLine(bytes, line) : parseRequestLine(bytes, line)
    return isRead ? next : nil
  }

  // MARK: Requests

  private mutating func parseRequestLine(_ bytes: Span<UInt8>, _ line: ByteRange) -> Bool {
    var scanner = FieldScanner(bytes, line)
    let name = scanner.token(bytes)
    guard !name.isEmpty, scanner.peek(bytes).isBlank else { return false }
    // the last word must at least claim to be SIP
    let tail = bytes.lastWord(line)
    guard tail.start > name.end, bytes.startsWithProtocol(tail) else { return false }
    isRequest = true
    methodName = name
    method = SIPMethod(bytes, name)
    version = tail
    requestURI = bytes.trimmed(name.upperBound, tail.lowerBound)
    let isExact =
      requestURI.lowerBound == name.upperBound + 1 && requestURI.upperBound + 1 == tail.lowerBound
      && tail.end == line.end && !requestURI.isEmpty
    guard bytes.isWord(tail, .protocolVersion) else {
      let isVersion = bytes.isVersion(tail)
      note(
        Defect(
          .other, isVersion ? "Version Not Supported" : "Malformed Request-Line", at: tail.lowerBound,
          status: isVersion ? 505 : 400))  // E3
      return true
    }
    if !isExact || bytes[name.upperBound] != 32 || bytes[tail.lowerBound - 1] != 32 {
      note(Defect(.other, "Malformed Request-Line", at: name.upperBound))  // E4
    }
    hasCanonicalVersion = bytes.shortWord(at: tail.lowerBound, 7) == canonicalVersion
    readRequestURI(bytes)
    return true
  }

  /// E5, E6, D59: a Request-URI that cannot be understood as a URI is 400; the scheme is judged later.
  private mutating func readRequestURI(_ bytes: Span<UInt8>) {
    guard requestURI.count <= SIPMessage.valueLimit else {
      note(Defect(.other, "Request-URI Too Long", at: requestURI.lowerBound, status: 414))  // E42
      return
    }
    guard let uri = SIPURI(parsing: bytes, requestURI) else {
      note(Defect(.other, "Malformed Request-URI", at: requestURI.lowerBound))
      return
    }
    requestTarget = uri
    if let headers = uri.headers {
      note(Defect(.other, "Header Fields in Request-URI", at: headers.lowerBound))
    }
  }

  // MARK: Responses

  private mutating func parseStatusLine(_ bytes: Span<UInt8>, _ line: ByteRange) -> Bool {
    var scanner = FieldScanner(bytes, line)
    while !scanner.isAtEnd, !scanner.peek(bytes).isBlank { scanner.position += 1 }
    version = ByteRange(line.lowerBound, scanner.position)
    guard bytes.isWord(version, .protocolVersion) else {
      note(Defect(.other, "Version Not Supported", at: line.lowerBound, status: 505))
      return bytes.isVersion(version)
    }
    hasCanonicalVersion = bytes.shortWord(at: version.lowerBound, 7) == canonicalVersion
    guard scanner.accept(bytes, 32) else { return false }
    let digits = scanner.position
    while scanner.peek(bytes).isDigit { scanner.position += 1 }
    let range = ByteRange(digits, scanner.position)
    if range.count == 3, let number = bytes.number(range), number >= 100, number <= 699 {
      status = UInt16(truncatingIfNeeded: number)
    } else {
      note(Defect(.other, "Malformed Status-Code", at: digits))  // E7
    }
    // An empty reason phrase keeps its SP; a few senders leave that out, and nothing is ambiguous then.
    if !scanner.accept(bytes, 32), !scanner.isAtEnd {
      note(Defect(.other, "Malformed Status-Line", at: scanner.position))
    }
    reasonPhrase = ByteRange(scanner.position, line.upperBound)
    return true
  }
}

extension Span where Element == UInt8 {
  /// Whether `range` starts with `SIP/`.
  fileprivate func startsWithProtocol(_ range: ByteRange) -> Bool {
    range.count > 4 && isWord(ByteRange(range.lowerBound, range.lowerBound + 4), .protocolName)
  }

  /// Whether `range` is `SIP/` digits `.` digits.
  fileprivate func isVersion(_ range: ByteRange) -> Bool {
    var scanner = FieldScanner(self, ByteRange(range.lowerBound + 4, range.upperBound))
    let major = scanner.position
    while scanner.peek(self).isDigit { scanner.position += 1 }
    guard startsWithProtocol(range), scanner.position > major, scanner.accept(self, UInt8(ascii: ".")) else {
      return false
    }
    return number(ByteRange(scanner.position, range.upperBound)) != nil
  }

  /// The bytes between the last blank of `range` and the blanks that end it.
  fileprivate func lastWord(_ range: ByteRange) -> ByteRange {
    let (start, end) = bounds(range)
    let word = trimmed(start, end)
    var first = word.upperBound
    while first > word.lowerBound, !self[first - 1].isBlank { first -= 1 }
    return ByteRange(first, word.upperBound)
  }
}
