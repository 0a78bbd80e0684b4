// RFC 3261 §7 and §16.3 item 1: indexes the rows in one pass, then reads the fields that every proxy needs.
// Left open: bare LF and lone CR. Both are defects (E43), but a bare LF still ends a line for us, so that a
// request written that way can be answered.

extension SIPMessage {
  /// Parses one message.
  ///
  /// With `datagram`, the body ends with the datagram when Content-Length is absent (D30); otherwise
  /// Content-Length is required (D31). A request that is `forwarded`, our own copy, may be longer than one that
  /// arrives by what a hop adds; so may every response. Linear in the bytes; allocates nothing.
  public mutating func parse(
    _ bytes: Span<UInt8>, datagram: Bool = true, forwarded: Bool = false
  ) -> Outcome {
    clear()
    var start = 0
    while start < bytes.count, bytes[start].isPadding { start += 1 }
    guard start < bytes.count else { return .keepAlive }
    guard bytes.count < Int(UInt32.max) else { return .unrecognisable }  // offsets have 32 bits
    guard start == 0 || bytes[start - 1] != 0, let line = parseStartLine(bytes, from: start) else {
      return .unrecognisable
    }
    let limits = Limits(rows: fields.count, isOwnWork: forwarded || !isRequest)
    let section = SIPMessage.index(bytes, from: line, sectionStart: start, limits, &fields, &chains, names)
    fieldCount = section.rows
    headersEnd = section.end
    if let found = section.defect { note(found) }
    readEssentialFields(bytes)
    frameBody(bytes, from: section.bodyStart, datagram)
    if let defect { return .malformed(defect) }
    return .wellFormed
  }

  private mutating func clear() {
    isRequest = false
    method = .other
    methodName = .none
    requestURI = .none
    requestTarget = nil
    version = .none
    hasCanonicalVersion = false
    status = 0
    reasonPhrase = .none
    startLine = .none
    headersEnd = 0
    body = .none
    topVia = ViaValue()
    callID = .none
    cSeq = CSeqValue()
    from = NameAddress()
    to = NameAddress()
    maxForwards = .absent
    maxForwardsRange = .none
    fieldCount = 0
    chains = FieldChains()
    defect = nil
  }

  /// Where the header section ended and what was wrong with it.
  struct Section {
    var rows = 0
    var end = 0
    var bodyStart = 0
    var defect: Defect?
  }

  /// What a message may have (E42).
  struct Limits {
    let rows: Int
    let valueBytes: Int

    init(rows: Int, isOwnWork: Bool) {
      self.rows = isOwnWork ? rows : rows - SIPMessage.hopAllowance.rows
      valueBytes = isOwnWork ? SIPMessage.valueLimit + SIPMessage.hopAllowance.bytes : SIPMessage.valueLimit
    }
  }

  /// Indexes the rows from `start` to the empty line.
  private static func index(
    _ bytes: Span<UInt8>, from start: Int, sectionStart: Int, _ limits: Limits, _ fields: inout [HeaderField],
    _ chains: inout FieldChains, _ names: borrowing FieldNameTable
  ) -> Section {
    var rows = fields.mutableSpan
    var section = Section()
    var line = start
    var count = 0
    while line < bytes.count {
      if bytes[line] == 13, line + 1 < bytes.count, bytes[line + 1] == 10 {
        return finish(section, count, line, line + 2)
      }
      if bytes[line] == 10 {
        section.note(Defect(.other, "Bare Line Feed", at: line))
        return finish(section, count, line, line + 1)
      }
      guard count < min(limits.rows, rows.count) else {
        section.note(Defect(.other, "Too Many Header Fields", at: line))
        break
      }
      guard line - sectionStart < headerSectionLimit else {
        section.note(Defect(.other, "Header Section Too Large", at: line))
        break
      }
      let label = bytes.label(at: line, names)
      let lineBreak = bytes.lineBreak(from: label.valueStart)
      var content = lineBreak
      var next = lineBreak &+ 2
      if !bytes.isPlainLineEnd(lineBreak) {
        let logical = bytes.logicalLineEnd(from: lineBreak)
        (content, next) = (logical.content, logical.next)
        if let fault = logical.fault { section.note(Defect(label.name, fault, at: content)) }
      }
      if label.isWellFormed {
        let value = bytes.trimmed(label.valueStart, content)
        if value.count > limits.valueBytes {
          section.note(Defect(label.name, "Header Field Too Large", at: line))
        }
        rows[count] = HeaderField(
          name: label.name, next: HeaderField.none, row: ByteRange(line, next), value: value)
        chains.append(count, label.name, &rows)
        count &+= 1
      } else {
        section.note(Defect(.other, "Malformed Header Field", at: line))
      }
      line = next
    }
    section.note(Defect(.other, "Missing Empty Line", at: line))
    return finish(section, count, line, bytes.count)
  }

  private static func finish(_ section: Section, _ rows: Int, _ end: Int, _ bodyStart: Int) -> Section {
    var section = section
    section.rows = rows
    section.end = end
    section.bodyStart = bodyStart
    return section
  }
}

extension SIPMessage.Section {
  mutating func note(_ found: Defect) {
    if defect == nil { defect = found }
  }
}

/// The name of a row and where its value starts.
struct FieldLabel {
  var name: FieldName
  var valueStart: Int
  var isWellFormed: Bool
}

/// Where a line with its continuations ends.
struct LogicalLine {
  /// End of its content, before the line break.
  var content: Int
  /// Start of the next line.
  var next: Int
  /// What was wrong with its line breaks.
  var fault: StaticString?
}

extension Span where Element == UInt8 {
  /// Reads `name HCOLON`; blanks are allowed before the colon (E8).
  @inline(__always)
  func label(at line: Int, _ names: borrowing FieldNameTable) -> FieldLabel {
    // A known name right before a colon among the first sixteen bytes: nearly every row.
    if line &+ 16 <= count {
      let block = block(at: line)
      let length = block.firstOffset(of: UInt8(ascii: ":"))
      if length < 16 {
        let words = block.foldedPrefix(length)
        let name = names.name(FoldedName(first: words.first, second: words.second))
        // A NUL would read like the zeros behind a shorter name.
        if name != .other, !block.hasZero(before: length) {
          return FieldLabel(name: name, valueStart: line &+ length &+ 1, isWellFormed: true)
        }
      }
    }
    return slowLabel(at: line, names)
  }

  @inline(never)
  private func slowLabel(at line: Int, _ names: borrowing FieldNameTable) -> FieldLabel {
    var offset = endOfToken(from: line, to: count)
    let length = offset - line
    while offset < count, self[offset].isBlank { offset += 1 }
    guard length > 0, offset < count, self[offset] == UInt8(ascii: ":") else {
      return FieldLabel(name: .other, valueStart: offset, isWellFormed: false)
    }
    return FieldLabel(name: names.name(foldedName(line, length)), valueStart: offset + 1, isWellFormed: true)
  }

  /// Whether a CRLF stands at `offset` and the line behind it is no continuation.
  @inline(__always)
  func isPlainLineEnd(_ offset: Int) -> Bool {
    offset &+ 3 <= count && self[offset] == 13 && self[offset &+ 1] == 10 && !self[offset &+ 2].isBlank
  }

  /// Finds the end of the line whose first line break is at `lineBreak`, continuations included (E10).
  @inline(never)
  func logicalLineEnd(from lineBreak: Int) -> LogicalLine {
    var fault: StaticString?
    var offset = lineBreak
    while offset < count {
      let isFeed = self[offset] == 10
      guard isFeed || offset + 1 < count && self[offset + 1] == 10 else {
        fault = "Lone Carriage Return"
        offset = self.lineBreak(from: offset + 1)
        continue
      }
      if isFeed { fault = "Bare Line Feed" }
      let next = isFeed ? offset + 1 : offset + 2
      guard next < count, self[next].isBlank else {
        return LogicalLine(content: offset, next: next, fault: fault)
      }
      offset = self.lineBreak(from: next)
    }
    return LogicalLine(content: count, next: count, fault: fault ?? "Unterminated Line")
  }

  /// Offset of the first CR or LF at or behind `offset`, or `count`.
  @inline(__always)
  func lineBreak(from offset: Int) -> Int {
    var offset = offset
    while offset + 16 <= count {
      let found = block(at: offset).firstOffset(of: 13, or: 10)
      if found < 16 { return offset + found }
      offset += 16
    }
    while offset < count, self[offset] != 13, self[offset] != 10 { offset += 1 }
    return offset
  }
}
