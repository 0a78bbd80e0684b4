import Testing

@testable import PagedStorage

@Suite("ByteArena: recycled bytes of any size")
struct ByteArenaTests {
  static func bytes(of blob: Blob, in arena: borrowing ByteArena) -> [UInt8] {
    arena.withBytes(of: blob) { span in span.indices.map { span[$0] } }
  }

  static func content(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  @Test("every size fits its class and loses at most an eighth, or 15 bytes")
  func sizeClasses() throws {
    for size in 1...SizeClass.largest {
      let sizeClass = try #require(SizeClass(holding: size))
      let cell = sizeClass.cellBytes
      guard cell >= size, cell - size < max(16, cell / 8), cell % 16 == 0, sizeClass.cellsPerChunk >= 4 else {
        Issue.record("\(size) bytes in a cell of \(cell)")
        return
      }
      if sizeClass.number > 0 && SizeClass(number: sizeClass.number - 1).cellBytes >= size {
        Issue.record("\(size) bytes would fit a smaller class than \(sizeClass.number)")
      }
    }
    #expect(SizeClass(holding: SizeClass.largest)?.number == SizeClass.count - 1)
    #expect(SizeClass(holding: SizeClass.largest + 1) == nil)
  }

  @Test(
    "what is stored is read back",
    arguments: [0, 1, 15, 16, 17, 130, 1000, 4096, 16_384, 16_385, 70_000, 200_000])
  func storeAndRead(count: Int) throws {
    var random = SeededGenerator(seed: 51)
    let content = Self.content(count, &random)
    let pages = CountingPages()
    do {
      var arena = ByteArena(pages: pages.source)
      let stored = arena.store(content.span)
      let blob = try #require(stored)
      #expect(blob.isNone == (count == 0))
      #expect(Self.bytes(of: blob, in: arena) == content)
      #expect(arena.storedBytes == count)
      arena.free(blob)
      #expect(arena.storedBytes == 0)
      if count > SizeClass.largest { #expect(pages.mappedBytes == 0) }
    }
    #expect(pages.mappedBytes == 0)
    #expect(pages.wrongReleases == 0)
  }

  @Test("part of a blob can be stored, written, copied and changed in place")
  func parts() throws {
    var arena = ByteArena(pages: CountingPages().source)
    let source: [UInt8] = Array("callkeeper".utf8)
    let stored = arena.store(source.span, from: 4, to: 10)
    let blob = try #require(stored)
    #expect(Self.bytes(of: blob, in: arena) == Array("keeper".utf8))
    arena.write(source.span, from: 0, to: 2, into: blob, at: 4)
    arena.withMutableBytes(of: blob) { $0[0] = 0x4b }
    #expect(Self.bytes(of: blob, in: arena) == Array("Keepca".utf8))
    let allocated = arena.allocate(count: 8)
    let other = try #require(allocated)
    arena.withMutableBytes(of: other) { bytes in for position in 0..<8 { bytes[position] = 0x2e } }
    arena.copy(from: blob, 1, to: other, 5, count: 3)
    #expect(Self.bytes(of: other, in: arena) == Array(".....eep".utf8))
  }

  @Test("nothing is a legal blob")
  func nothing() {
    var arena = ByteArena(pages: CountingPages().source)
    arena.free(.none)
    #expect(Self.bytes(of: .none, in: arena) == [])
    arena.withMutableBytes(of: .none) { #expect($0.count == 0) }
    #expect(arena.mappedBytes == 0)
  }

  @Test("an error thrown while reading comes out")
  func errorsPass() {
    struct Stop: Error {}
    let arena = ByteArena(pages: CountingPages().source)
    #expect(throws: Stop.self) {
      try arena.withBytes(of: .none) { (_: Span<UInt8>) throws(Stop) -> Void in throw Stop() }
    }
  }

  @Test("refused memory is an answer")
  func refusedMemory() throws {
    let pages = CountingPages()
    pages.refuse(above: 65_536)
    var arena = ByteArena(pages: pages.source)
    let first = arena.allocate(count: 16_000)
    #expect(first != nil)
    #expect(arena.allocate(count: 100) == nil)
    #expect(arena.allocate(count: 100_000) == nil)
    #expect(arena.allocate(count: .max) == nil)
    #expect(arena.storedBytes == 16_000)
  }

  @Test("storing and freeing agree with a dictionary", arguments: [61, 62, 63] as [UInt64])
  func agreesWithModel(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let pages = CountingPages()
    do {
      var arena = ByteArena(pages: pages.source)
      var model: [Blob: [UInt8]] = [:]
      for phase in 0..<6 {
        for _ in 0..<300 {
          if Int.random(in: 0..<10, using: &random) < (phase % 2 == 0 ? 8 : 2) {
            let isLarge = Int.random(in: 0..<50, using: &random) == 0
            let count = Int.random(in: 1...(isLarge ? 20_000 : 400), using: &random)
            let content = Self.content(count, &random)
            let stored = arena.store(content.span)
            let blob = try #require(stored)
            #expect(model.updateValue(content, forKey: blob) == nil)
          } else if let blob = model.keys.randomElement(using: &random) {
            #expect(Self.bytes(of: blob, in: arena) == model.removeValue(forKey: blob))
            arena.free(blob)
          }
        }
        for (blob, content) in model { #expect(Self.bytes(of: blob, in: arena) == content) }
        #expect(arena.storedBytes == model.values.reduce(0) { $0 + $1.count })
        #expect(arena.mappedBytes == pages.mappedBytes)
      }
      for blob in model.keys { arena.free(blob) }
      #expect(arena.storedBytes == 0)
      while arena.hasSurplus { arena.giveBackSurplus() }
      // One spare chunk a class that was used, and nothing else.
      #expect(pages.mappedBytes <= SizeClass.count * SizeClass.chunkBytes)
    }
    #expect(pages.mappedBytes == 0)
  }

  @Test("pages come back when all blobs of a size are freed, in any order", arguments: [71, 72] as [UInt64])
  func pagesComeBack(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let pages = CountingPages()
    var arena = ByteArena(pages: pages.source)
    var blobs = (0..<5000).compactMap { _ in arena.allocate(count: 130) }
    #expect(blobs.count == 5000)
    #expect(arena.mappedBytes >= 5000 * 144)
    // 455 cells of 144 bytes fill all but 16 bytes of a chunk.
    #expect(arena.mappedBytes <= 5000 * 144 + 2 * 65_536)
    blobs.shuffle(using: &random)
    var largestDrop = 0
    for blob in blobs {
      let before = pages.mappedBytes
      arena.free(blob)
      largestDrop = max(largestDrop, before - pages.mappedBytes)
    }
    #expect(largestDrop == 65_536)
    while arena.hasSurplus { arena.giveBackSurplus() }
    #expect(pages.mappedBytes == 65_536)
  }
}
