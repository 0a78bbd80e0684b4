import PagedStorage
import SIPSyntax

/// The out-of-line part of a dialog: five lengths of two bytes, then the five values one behind another.
///
/// Values longer than 65,535 bytes cannot be recorded; the parser's limits (E42) are far below.
struct DialogText {
  /// Bytes of the Call-ID.
  var callIDCount = 0
  /// Bytes of the caller's tag.
  var callerTagCount = 0
  /// Bytes of the callee's tag.
  var calleeTagCount = 0
  /// Bytes of the caller's Contact URI; 0 when none is kept.
  var callerContactCount = 0
  /// Bytes of the callee's Contact URI; 0 when none is kept.
  var calleeContactCount = 0

  /// Bytes of the five lengths.
  static let headerBytes = 10

  /// Where the Call-ID begins.
  var callIDStart: Int { Self.headerBytes }
  /// Where the caller's tag begins.
  var callerTagStart: Int { callIDStart + callIDCount }
  /// Where the callee's tag begins.
  var calleeTagStart: Int { callerTagStart + callerTagCount }
  /// Where the caller's Contact URI begins.
  var callerContactStart: Int { calleeTagStart + calleeTagCount }
  /// Where the callee's Contact URI begins.
  var calleeContactStart: Int { callerContactStart + callerContactCount }
  /// Bytes of the whole text.
  var byteCount: Int { calleeContactStart + calleeContactCount }

  /// Lengths for a new dialog; nil when part of its key is too long. A Contact too long is left out.
  init?(_ setup: DialogSetup) {
    callIDCount = setup.key.callID.count
    callerTagCount = setup.key.callerTag.count
    calleeTagCount = setup.key.calleeTag.count
    guard max(callIDCount, callerTagCount, calleeTagCount) <= Int(UInt16.max) else { return nil }
    callerContactCount = Self.contactCount(setup.callerContact)
    calleeContactCount = Self.contactCount(setup.calleeContact)
  }

  /// Lengths as they stand in a stored text.
  init(_ bytes: Span<UInt8>) {
    callIDCount = Self.length(0, bytes)
    callerTagCount = Self.length(1, bytes)
    calleeTagCount = Self.length(2, bytes)
    callerContactCount = Self.length(3, bytes)
    calleeContactCount = Self.length(4, bytes)
  }

  /// Bytes to keep of a Contact URI: all, or none of one too long.
  static func contactCount(_ range: ByteRange) -> Int {
    range.count <= Int(UInt16.max) ? range.count : 0
  }

  /// Writes the five lengths.
  func writeHeader(_ bytes: inout MutableSpan<UInt8>) {
    let counts: InlineArray<5, Int> = [
      callIDCount, callerTagCount, calleeTagCount, callerContactCount, calleeContactCount,
    ]
    for position in 0..<5 {
      bytes[2 * position] = UInt8(truncatingIfNeeded: counts[position])
      bytes[2 * position + 1] = UInt8(truncatingIfNeeded: counts[position] >> 8)
    }
  }

  private static func length(_ position: Int, _ bytes: Span<UInt8>) -> Int {
    Int(bytes[2 * position]) | Int(bytes[2 * position + 1]) << 8
  }
}

extension ByteArena {
  /// Stores the text of a new dialog; nil when it cannot be, also when a range lies outside its message.
  mutating func store(
    _ setup: DialogSetup, response: Span<UInt8>, request: Span<UInt8>
  ) -> Blob? {
    let key = setup.key
    let end = max(
      key.callID.upperBound, key.callerTag.upperBound, key.calleeTag.upperBound,
      setup.calleeContact.upperBound)
    guard end <= response.count, setup.callerContact.upperBound <= request.count else { return nil }
    guard let text = DialogText(setup), let blob = allocate(count: text.byteCount) else { return nil }
    withMutableBytes(of: blob) { text.writeHeader(&$0) }
    write(response, setup.key.callID, into: blob, at: text.callIDStart)
    write(response, setup.key.callerTag, into: blob, at: text.callerTagStart)
    write(response, setup.key.calleeTag, into: blob, at: text.calleeTagStart)
    if text.callerContactCount > 0 {
      write(request, setup.callerContact, into: blob, at: text.callerContactStart)
    }
    if text.calleeContactCount > 0 {
      write(response, setup.calleeContact, into: blob, at: text.calleeContactStart)
    }
    return blob
  }

  /// Replaces one Contact; nil when nothing changed or memory was refused. The old blob stays valid
  /// until the caller frees it.
  mutating func replaceContact(
    of side: DialogSide, in blob: Blob, with range: ByteRange, of bytes: Span<UInt8>
  ) -> ContactChange {
    let count = DialogText.contactCount(range)
    guard count > 0, range.upperBound <= bytes.count else { return .same }
    let old = withBytes(of: blob) { DialogText($0) }
    let start = side == .caller ? old.callerContactStart : old.calleeContactStart
    let oldCount = side == .caller ? old.callerContactCount : old.calleeContactCount
    if oldCount == count {
      let isSame = withBytes(of: blob) {
        $0.hasSameBytes(from: start, count: count, as: bytes, from: range.lowerBound)
      }
      if isSame { return .same }
      write(bytes, range, into: blob, at: start)
      return .inPlace
    }
    var new = old
    if side == .caller { new.callerContactCount = count } else { new.calleeContactCount = count }
    guard let larger = allocate(count: new.byteCount) else { return .same }
    copy(
      from: blob, old.callIDStart, to: larger, new.callIDStart,
      count: old.callerContactStart - old.callIDStart)
    withMutableBytes(of: larger) { new.writeHeader(&$0) }
    if side == .caller {
      write(bytes, range, into: larger, at: new.callerContactStart)
      copy(
        from: blob, old.calleeContactStart, to: larger, new.calleeContactStart, count: old.calleeContactCount)
    } else {
      copy(
        from: blob, old.callerContactStart, to: larger, new.callerContactStart, count: old.callerContactCount)
      write(bytes, range, into: larger, at: new.calleeContactStart)
    }
    return .moved(larger)
  }

  /// What became of a Contact.
  enum ContactChange { case same, inPlace, moved(Blob) }

  private mutating func write(_ bytes: Span<UInt8>, _ range: ByteRange, into blob: Blob, at offset: Int) {
    write(bytes, from: range.lowerBound, to: range.upperBound, into: blob, at: offset)
  }
}
