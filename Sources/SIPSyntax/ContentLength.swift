// RFC 3261 §20.14 and §18.3: what the Content-Length rows of a message say, for the parser and the stream framer
// alike, so that the two cannot disagree on where a message ends.

/// What the Content-Length rows read so far amount to.
enum LengthClaim {
  /// There is none.
  case none
  /// The only one says so many octets; the offset is that of its value.
  case length(UInt64, at: Int)
  /// One cannot be read (D31), or there are several (D32).
  case faulty(Defect)

  /// Takes in a row that starts at `row`.
  mutating func add(_ bytes: Span<UInt8>, row: Int, value: ByteRange) {
    guard case .none = self else {
      self = .faulty(Defect(.contentLength, "Repeated Content-Length", at: row))
      return
    }
    if let length = bytes.number(value) {
      self = .length(length, at: value.lowerBound)
    } else {
      self = .faulty(Defect(.contentLength, "Malformed Content-Length", at: value.lowerBound))
    }
  }
}

extension Defect {
  /// D31: a stream does not say otherwise where a message ends.
  static func missingContentLength(at offset: Int) -> Defect {
    Defect(.contentLength, "Missing Content-Length", at: offset)
  }

  /// D29: fewer octets are there.
  static func contentLengthTooLarge(at offset: Int) -> Defect {
    Defect(.contentLength, "Content-Length Too Large", at: offset)
  }

  /// D35: more than we take (RFC 3261 §21.4.11).
  static func bodyTooLarge(at offset: Int) -> Defect {
    Defect(.contentLength, "Request Entity Too Large", at: offset, status: 413)
  }
}
