import Synchronization

/// Names bytes stored in a `ByteArena`, and says how many they are.
public struct Blob: BitwiseCopyable, Hashable, Sendable {
  /// Where: chunk in the high 20 bits, cell in the low 12.
  public var id: UInt32
  /// How many bytes.
  public var count: UInt32

  /// A name from its parts.
  public init(id: UInt32, count: UInt32) {
    self.id = id
    self.count = count
  }

  /// No bytes at all; takes no memory.
  public static let none = Blob(id: .max, count: 0)

  /// Whether this is `none`.
  public var isNone: Bool { id == .max }
}

/// Recycled storage for byte strings of any size, outside the heap.
///
/// Each chunk of 64 KiB belongs to one size class; above 16 KiB a blob is a mapping of its own. All
/// operations are O(1). The chunk that had no room longest ago is filled first, so that others run
/// empty. Empty chunks beyond one spare a class give their pages back, but slowly: one in 16 frees and
/// one in each call of `giveBackSurplus`, because unmapping costs more than everything else here.
public struct ByteArena: ~Copyable {
  struct Chunk {
    /// Nil while this number is free for reuse.
    var bytes: MemoryBlock<UInt8>?
    /// Bytes of one cell.
    var cellBytes = 0
    /// Nil for a blob with its own mapping.
    var sizeClass: SizeClass?
    var live = 0
    var fresh = 0
    var firstFree: UInt32 = .max
    /// Neighbours in the list of chunks of this class that have room; `next` also chains free numbers.
    var next = -1
    var previous = -1
  }

  private let pages: PageSource
  /// Swift passes a struct that holds an atomic by address, and would copy this one, which is large, at every borrow.
  private let inPlace = Atomic<Bool>(false)
  private var chunks: [Chunk] = []
  private var firstFreeNumber = -1
  private var roomy = [Int](repeating: -1, count: SizeClass.count)
  /// One empty chunk a class that is kept.
  private var spares = [Int](repeating: -1, count: SizeClass.count)
  /// Empty chunks whose pages are to be given back.
  private var surplus = ChunkSet()
  private var freesSinceGivingBack = 0
  /// Bytes asked for and not yet freed.
  public private(set) var storedBytes = 0
  /// Bytes of pages held now.
  public private(set) var mappedBytes = 0

  /// An empty arena; takes no pages before the first blob.
  public init(pages: PageSource) { self.pages = pages }

  deinit {
    for chunk in chunks {
      if let bytes = chunk.bytes { pages.giveBack(bytes) }
    }
  }

  /// Copies the bytes; nil when no page can be had.
  public mutating func store(_ bytes: Span<UInt8>) -> Blob? { store(bytes, from: 0, to: bytes.count) }

  /// Copies `bytes[from..<to]`; nil when no page can be had.
  public mutating func store(_ bytes: Span<UInt8>, from: Int, to: Int) -> Blob? {
    precondition(from >= 0 && from <= to && to <= bytes.count)
    guard let blob = allocate(count: to - from) else { return nil }
    if let cell = cell(of: blob) { cell.bytes.copy(bytes, from: from, to: to, at: cell.start) }
    return blob
  }

  /// Takes room for `count` bytes whose content is whatever stood there; nil when no page can be had.
  public mutating func allocate(count: Int) -> Blob? {
    precondition(count >= 0)
    guard count > 0 else { return Blob.none }
    guard count < Int(Int32.max) else { return nil }
    guard let number = chunkWithRoom(for: count) else { return nil }
    let cell: UInt32
    if chunks[number].firstFree != .max {
      cell = chunks[number].firstFree
      let start = Int(cell) * chunks[number].cellBytes
      chunks[number].firstFree = chunks[number].bytes?.loadLink(at: start) ?? .max
    } else {
      cell = UInt32(chunks[number].fresh)
      chunks[number].fresh += 1
    }
    chunks[number].live += 1
    storedBytes += count
    if let sizeClass = chunks[number].sizeClass {
      if chunks[number].live == 1 { leaveEmpty(number, sizeClass) }
      if chunks[number].live == sizeClass.cellsPerChunk { leaveRoomy(number, sizeClass) }
    }
    return Blob(id: UInt32(number) << 12 | cell, count: UInt32(count))
  }

  /// Overwrites part of a blob with `bytes[from..<to]`, starting at `offset`; bounds are checked.
  public mutating func write(_ bytes: Span<UInt8>, from: Int, to: Int, into blob: Blob, at offset: Int) {
    guard from < to, let cell = cell(of: blob) else { return }
    precondition(offset >= 0 && to - from <= Int(blob.count) - offset)
    cell.bytes.copy(bytes, from: from, to: to, at: cell.start + offset)
  }

  /// Copies `count` bytes of one blob into another; bounds are checked.
  public mutating func copy(from source: Blob, _ start: Int, to target: Blob, _ targetStart: Int, count: Int)
  {
    guard count > 0, let from = cell(of: source), let to = cell(of: target) else { return }
    precondition(start >= 0 && count <= Int(source.count) - start)
    precondition(targetStart >= 0 && count <= Int(target.count) - targetStart)
    from.bytes.withBytes(from: from.start + start, count: count) { bytes in
      to.bytes.copy(bytes, from: 0, to: count, at: to.start + targetStart)
    }
  }

  /// Ends a blob; does nothing for `Blob.none`.
  public mutating func free(_ blob: Blob) {
    guard let cell = cell(of: blob) else { return }
    let number = Int(blob.id >> 12)
    storedBytes -= Int(blob.count)
    chunks[number].live -= 1
    guard let sizeClass = chunks[number].sizeClass else {
      giveBack(number)
      return
    }
    cell.bytes.storeLink(chunks[number].firstFree, at: cell.start)
    chunks[number].firstFree = blob.id & 0xfff
    if chunks[number].live == sizeClass.cellsPerChunk - 1 { enterRoomy(number, sizeClass) }
    if chunks[number].live == 0 { enterEmpty(number, sizeClass) }
    freesSinceGivingBack += 1
    if freesSinceGivingBack >= Self.freesPerChunkGivenBack { giveBackSurplus() }
  }

  /// Whether there are empty chunks beyond the spares.
  public var hasSurplus: Bool { surplus.first != nil }

  /// Gives the pages of one empty chunk beyond the spares back; for moments without other work.
  public mutating func giveBackSurplus() {
    freesSinceGivingBack = 0
    guard let number = surplus.first, let sizeClass = chunks[number].sizeClass else { return }
    surplus.remove(number)
    leaveRoomy(number, sizeClass)
    giveBack(number)
  }

  /// Reads a blob in place.
  public func withBytes<R, E: Error>(
    of blob: Blob, _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    guard let cell = cell(of: blob) else { return try body(Span()) }
    return try cell.bytes.withBytes(from: cell.start, count: Int(blob.count), body)
  }

  /// Changes a blob in place.
  public mutating func withMutableBytes<R>(
    of blob: Blob, _ body: (inout MutableSpan<UInt8>) -> R
  ) -> R {
    guard let cell = cell(of: blob) else {
      var nothing = MutableSpan<UInt8>()
      return body(&nothing)
    }
    return cell.bytes.withMutableBytes(from: cell.start, count: Int(blob.count), body)
  }
}

// MARK: - Chunks

extension ByteArena {
  /// The memory of a live blob and where in it the blob starts; nil for `Blob.none`.
  private func cell(of blob: Blob) -> (bytes: MemoryBlock<UInt8>, start: Int)? {
    guard !blob.isNone else { return nil }
    let number = Int(blob.id >> 12)
    guard let bytes = chunks[number].bytes else { preconditionFailure("blob used after it was freed") }
    let start = Int(blob.id & 0xfff) * chunks[number].cellBytes
    precondition(Int(blob.count) <= chunks[number].cellBytes)
    return (bytes, start)
  }

  private mutating func chunkWithRoom(for count: Int) -> Int? {
    guard let sizeClass = SizeClass(holding: count) else {
      return mapChunk(Chunk(cellBytes: count), byteCount: count)
    }
    if roomy[sizeClass.number] >= 0 { return roomy[sizeClass.number] }
    let chunk = Chunk(cellBytes: sizeClass.cellBytes, sizeClass: sizeClass)
    guard let number = mapChunk(chunk, byteCount: SizeClass.chunkBytes) else { return nil }
    enterRoomy(number, sizeClass)
    return number
  }

  private mutating func mapChunk(_ chunk: Chunk, byteCount: Int) -> Int? {
    // A chunk number has twenty bits, and the last one is taken by `Blob.none`.
    guard firstFreeNumber >= 0 || chunks.count < 1 << 20 - 1 else { return nil }
    guard let bytes = pages.block(of: UInt8.self, capacity: byteCount) else { return nil }
    mappedBytes += bytes.byteCount
    var chunk = chunk
    chunk.bytes = bytes
    if firstFreeNumber >= 0 {
      let number = firstFreeNumber
      firstFreeNumber = chunks[number].next
      chunks[number] = chunk
      return number
    }
    chunks.append(chunk)
    return chunks.count - 1
  }

  private mutating func giveBack(_ number: Int) {
    guard let bytes = chunks[number].bytes else { return }
    mappedBytes -= bytes.byteCount
    pages.giveBack(bytes)
    chunks[number] = Chunk(next: firstFreeNumber)
    firstFreeNumber = number
  }

  private static let freesPerChunkGivenBack = 16

  private mutating func enterEmpty(_ number: Int, _ sizeClass: SizeClass) {
    if spares[sizeClass.number] < 0 { spares[sizeClass.number] = number } else { surplus.insert(number) }
  }

  /// A chunk is used again, or for the first time.
  private mutating func leaveEmpty(_ number: Int, _ sizeClass: SizeClass) {
    if spares[sizeClass.number] == number {
      spares[sizeClass.number] = -1
    } else {
      surplus.remove(number)
    }
  }

  private mutating func enterRoomy(_ number: Int, _ sizeClass: SizeClass) {
    let first = roomy[sizeClass.number]
    chunks[number].next = first
    chunks[number].previous = -1
    if first >= 0 { chunks[first].previous = number }
    roomy[sizeClass.number] = number
  }

  private mutating func leaveRoomy(_ number: Int, _ sizeClass: SizeClass) {
    let (next, previous) = (chunks[number].next, chunks[number].previous)
    if next >= 0 { chunks[next].previous = previous }
    if previous >= 0 {
      chunks[previous].next = next
    } else {
      roomy[sizeClass.number] = next
    }
  }
}
