// RFC 3261 §7.3.1, §20.8: the Call-ID of a message that nobody has parsed.
//
// Lines and names are read by the parser's own functions, so that the two cannot disagree: of every message that the
// parser finds well-formed, this finds the same Call-ID. Of any other it may find one or none.

/// Finds Call-ID, or its compact form, in a message; what else stands there is not judged.
public struct CallIDFinder: Sendable {
  private let names = FieldNameTable.standard

  /// A finder.
  public init() {}

  /// The value of the first Call-ID row; nil when there is none. Linear in what stands before it.
  public func find(in bytes: Span<UInt8>) -> ByteRange? {
    var start = 0
    while start < bytes.count, bytes[start].isPadding { start += 1 }
    let startLine = bytes.lineBreak(from: start)
    guard startLine < bytes.count else { return nil }
    let end = min(bytes.count, start + SIPMessage.headerSectionLimit)
    var line = startLine + (bytes.isLineFeed(at: startLine + 1) && bytes[startLine] == 13 ? 2 : 1)
    while line < end {
      if bytes[line] == 10 || bytes[line] == 13 && bytes.isLineFeed(at: line + 1) { return nil }
      let label = bytes.label(at: line, names)
      let lineBreak = bytes.lineBreak(from: label.valueStart)
      var (content, next) = (lineBreak, lineBreak + 2)
      if !bytes.isPlainLineEnd(lineBreak) {
        let logical = bytes.logicalLineEnd(from: lineBreak)
        (content, next) = (logical.content, logical.next)
      }
      if label.name == .callID, label.isWellFormed {
        let value = bytes.trimmed(label.valueStart, content)
        return value.isEmpty ? nil : value
      }
      line = next
    }
    return nil
  }
}

extension Span where Element == UInt8 {
  fileprivate func isLineFeed(at offset: Int) -> Bool { offset < count && self[offset] == 10 }
}
