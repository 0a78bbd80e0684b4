import Testing

@testable import PagedStorage

@Suite("ChunkSet: lowest and highest member")
struct ChunkSetTests {
  @Test("first and last agree with a set", arguments: [91, 92] as [UInt64])
  func agreesWithModel(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var set = ChunkSet()
    var model: Set<Int> = []
    for _ in 0..<4000 {
      let number = Int.random(in: 0..<500, using: &random)
      if model.count < 6 && Bool.random(using: &random) {
        set.insert(number)
        model.insert(number)
      } else if let member = model.randomElement(using: &random) {
        set.remove(member)
        model.remove(member)
      }
      #expect(set.first == model.min())
      #expect(set.last == model.max())
    }
  }
}
