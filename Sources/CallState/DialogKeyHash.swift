public import PagedStorage
import SIPSyntax

// RFC 3261 §12: the key of a dialog, found from both directions by one probe (F1) and keyed, so that chosen
// Call-IDs and tags cannot meet in one place (G11).

extension DialogTable {
  /// `low`: Call-ID and both tags, the tags in byte order so that either direction gives the same.
  /// `high`: the Call-ID alone, so that all dialogs of a call can be picked out of a walk.
  public func hash(of key: DialogKeyView, in bytes: Span<UInt8>) -> Hash128 {
    var hasher = callIDHasher(key.callID, in: bytes)
    var ofCallID = hasher
    let callerFirst = bytes.precedes(key.callerTag, key.calleeTag)
    let first = callerFirst ? key.callerTag : key.calleeTag
    let second = callerFirst ? key.calleeTag : key.callerTag
    hasher.append(bytes, within: first)
    hasher.append(bytes, within: second)
    return Hash128(high: ofCallID.finish64(), low: hasher.finish64())
  }

  /// The `high` half of the hash of every dialog of a call.
  func hash(ofCallID callID: ByteRange, in bytes: Span<UInt8>) -> UInt64 {
    var hasher = callIDHasher(callID, in: bytes)
    return hasher.finish64()
  }

  private func callIDHasher(_ callID: ByteRange, in bytes: Span<UInt8>) -> KeyedHasher {
    var hasher = KeyedHasher(key: key, output: .bits64, for: .lookup)
    hasher.append(bytes, within: callID)
    return hasher
  }

  /// The dialog with this key in either direction: all 128 bits, then the bytes themselves.
  public func match(_ key: DialogKeyView, hash: Hash128, in bytes: Span<UInt8>) -> DialogMatch? {
    var side = DialogSide.caller
    let place = index.first(hash) { place in
      guard records[place].hash == hash, let found = self.side(of: key, at: place, in: bytes) else {
        return false
      }
      side = found
      return true
    }
    guard let place else { return nil }
    return DialogMatch(id: SlabID(index: place, generation: records[place].generation), side: side)
  }

  /// Which side the key's first tag belongs to; nil when this is another dialog.
  private func side(of key: DialogKeyView, at place: UInt32, in bytes: Span<UInt8>) -> DialogSide? {
    texts.withBytes(of: records[place].text) { stored -> DialogSide? in
      let text = DialogText(stored)
      func isSame(_ range: ByteRange, _ start: Int, _ count: Int) -> Bool {
        range.count == count
          && stored.hasSameBytes(from: start, count: count, as: bytes, from: range.lowerBound)
      }
      guard isSame(key.callID, text.callIDStart, text.callIDCount) else { return nil }
      if isSame(key.callerTag, text.callerTagStart, text.callerTagCount)
        && isSame(key.calleeTag, text.calleeTagStart, text.calleeTagCount)
      {
        return .caller
      }
      if isSame(key.callerTag, text.calleeTagStart, text.calleeTagCount)
        && isSame(key.calleeTag, text.callerTagStart, text.callerTagCount)
      {
        return .callee
      }
      return nil
    }
  }
}

extension KeyedHasher {
  fileprivate mutating func append(_ bytes: Span<UInt8>, within range: ByteRange) {
    let end = min(range.upperBound, bytes.count)
    appendField(bytes, from: min(range.lowerBound, end), to: end)
  }
}

extension Span<UInt8> {
  /// Whether the bytes of `left` come before those of `right` or are the same; shorter ones first.
  fileprivate func precedes(_ left: ByteRange, _ right: ByteRange) -> Bool {
    guard left.count == right.count else { return left.count < right.count }
    guard left.upperBound <= count, right.upperBound <= count else { return true }
    for offset in 0..<left.count {
      let (one, other) = (self[left.lowerBound + offset], self[right.lowerBound + offset])
      if one != other { return one < other }
    }
    return true
  }
}
