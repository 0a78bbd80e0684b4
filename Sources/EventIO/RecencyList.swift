/// Slots in the order of their last use: a doubly linked list in an array, every step O(1).
struct RecencyList {
  private struct Links {
    var older = RecencyList.none
    var newer = RecencyList.none
  }

  private static let none = Int32(-1)
  private var links: [Links] = []
  private var oldest = RecencyList.none
  private var newest = RecencyList.none

  /// Puts a slot that is not in the list at its newest end.
  mutating func append(_ slot: Int) {
    while links.count <= slot { links.append(Links()) }
    let slot = Int32(slot)
    links[Int(slot)] = Links(older: newest, newer: RecencyList.none)
    if newest == RecencyList.none { oldest = slot } else { links[Int(newest)].newer = slot }
    newest = slot
  }

  /// Takes a slot out of the list.
  mutating func remove(_ slot: Int) {
    let (older, newer) = (links[slot].older, links[slot].newer)
    if older == RecencyList.none { oldest = newer } else { links[Int(older)].newer = newer }
    if newer == RecencyList.none { newest = older } else { links[Int(newer)].older = older }
    links[slot] = Links()
  }

  /// Makes a slot the newest.
  mutating func touch(_ slot: Int) {
    guard newest != Int32(slot) else { return }
    remove(slot)
    append(slot)
  }

  /// The slots from the oldest on, `count` of them at most.
  func oldest(_ count: Int) -> [Int] {
    var found: [Int] = []
    var slot = oldest
    while slot != RecencyList.none, found.count < count {
      found.append(Int(slot))
      slot = links[Int(slot)].newer
    }
    return found
  }
}
