import Timekeeping

/// Things that fall due after one fixed delay, so that the first in is the first out; O(1) each.
struct DelayQueue<Element> {
  /// How long each of them waits.
  let delay: TimeSpan

  private var entries: [(due: MonotonicInstant, element: Element)] = []
  private var head = 0

  /// An empty queue.
  init(delay: TimeSpan) { self.delay = delay }

  /// Whether nothing waits.
  var isEmpty: Bool { head == entries.count }

  /// Lets `element` wait from `now` on.
  mutating func append(_ element: Element, at now: MonotonicInstant) {
    entries.append((now + delay, element))
  }

  /// The longest waiting element, if it is due.
  mutating func takeDue(at now: MonotonicInstant) -> Element? {
    guard head < entries.count, entries[head].due <= now else { return nil }
    defer { drop() }
    return entries[head].element
  }

  private mutating func drop() {
    head += 1
    // What was taken stays until it is half of the memory, so that moving the rest costs O(1) each.
    if head == entries.count {
      entries.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 4_096, head * 2 > entries.count {
      entries.removeFirst(head)
      head = 0
    }
  }
}

/// When a message is sent again as long as nothing answers it, with RFC 3261's T1 of 500 ms and T2 of 4 s.
struct Repetitions<Element> {
  /// The two ways of RFC 3261.
  enum Pattern {
    /// An INVITE: the pause doubles each time (§17.1.1.2, timer A).
    case invite
    /// Another request, or a 2xx to INVITE: the pause doubles up to T2 (§17.1.2.2, timer E; §13.3.1.4).
    case other

    /// The pauses as powers of two of T1; after the last, 32 s since the first message, it is given up.
    fileprivate var pauses: [Int] {
      switch self {
      case .invite: [0, 1, 2, 3, 4, 5, 0]
      case .other: [0, 1, 2, 3, 3, 3, 3, 3, 3, 3, 0]
      }
    }
  }

  /// Something whose pause is over.
  struct Due {
    /// What was waited for.
    let element: Element
    /// Whether 64 times T1 are over: it is given up instead of sent again.
    let isLast: Bool

    fileprivate let pattern: Pattern
    fileprivate let step: Int
  }

  private struct Item {
    var element: Element
    var pattern: Pattern
    var step: UInt8
  }

  private var queues = (0...5).map { DelayQueue<Item>(delay: .milliseconds(500 << $0)) }
  private let pauses = [Pattern.invite.pauses, Pattern.other.pauses]

  /// Begins to wait for the answer to `element`, which was sent now for the first time.
  mutating func begin(_ element: Element, _ pattern: Pattern, at now: MonotonicInstant) {
    append(Item(element: element, pattern: pattern, step: 0), at: now)
  }

  /// Waits on for the answer to something that was due and was sent again now.
  mutating func repeated(_ due: Due, at now: MonotonicInstant) {
    append(Item(element: due.element, pattern: due.pattern, step: UInt8(due.step + 1)), at: now)
  }

  /// How many are sent again in one turn at most: what is late already must not crowd out what arrives.
  static var burst: Int { 128 }

  /// Something that is due; the caller drops it when its answer has come.
  mutating func takeDue(at now: MonotonicInstant) -> Due? {
    for index in queues.indices {
      if let item = queues[index].takeDue(at: now) {
        let isLast = Int(item.step) == steps(of: item.pattern).count - 1
        return Due(element: item.element, isLast: isLast, pattern: item.pattern, step: Int(item.step))
      }
    }
    return nil
  }

  private func steps(of pattern: Pattern) -> [Int] { pattern == .invite ? pauses[0] : pauses[1] }

  private mutating func append(_ item: Item, at now: MonotonicInstant) {
    let steps = steps(of: item.pattern)
    guard Int(item.step) < steps.count else { return }
    queues[steps[Int(item.step)]].append(item, at: now)
  }
}
