// RFC 3261 §8.1.1, §16.3 item 1, §18.3: the fields without which nothing can be answered or forwarded.

extension SIPMessage {
  /// Reads top Via, From, To, Call-ID, CSeq and Max-Forwards; each is read even after a defect (E19).
  mutating func readEssentialFields(_ bytes: Span<UInt8>) {
    readTopVia(bytes)
    if let value = single(.from, missing: "Missing From", repeated: "Repeated From") {
      if let address = parseNameAddress(bytes, value) {
        from = address
      } else {
        note(Defect(.from, "Malformed From", at: value.lowerBound))
      }
    }
    if let value = single(.to, missing: "Missing To", repeated: "Repeated To") {
      if let address = parseNameAddress(bytes, value) {
        to = address
      } else {
        note(Defect(.to, "Malformed To", at: value.lowerBound))
      }
    }
    if let value = single(.callID, missing: "Missing Call-ID", repeated: "Repeated Call-ID") {
      if bytes.isCallID(value) {
        callID = value
      } else {
        note(Defect(.callID, "Malformed Call-ID", at: value.lowerBound))
      }
    }
    if let value = single(.cSeq, missing: "Missing CSeq", repeated: "Repeated CSeq") {
      readCSeq(bytes, value)
    }
    if isRequest { readMaxForwards(bytes) }
  }

  /// The value of the only row of `name`; the first one's, with a defect, when repeated (E18).
  private mutating func single(
    _ name: FieldName, missing: StaticString, repeated: StaticString
  ) -> ByteRange? {
    guard let row = first(name) else {
      note(Defect(name, missing, at: headersEnd))
      return nil
    }
    if let second = next(after: row) { note(Defect(name, repeated, at: fields[second].row.lowerBound)) }
    return fields[row].value
  }

  private mutating func readTopVia(_ bytes: Span<UInt8>) {
    guard let row = first(.via) else {
      note(Defect(.via, "Missing Via", at: headersEnd))
      return
    }
    var scanner = FieldScanner(bytes, fields[row].value)
    if !topVia.scan(bytes, &scanner) { note(Defect(.via, "Malformed Via", at: scanner.position)) }
  }

  /// `1*DIGIT LWS Method` (E27).
  private mutating func readCSeq(_ bytes: Span<UInt8>, _ value: ByteRange) {
    var scanner = FieldScanner(bytes, value)
    let start = scanner.position
    while scanner.peek(bytes).isDigit { scanner.position += 1 }
    let digits = ByteRange(start, scanner.position)
    let isSeparated = scanner.peek(bytes).isLinearSpace
    scanner.skipSpace(bytes)
    let name = scanner.token(bytes)
    guard let number = bytes.number(digits), number <= UInt64(UInt32.max), isSeparated, !name.isEmpty,
      scanner.isAtEnd
    else {
      note(Defect(.cSeq, "Malformed CSeq", at: value.lowerBound))
      return
    }
    cSeq.number = UInt32(truncatingIfNeeded: number)
    cSeq.numberRange = digits
    cSeq.methodName = name
    cSeq.method = SIPMethod(bytes, name)
    if isRequest, cSeq.method != method || method == .other && !bytes.equal(name, methodName) {
      // 501 is the better answer when the method is unknown as well (E27; RFC 4475 §3.1.2.18)
      note(Defect(.cSeq, "CSeq Method Mismatch", at: name.lowerBound, status: method == .other ? 501 : 400))
    }
  }

  private mutating func readMaxForwards(_ bytes: Span<UInt8>) {
    guard let row = first(.maxForwards) else { return }
    let value = fields[row].value
    if let second = next(after: row) {
      note(Defect(.maxForwards, "Repeated Max-Forwards", at: fields[second].row.lowerBound))
    }
    guard let number = bytes.number(value) else {
      note(Defect(.maxForwards, "Malformed Max-Forwards", at: value.lowerBound))
      return
    }
    maxForwardsRange = value
    maxForwards = number <= 255 ? .value(UInt8(truncatingIfNeeded: number)) : .tooLarge  // E28, B16
  }

  /// Content-Length against the bytes that are there (RFC 3261 §18.3).
  mutating func frameBody(_ bytes: Span<UInt8>, from start: Int, _ datagram: Bool) {
    body = ByteRange(start, bytes.count)
    var claim = LengthClaim.none
    var row = first(.contentLength)
    while let index = row {
      claim.add(bytes, row: fields[index].row.lowerBound, value: fields[index].value)
      row = next(after: index)
    }
    switch claim {
    case .none:
      if !datagram { note(.missingContentLength(at: headersEnd)) }  // D31
    case .faulty(let defect): note(defect)
    case .length(let length, at: let offset):
      if length <= UInt64(bytes.count - start) {
        body = ByteRange(start, start + Int(length))  // D28
      } else {
        // D29; on a stream only a message that the framer gave up on is shorter than it says (D35).
        let isTooLarge = !datagram && length > UInt64(SIPMessage.bodyLimit)
        note(isTooLarge ? .bodyTooLarge(at: offset) : .contentLengthTooLarge(at: offset))
      }
    }
  }
}

extension Span where Element == UInt8 {
  /// Whether `range` can be a Call-ID: not empty, no blank and no control (E25).
  fileprivate func isCallID(_ range: ByteRange) -> Bool {
    let (start, end) = bounds(range)
    return start < end && endOfVisible(from: start, to: end) == end
  }
}
