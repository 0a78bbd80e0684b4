@testable import Timekeeping
import Testing

/// The set of occupied slots against a plain set.
@Suite("Occupied slots")
struct SlotSetTests {
  @Test("The next member is that of a plain set", arguments: [64, 4096, 16_384, 8192 + 64])
  func model(slotCount: Int) {
    var random = SeededGenerator(seed: UInt64(slotCount))
    var slots = SlotSet(slotCount: slotCount)
    var model: Set<Int> = []
    for _ in 0..<2000 {
      let slot = Int.random(in: 0..<slotCount, using: &random)
      if Int.random(in: 0..<3, using: &random) == 0, let member = model.randomElement(using: &random) {
        model.remove(member)
        slots.remove(member)
      } else if model.count < 20 {
        model.insert(slot)
        slots.insert(slot)
      }
      let from = Int.random(in: 0..<slotCount, using: &random)
      #expect(slots.first(from: from) == model.filter { $0 >= from }.min())
    }
  }

  @Test("Edges of words and groups are found", arguments: [0, 63, 64, 4095, 4096, 8191, 8192, 16_383])
  func edges(slot: Int) {
    var slots = SlotSet(slotCount: 16_384)
    #expect(slots.first(from: 0) == nil)
    slots.insert(slot)
    #expect(slots.first(from: 0) == slot)
    #expect(slots.first(from: slot) == slot)
    if slot < 16_383 { #expect(slots.first(from: slot + 1) == nil) }
    slots.remove(slot)
    #expect(slots.first(from: 0) == nil)
  }
}
