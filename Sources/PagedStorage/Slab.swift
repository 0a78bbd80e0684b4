import Synchronization

/// Names one record of a slab for as long as that record lives.
///
/// The generation tells a record from a later one in the same place, so that a stale or forged
/// identifier is harmless.
public struct SlabID: BitwiseCopyable, Hashable, Sendable {
  /// Position in the slab.
  public var index: UInt32
  /// Odd for a record that was live when the identifier was made.
  public var generation: UInt32

  /// An identifier from its parts, which need not name anything.
  public init(index: UInt32, generation: UInt32) {
    self.index = index
    self.generation = generation
  }

  /// No record.
  public static let none = SlabID(index: .max, generation: 0)

  /// Whether this is `none`.
  public var isNone: Bool { index == .max }
}

/// A trivial record that a slab can hold.
public protocol SlabRecord: BitwiseCopyable {
  /// Written by the slab: even while the place is free, odd while the record lives.
  var generation: UInt32 { get set }
  /// Written by the slab, meaningful only while the place is free; may share storage with any field
  /// that a live record sets after allocation.
  var freeLink: UInt32 { get set }
}

/// Records in chunks of pages that never move; an index stays valid until its record is freed.
///
/// All operations are O(1). Allocation fills low chunks first, so that a shrinking table empties its
/// high ones. Empty chunks beyond one spare give their pages back, but slowly: one in 64 frees and one
/// in each call of `giveBackSurplus`, because unmapping costs more than everything else here.
public struct Slab<Record: SlabRecord>: ~Copyable {
  @usableFromInline struct Chunk {
    /// Nil while the pages are given back.
    @usableFromInline var records: MemoryBlock<Record>?
    var live: Int = 0
    /// Places at and above this one were never used since the chunk was mapped.
    var fresh: Int = 0
    var firstFree: UInt32 = .max
    /// Even, and at or above every generation this chunk has used, also across giving pages back.
    var lastGeneration: UInt32 = 0
  }

  private let pages: PageSource
  /// Swift passes a struct that holds an atomic by address, and would copy this one, which is large, at every borrow.
  private let inPlace = Atomic<Bool>(false)
  @usableFromInline let shift: Int
  @usableFromInline var chunks: [Chunk] = []
  private var roomy = ChunkSet()
  private var unmapped = ChunkSet()
  /// An empty chunk that is kept.
  private var spare: Int?
  /// Empty chunks whose pages are to be given back.
  private var surplus = ChunkSet()
  private var freesSinceGivingBack = 0
  /// Live records.
  public private(set) var count = 0
  /// Bytes of pages held now.
  public private(set) var mappedBytes = 0

  /// An empty slab; takes no memory before the first record.
  ///
  /// - Parameter recordsPerChunk: a power of two, at most 65,536.
  public init(pages: PageSource, recordsPerChunk: Int = 4096) {
    precondition(recordsPerChunk > 0 && recordsPerChunk <= 65_536)
    precondition(recordsPerChunk & (recordsPerChunk - 1) == 0)
    self.pages = pages
    shift = recordsPerChunk.trailingZeroBitCount
  }

  deinit {
    for chunk in chunks {
      if let records = chunk.records { pages.giveBack(records) }
    }
  }

  /// Every live index is below this one; a cursor that walks the table stops here. Places of the last chunk
  /// that were never used are beyond it, so that the walk of a small table is short.
  public var endIndex: UInt32 {
    guard let last = chunks.last else { return 0 }
    return UInt32((chunks.count - 1) << shift + last.fresh)
  }

  /// Stores a record and names it; nil when no page can be had.
  public mutating func allocate(_ record: Record) -> SlabID? {
    guard let number = roomy.first ?? mapChunk() else { return nil }
    guard let records = chunks[number].records else { return nil }
    if chunks[number].live == 0 {
      if spare == number { spare = nil } else { surplus.remove(number) }
    }
    let offset: Int
    let generation: UInt32
    if chunks[number].firstFree != .max {
      offset = Int(chunks[number].firstFree)
      chunks[number].firstFree = records[offset].freeLink
      generation = records[offset].generation | 1
    } else {
      offset = chunks[number].fresh
      chunks[number].fresh += 1
      generation = chunks[number].lastGeneration | 1
    }
    records[offset] = record
    records[offset].generation = generation
    chunks[number].live += 1
    count += 1
    if chunks[number].live == 1 << shift { roomy.remove(number) }
    return SlabID(index: UInt32(number << shift + offset), generation: generation)
  }

  /// Ends a live record; its index may be used again, its generation not.
  public mutating func free(_ index: UInt32) {
    precondition(isLive(index: index))
    let number = Int(index) >> shift
    let offset = Int(index) & (1 << shift - 1)
    guard let records = chunks[number].records else { return }
    let generation = records[offset].generation &+ 1
    records[offset].freeLink = chunks[number].firstFree
    records[offset].generation = generation
    chunks[number].firstFree = UInt32(offset)
    if Int32(bitPattern: generation &- chunks[number].lastGeneration) > 0 {
      chunks[number].lastGeneration = generation
    }
    if chunks[number].live == 1 << shift { roomy.insert(number) }
    chunks[number].live -= 1
    count -= 1
    if chunks[number].live == 0 { keepAsSpare(number) }
    freesSinceGivingBack += 1
    if freesSinceGivingBack >= Self.freesPerChunkGivenBack { giveBackSurplus() }
  }

  /// Whether there are empty chunks beyond the spare.
  public var hasSurplus: Bool { surplus.first != nil }

  /// Gives the pages of one empty chunk beyond the spare back; for moments without other work.
  public mutating func giveBackSurplus() {
    freesSinceGivingBack = 0
    guard let number = surplus.last, let records = chunks[number].records else { return }
    surplus.remove(number)
    roomy.remove(number)
    unmapped.insert(number)
    chunks[number] = Chunk(records: nil, lastGeneration: chunks[number].lastGeneration)
    mappedBytes -= records.byteCount
    pages.giveBack(records)
  }

  /// A record in place; the index must be below `endIndex` and its chunk must hold live records.
  @inlinable
  public subscript(index: UInt32) -> Record {
    _read {
      yield block(of: index)[Int(index) & (1 << shift - 1)]
    }
    _modify {
      yield &block(of: index)[Int(index) & (1 << shift - 1)]
    }
  }

  /// Whether the identifier names a live record; safe for any value, also one from the network.
  public func isLive(_ id: SlabID) -> Bool {
    isLive(index: id.index) && self[id.index].generation == id.generation
  }

  /// Whether there is a live record at the index; safe for any value.
  public func isLive(index: UInt32) -> Bool {
    let number = Int(index) >> shift
    guard number < chunks.count, let records = chunks[number].records else { return false }
    return records[Int(index) & (1 << shift - 1)].generation & 1 == 1
  }

  /// The identifier of the live record at the index; nil when there is none.
  public func id(at index: UInt32) -> SlabID? {
    guard isLive(index: index) else { return nil }
    return SlabID(index: index, generation: self[index].generation)
  }
}

// MARK: - Chunks

extension Slab {
  @inlinable @inline(__always)
  func block(of index: UInt32) -> MemoryBlock<Record> {
    guard let records = chunks[Int(index) >> shift].records else {
      preconditionFailure("no record has lived here since the pages were given back")
    }
    return records
  }

  /// Maps the lowest chunk without pages, or a new one behind the last.
  private mutating func mapChunk() -> Int? {
    let number = unmapped.first ?? chunks.count
    // Indexes stay below 2^31: the wheel needs the top bit of a link for itself.
    guard (number + 1) << shift <= Int(Int32.max) else { return nil }
    guard let records = pages.block(of: Record.self, capacity: 1 << shift) else { return nil }
    if number == chunks.count {
      chunks.append(Chunk(records: records))
    } else {
      unmapped.remove(number)
      chunks[number].records = records
    }
    mappedBytes += records.byteCount
    roomy.insert(number)
    return number
  }

  private static var freesPerChunkGivenBack: Int { 64 }

  /// Of two empty chunks the lower one is the spare.
  private mutating func keepAsSpare(_ number: Int) {
    if let other = spare { surplus.insert(max(number, other)) }
    spare = min(number, spare ?? number)
  }
}
