/// The only loads and stores of this module that the compiler cannot check by itself.
///
/// Everything else goes through the checked subscripts below.

/// One mapping seen as elements of a trivial type; zeroed when it is new.
///
/// A handle, not an owner: the container that asked a `PageSource` for it gives it back.
@safe @usableFromInline
struct MemoryBlock<Element: BitwiseCopyable> {
  @usableFromInline let elements: UnsafeMutablePointer<Element>
  @usableFromInline let capacity: Int
  let byteCount: Int

  init(address: UnsafeMutableRawPointer, byteCount: Int, capacity: Int) {
    unsafe elements = address.bindMemory(to: Element.self, capacity: capacity)
    self.capacity = capacity
    self.byteCount = byteCount
  }

  var address: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(elements) }

  /// One element in place; the position is checked.
  @inlinable
  subscript(position: Int) -> Element {
    _read {
      precondition(position >= 0 && position < capacity)
      yield unsafe elements[position]
    }
    nonmutating _modify {
      precondition(position >= 0 && position < capacity)
      yield unsafe &elements[position]
    }
  }
}

extension MemoryBlock<UInt8> {
  /// Reads `count` bytes from `start` on.
  @inlinable
  func withBytes<R, E: Error>(
    from start: Int, count: Int, _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    precondition(start >= 0 && count >= 0 && start <= capacity && count <= capacity - start)
    let bytes = unsafe UnsafeBufferPointer(start: elements + start, count: count)
    return try unsafe body(bytes.span)
  }

  /// Changes `count` bytes from `start` on.
  @inlinable
  func withMutableBytes<R>(from start: Int, count: Int, _ body: (inout MutableSpan<UInt8>) -> R) -> R {
    precondition(start >= 0 && count >= 0 && start <= capacity && count <= capacity - start)
    let bytes = unsafe UnsafeMutableBufferPointer(start: elements + start, count: count)
    var span = unsafe bytes.mutableSpan
    return body(&span)
  }

  /// Copies `source[from..<to]` to `start`.
  func copy(_ source: Span<UInt8>, from: Int, to: Int, at start: Int) {
    precondition(from >= 0 && from <= to && to <= source.count)
    precondition(start >= 0 && start <= capacity && to - from <= capacity - start)
    unsafe source.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress, to > from else { return }
      unsafe (elements + start).update(from: base + from, count: to - from)
    }
  }

  /// Four bytes of a free cell that hold the number of the next free cell.
  func loadLink(at start: Int) -> UInt32 {
    precondition(start >= 0 && start <= capacity - 4)
    return unsafe UnsafeRawPointer(elements + start).loadUnaligned(as: UInt32.self)
  }

  /// Counterpart of `loadLink`.
  func storeLink(_ link: UInt32, at start: Int) {
    precondition(start >= 0 && start <= capacity - 4)
    unsafe UnsafeMutableRawPointer(elements + start).storeBytes(of: link, as: UInt32.self)
  }
}

extension Span<UInt8> {
  /// Eight bytes as a little-endian word; the position is checked.
  @inlinable
  func littleEndianWord(at position: Int) -> UInt64 {
    precondition(position >= 0 && position <= count - 8)
    return UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self))
  }

  /// One to seven bytes in the low places of a little-endian word; the position is checked.
  @inlinable
  func lowBytes(at position: Int, count wanted: Int) -> UInt64 {
    precondition(wanted > 0 && wanted < 8 && position >= 0 && position <= count - wanted)
    let unwanted = UInt64(8 &* (8 &- wanted))
    if position <= count - 8 { return (littleEndianWord(at: position) &<< unwanted) &>> unwanted }
    if count >= 8 {
      // Fewer than eight are left: the last eight hold them at their end.
      let word = littleEndianWord(at: count - 8) &>> UInt64(8 &* (position &- (count - 8)))
      return (word &<< unwanted) &>> unwanted
    }
    var word: UInt64 = 0
    for offset in 0..<wanted { word |= UInt64(self[position + offset]) &<< UInt64(8 &* offset) }
    return word
  }

  /// Whether `count` bytes from `start` on are those of `other` from `otherStart` on; false, never a
  /// trap, when either does not have that many.
  public func hasSameBytes(from start: Int, count: Int, as other: Span<UInt8>, from otherStart: Int) -> Bool {
    guard start >= 0, otherStart >= 0, count >= 0 else { return false }
    guard start <= self.count, count <= self.count - start else { return false }
    guard otherStart <= other.count, count <= other.count - otherStart else { return false }
    var offset = 0
    while count - offset >= 8 {
      if littleEndianWord(at: start + offset) != other.littleEndianWord(at: otherStart + offset) {
        return false
      }
      offset += 8
    }
    while offset < count {
      if self[start + offset] != other[otherStart + offset] { return false }
      offset += 1
    }
    return true
  }
}
