import PagedStorage
import Testing

@Suite("HashIndex against a dictionary")
struct HashIndexTests {
  /// A key whose hash can be chosen, so that clusters and full collisions can be made.
  struct Key: Hashable {
    var hash: Hash128
    var serial: Int
  }

  /// An index over an array of keys, beside a dictionary.
  struct Model: ~Copyable {
    var index: HashIndex
    var keys: [Key?] = []
    var places: [Key: UInt32] = [:]
    var free: [UInt32] = []

    init(_ pages: CountingPages) { index = HashIndex(pages: pages.source) }

    func find(_ key: Key) -> UInt32? {
      index.first(key.hash) { keys[Int($0)] == key }
    }

    mutating func insert(_ key: Key) -> Bool {
      let place = free.popLast() ?? UInt32(keys.count)
      guard index.insert(key.hash, index: place) else { return false }
      if Int(place) == keys.count { keys.append(key) } else { keys[Int(place)] = key }
      places[key] = place
      return true
    }

    mutating func remove(_ key: Key) {
      guard let place = places.removeValue(forKey: key) else { return }
      index.remove(key.hash, index: place)
      keys[Int(place)] = nil
      free.append(place)
    }
  }

  /// Hashes of all kinds: spread, crowded into few homes at both ends of the table, and identical.
  static func someKey(_ random: inout SeededGenerator) -> Key {
    let low: UInt64
    switch Int.random(in: 0..<4, using: &random) {
    case 0: low = UInt64.random(in: 0..<8, using: &random)
    case 1: low = 0xffff_fff8 + UInt64.random(in: 0..<8, using: &random)
    default: low = random.next()
    }
    return Key(hash: Hash128(high: 0, low: low), serial: Int.random(in: 0..<2, using: &random))
  }

  @Test(
    "insertions, removals and lookups during all phases of growth", arguments: [31, 32, 33, 34] as [UInt64])
  func agreesWithModel(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let pages = CountingPages()
    do {
      var model = Model(pages)
      for phase in 0..<8 {
        for _ in 0..<1500 {
          if Int.random(in: 0..<10, using: &random) < (phase % 3 == 2 ? 2 : 8) {
            let key = Self.someKey(&random)
            if model.places[key] == nil { #expect(model.insert(key) == true) }
          } else if let key = model.places.keys.randomElement(using: &random) {
            model.remove(key)
          }
          let asked = Self.someKey(&random)
          #expect(model.find(asked) == model.places[asked])
        }
        for (key, place) in model.places { #expect(model.find(key) == place) }
        #expect(model.index.count == model.places.count)
        #expect(model.index.mappedBytes == pages.mappedBytes)
      }
    }
    #expect(pages.mappedBytes == 0)
    #expect(pages.wrongReleases == 0)
  }

  @Test("120,000 entries stay findable, and the old tables are given back")
  func manyEntries() {
    let pages = CountingPages()
    var index = HashIndex(pages: pages.source)
    var random = SeededGenerator(seed: 41)
    let hashes = (0..<120_000).map { _ in Hash128(high: random.next(), low: random.next()) }
    for (place, hash) in hashes.enumerated() {
      let isStored = index.insert(hash, index: UInt32(place))
      if !isStored { Issue.record("refused at \(place)") }
    }
    let missing = hashes.indices.filter { place in
      index.first(hashes[place], where: { $0 == UInt32(place) }) == nil
    }
    #expect(missing == [])
    // 2^18 slots of 8 bytes are needed for a load of at most 3/4; the smaller tables are gone.
    #expect(index.mappedBytes == 2 << 20)
    for (place, hash) in hashes.enumerated() { index.remove(hash, index: UInt32(place)) }
    #expect(index.count == 0)
    #expect(pages.wrongReleases == 0)
  }

  @Test("no single change maps or gives back more than a slice beyond the new table")
  func boundedWork() {
    let pages = CountingPages()
    var index = HashIndex(pages: pages.source)
    var random = SeededGenerator(seed: 42)
    var largestDrop = 0
    for place in 0..<300_000 as Range<UInt32> {
      let before = pages.mappedBytes
      _ = index.insert(Hash128(high: 0, low: random.next()), index: place)
      largestDrop = max(largestDrop, before - pages.mappedBytes)
    }
    #expect(largestDrop <= 1 << 20)
  }

  @Test("refused memory: the index goes on to a load of 7/8 and then says no; what is in it stays")
  func refusedMemory() {
    let pages = CountingPages()
    pages.refuse(above: 4096)
    var index = HashIndex(pages: pages.source)
    var random = SeededGenerator(seed: 43)
    let hashes = (0..<600).map { _ in Hash128(high: 0, low: random.next()) }
    let stored = hashes.indices.filter { index.insert(hashes[$0], index: UInt32($0)) }
    #expect(stored == Array(0..<448))
    let found = stored.filter { place in index.first(hashes[place], where: { $0 == UInt32(place) }) != nil }
    #expect(found == stored)
    pages.refuse(above: .max)
    #expect(index.insert(hashes[500], index: 500) == true)
  }

  @Test("removing what is not there does nothing")
  func removalOfNothing() {
    var index = HashIndex(pages: CountingPages().source)
    index.remove(Hash128(high: 1, low: 1), index: 5)
    #expect(index.insert(Hash128(high: 1, low: 1), index: 6) == true)
    index.remove(Hash128(high: 1, low: 1), index: 5)
    #expect(index.count == 1)
  }
}
