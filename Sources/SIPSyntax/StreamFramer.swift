// RFC 3261 §7.5 and §18.3, RFC 5626 §4.4.1: where messages begin and end in a stream of octets.
//
// Lines, names and Content-Length are read by the parser's own functions. What the RFC leaves open: a header section
// with a bare LF or a lone CR has an end that two readers can see in two places. The message is given up (E43), and
// the connection with it, for whoever writes so may hide one message in another. CR, LF and NUL that stand between
// messages and are no CRLF are skipped like it; the parser does the same.

/// How much of one message a stream may carry (D35, E42).
public struct StreamLimits: Equatable, Sendable {
  /// Octets of the start line and the header fields with their empty line.
  public var headerSection: Int
  /// Octets of the body.
  public var body: Int

  /// The limits the parser knows, unless told otherwise.
  public init(headerSection: Int = SIPMessage.headerSectionLimit, body: Int = SIPMessage.bodyLimit) {
    self.headerSection = headerSection
    self.body = body
  }
}

/// Finds the messages of one connection, however its octets are cut into reads (D34).
///
/// It keeps a few words and no octet: the caller keeps those that are not consumed and shows them again with
/// what came behind them. Each octet is looked at once, so the cost is linear even when they come one by one.
public struct StreamFramer: Sendable {
  /// What stands at the front of the stream.
  public enum Finding: Equatable, Sendable {
    /// Nothing whole yet.
    case incomplete
    /// Exactly one message, without the CRLFs before it (D33).
    case message(ByteRange)
    /// Double CRLF between messages: to be answered by a single one (D65).
    case ping
    /// It cannot be known where the next message begins (D31): the range is the header section, for an answer.
    case broken(ByteRange, Defect)
    /// More than the limits (D35): as `broken`.
    case overflow(ByteRange, Defect)
  }

  private enum Phase: UInt8 {
    /// Between messages; nothing but CRLFs was seen since the last one.
    case between
    case startLine
    case fields
    case body
    /// Behind `broken` or `overflow` everything is dropped.
    case lost
  }

  private let limits: StreamLimits
  private var phase = Phase.between
  /// How much of CR LF CR LF the last octets between messages are.
  private var blanks: UInt8 = 0
  /// Offset in the message up to which lines have been read.
  private var position = 0
  /// Offset in the message of the field being read, or of the line.
  private var row = 0
  private var claim = LengthClaim.none
  /// The first line break that is none of CRLF.
  private var fault: Defect?
  /// Octets of the whole message, once known.
  private var length = 0

  /// A framer at the start of a connection.
  public init(limits: StreamLimits = StreamLimits()) { self.limits = limits }

  /// Whether octets of a message were seen and it is not complete: the time for it runs (D35).
  public var isInsideMessage: Bool { phase != .between && phase != .lost }

  /// Looks at the octets that have not been consumed; `consumed` says how many to drop before the next call.
  public mutating func next(_ bytes: Span<UInt8>) -> (finding: Finding, consumed: Int) {
    var start = 0
    if phase == .lost { return (.incomplete, bytes.count) }
    if phase == .between {
      while start < bytes.count, bytes[start].isPadding {
        start += 1
        if completesPing(bytes[start - 1]) { return (.ping, start) }
      }
      guard start < bytes.count else { return (.incomplete, start) }
      begin()
    }
    let message = bytes.extracting(droppingFirst: start)
    if phase != .body, let end = readLines(message), let failure = settleLength(sectionEnd: end) {
      phase = .lost
      return (failure.moved(by: start), bytes.count)
    }
    switch phase {
    case .body where message.count >= length:
      phase = .between
      blanks = 0
      return (.message(ByteRange(start, start + length)), start + length)
    case .startLine, .fields:
      guard message.count >= limits.headerSection else { return (.incomplete, start) }
      phase = .lost
      return (headerOverflow.moved(by: start), bytes.count)
    default: return (.incomplete, start)
    }
  }

  /// Follows the octets between messages toward a double CRLF (RFC 5626 §4.4.1); a single one is none (D66).
  private mutating func completesPing(_ byte: UInt8) -> Bool {
    switch (byte, blanks) {
    case (13, 0), (13, 2): blanks += 1
    case (13, _): blanks = 1
    case (10, 1): blanks = 2
    case (10, 3):
      blanks = 0
      return true
    default: blanks = 0
    }
    return false
  }

  private mutating func begin() {
    phase = .startLine
    (position, row, length) = (0, 0, 0)
    claim = .none
    fault = nil
  }

  /// Reads the lines that are there; returns the end of the header section when it is among them.
  private mutating func readLines(_ bytes: Span<UInt8>) -> Int? {
    while true {
      let lineBreak = bytes.lineBreak(from: position)
      position = lineBreak
      guard lineBreak < bytes.count else { return nil }
      var next = lineBreak + 1
      if bytes[lineBreak] == 10 {
        note(Defect(.other, "Bare Line Feed", at: lineBreak))
      } else {
        guard next < bytes.count else { return nil }
        guard bytes[next] == 10 else {
          note(Defect(.other, "Lone Carriage Return", at: lineBreak))
          position = next
          continue
        }
        next += 1
      }
      if phase == .fields {
        if lineBreak == row { return next }
        // Whether the field goes on shows in the octet behind the line break (E10).
        guard next < bytes.count else { return nil }
        if bytes[next].isBlank {
          position = next
          continue
        }
        readField(bytes, until: lineBreak)
      }
      phase = .fields
      position = next
      row = next
    }
  }

  private mutating func readField(_ bytes: Span<UInt8>, until end: Int) {
    let label = bytes.label(at: row, FieldNameTable.standard)
    guard label.isWellFormed, label.name == .contentLength else { return }
    claim.add(bytes, row: row, value: bytes.trimmed(label.valueStart, end))
  }

  private mutating func note(_ defect: Defect) {
    if fault == nil { fault = defect }
  }

  /// The header section is complete: says how long the message is, or why that cannot be known.
  private mutating func settleLength(sectionEnd end: Int) -> Finding? {
    guard end <= limits.headerSection else { return headerOverflow }
    let section = ByteRange(0, end)
    if let fault { return .broken(section, fault) }
    switch claim {
    case .none: return .broken(section, .missingContentLength(at: row))
    case .faulty(let defect): return .broken(section, defect)
    case .length(let octets, at: let offset):
      guard octets <= UInt64(limits.body) else { return .overflow(section, .bodyTooLarge(at: offset)) }
      length = end + Int(octets)
      phase = .body
      return nil
    }
  }

  /// The same whatever of the octets beyond the limit has come (D34).
  private var headerOverflow: Finding {
    .overflow(
      ByteRange(0, limits.headerSection),
      Defect(.other, "Header Section Too Large", at: limits.headerSection))
  }
}

extension StreamFramer.Finding {
  /// The same with ranges that count from `offset` octets earlier.
  fileprivate func moved(by offset: Int) -> StreamFramer.Finding {
    func moved(_ range: ByteRange) -> ByteRange {
      ByteRange(range.lowerBound + offset, range.upperBound + offset)
    }
    return switch self {
    case .incomplete, .ping: self
    case .message(let range): .message(moved(range))
    case .broken(let range, let defect): .broken(moved(range), defect)
    case .overflow(let range, let defect): .overflow(moved(range), defect)
    }
  }
}
