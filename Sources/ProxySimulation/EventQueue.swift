import Timekeeping

/// What is to happen at later instants of the virtual clock, earliest first; events of the same instant
/// happen in the order in which they were added.
struct EventQueue {
  /// Something that happens once.
  typealias Action = () -> Void

  private struct Event {
    let at: MonotonicInstant
    let number: UInt64
    let action: Action

    func isBefore(_ other: Event) -> Bool {
      at != other.at ? at < other.at : number < other.number
    }
  }

  private var heap: [Event] = []
  private var added: UInt64 = 0

  /// When the next event is due; nil when there is none.
  var nextInstant: MonotonicInstant? { heap.first?.at }

  /// Adds an event. O(log n).
  mutating func add(at instant: MonotonicInstant, _ action: @escaping Action) {
    heap.append(Event(at: instant, number: added, action: action))
    added += 1
    var place = heap.count - 1
    while place > 0 {
      let parent = (place - 1) / 2
      guard heap[place].isBefore(heap[parent]) else { break }
      heap.swapAt(place, parent)
      place = parent
    }
  }

  /// Takes the next event out. O(log n).
  mutating func popFirst() -> Action? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sink()
    }
    return first.action
  }

  private mutating func sink() {
    var place = 0
    while true {
      var least = place
      for child in [2 * place + 1, 2 * place + 2] where child < heap.count {
        if heap[child].isBefore(heap[least]) { least = child }
      }
      if least == place { return }
      heap.swapAt(place, least)
      place = least
    }
  }
}
