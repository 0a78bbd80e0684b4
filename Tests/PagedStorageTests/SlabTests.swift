import PagedStorage
import Testing
import Timekeeping

/// Sixteen bytes: what a slab needs, and a value.
struct TestRecord: SlabRecord {
  var generation: UInt32 = 0
  var freeLink: UInt32 = 0
  var value: UInt64
}

/// A page source said no.
struct OutOfMemory: Error {}

extension Slab {
  /// Allocates, and throws when there is no memory.
  mutating func take(_ record: Record) throws -> SlabID {
    guard let id = allocate(record) else { throw OutOfMemory() }
    return id
  }
}

@Suite("Slab: records that never move")
struct SlabTests {
  @Test("a record lives from allocation to freeing, and its identifier not longer")
  func lifeOfARecord() throws {
    var slab = Slab<TestRecord>(pages: CountingPages().source, recordsPerChunk: 64)
    let first = try slab.take(TestRecord(value: 7))
    #expect(slab[first.index].value == 7)
    slab[first.index].value = 8
    #expect(slab[first.index].value == 8)
    #expect(slab.isLive(first) == true)
    slab.free(first.index)
    #expect(slab.isLive(first) == false)
    let second = try slab.take(TestRecord(value: 9))
    #expect(second.index == first.index)
    #expect(second.generation != first.generation)
    #expect(slab.isLive(first) == false)
    #expect(slab.id(at: second.index) == second)
  }

  @Test("any identifier can be asked for, also one from outside")
  func forgedIdentifiers() throws {
    var slab = Slab<TestRecord>(pages: CountingPages().source, recordsPerChunk: 64)
    #expect(slab.isLive(.none) == false)
    #expect(slab.isLive(index: 0) == false)
    let id = try slab.take(TestRecord(value: 1))
    #expect(slab.isLive(SlabID(index: id.index, generation: 0)) == false)
    #expect(slab.isLive(SlabID(index: 63, generation: 0)) == false)
    #expect(slab.isLive(SlabID(index: 64, generation: 1)) == false)
    #expect(slab.isLive(SlabID(index: .max, generation: .max)) == false)
  }

  @Test("pages of empty chunks come back one by one, a spare one apart, and all in the end")
  func pagesComeBack() throws {
    let pages = CountingPages()
    do {
      var slab = Slab<TestRecord>(pages: pages.source, recordsPerChunk: 256)
      #expect(pages.mappedBytes == 0)
      let ids = (0..<2560).compactMap { slab.allocate(TestRecord(value: UInt64($0))) }
      #expect(ids.count == 2560)
      #expect(pages.mappedBytes == 10 * 4096)
      #expect(slab.mappedBytes == 10 * 4096)
      var largestDrop = 0
      for id in ids {
        let before = pages.mappedBytes
        slab.free(id.index)
        largestDrop = max(largestDrop, before - pages.mappedBytes)
      }
      #expect(slab.count == 0)
      #expect(largestDrop == 4096)
      while slab.hasSurplus { slab.giveBackSurplus() }
      #expect(pages.mappedBytes == 4096)
      slab.giveBackSurplus()
      #expect(pages.mappedBytes == 4096)
    }
    #expect(pages.mappedBytes == 0)
    #expect(pages.wrongReleases == 0)
  }

  @Test("low chunks fill first, so a shrinking slab empties its high ones")
  func lowChunksFirst() throws {
    var slab = Slab<TestRecord>(pages: CountingPages().source, recordsPerChunk: 64)
    let ids = (0..<640).compactMap { slab.allocate(TestRecord(value: UInt64($0))) }
    for id in ids where id.index % 2 == 0 { slab.free(id.index) }
    for _ in 0..<64 {
      let id = try slab.take(TestRecord(value: 0))
      #expect(id.index < 128)
    }
  }

  @Test("an identifier stays dead when its chunk's pages went away and came back")
  func generationsSurviveGivingBack() throws {
    let pages = CountingPages()
    var slab = Slab<TestRecord>(pages: pages.source, recordsPerChunk: 64)
    let old = (0..<192).compactMap { slab.allocate(TestRecord(value: UInt64($0))) }
    for id in old { slab.free(id.index) }
    while slab.hasSurplus { slab.giveBackSurplus() }
    #expect(pages.mappedBytes == 4096)
    let new = (0..<192).compactMap { slab.allocate(TestRecord(value: UInt64($0))) }
    #expect(Set(new.map(\.index)) == Set(old.map(\.index)))
    #expect(old.allSatisfy { !slab.isLive($0) })
    #expect(new.allSatisfy { slab.isLive($0) })
  }

  @Test("refused memory is an answer, not an end")
  func refusedMemory() throws {
    let pages = CountingPages()
    pages.refuse(above: 4096)
    var slab = Slab<TestRecord>(pages: pages.source, recordsPerChunk: 256)
    let ids = (0..<300).compactMap { slab.allocate(TestRecord(value: UInt64($0))) }
    #expect(ids.count == 256)
    slab.free(ids[3].index)
    _ = try slab.take(TestRecord(value: 1))
    #expect(throws: OutOfMemory.self) { try slab.take(TestRecord(value: 1)) }
  }

  @Test("allocation and freeing agree with a dictionary", arguments: [11, 12, 13] as [UInt64])
  func agreesWithModel(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let pages = CountingPages()
    var slab = Slab<TestRecord>(pages: pages.source, recordsPerChunk: 64)
    var model: [SlabID: UInt64] = [:]
    var dead: [SlabID] = []
    for phase in 0..<6 {
      for _ in 0..<1500 {
        let grows = Int.random(in: 0..<10, using: &random) < (phase % 2 == 0 ? 7 : 3)
        if grows {
          let value = random.next()
          let id = try slab.take(TestRecord(value: value))
          #expect(model.updateValue(value, forKey: id) == nil)
        } else if let id = model.keys.randomElement(using: &random) {
          #expect(slab[id.index].value == model.removeValue(forKey: id))
          slab.free(id.index)
          dead.append(id)
        }
      }
      #expect(slab.count == model.count)
      #expect(model.allSatisfy { slab.isLive($0.key) && slab[$0.key.index].value == $0.value })
      #expect(dead.allSatisfy { !slab.isLive($0) })
      let walked = (0..<slab.endIndex).filter { slab.isLive(index: $0) }
      #expect(Set(walked) == Set(model.keys.map(\.index)))
      #expect(slab.mappedBytes == pages.mappedBytes)
    }
    for id in model.keys { slab.free(id.index) }
    while slab.hasSurplus { slab.giveBackSurplus() }
    #expect(pages.mappedBytes == 4096)
  }
}

/// A record that can stand in a wheel.
struct TimedTestRecord: TimedRecord {
  var generation: UInt32 = 0
  var links = WheelLinks.unlinked
  var deadline: MonotonicInstant
  var freeLink: UInt32 {
    get { links.next }
    set { links.next = newValue }
  }
}

@Suite("A slab of timed records is the wheel's storage")
struct TimedRecordTests {
  @Test("records come from the wheel by their slab index")
  func slabInWheel() throws {
    var slab = Slab<TimedTestRecord>(pages: CountingPages().source)
    var wheel = TimingWheel(slotCount: 4096, tick: .milliseconds(8), start: .origin)
    let late = try slab.take(TimedTestRecord(deadline: .origin + .milliseconds(500)))
    let early = try slab.take(TimedTestRecord(deadline: .origin + .milliseconds(150)))
    wheel.insert(late.index, in: &slab)
    wheel.insert(early.index, in: &slab)
    var budget = 10
    let now = MonotonicInstant.origin + .milliseconds(160)
    #expect(wheel.popDue(at: now, in: &slab, budget: &budget) == early.index)
    #expect(wheel.popDue(at: now, in: &slab, budget: &budget) == nil)
    slab.free(early.index)
    wheel.remove(late.index, in: &slab)
    slab.free(late.index)
    #expect(wheel.count == 0)
  }
}
