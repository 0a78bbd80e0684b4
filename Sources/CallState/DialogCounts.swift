/// How many dialogs there are and were, right at every instant and read without touching the table (F35).
public struct DialogCounts: Equatable, Sendable {
  /// Early dialogs; not active (F4).
  public internal(set) var early = 0
  /// Confirmed dialogs with a session timer.
  public internal(set) var timed = 0
  /// Confirmed dialogs without one, which live on the fallback lifetime (A91).
  public internal(set) var untimed = 0
  /// Dialogs made by the answer to a first INVITE, early or confirmed at once.
  public internal(set) var created: UInt64 = 0
  /// Dialogs that a 2xx confirmed.
  public internal(set) var confirmed: UInt64 = 0
  /// Dialogs brought back by the 2xx to a refresh (A92).
  public internal(set) var adopted: UInt64 = 0
  /// 2xx that set, moved or switched off a session timer.
  public internal(set) var refreshed: UInt64 = 0
  /// Timers set that we could not read (A66).
  public internal(set) var unreadable: UInt64 = 0
  /// Dialogs not recorded because the table was full or memory was refused (F36).
  public internal(set) var refused: UInt64 = 0
  /// Removals by cause (A96).
  public internal(set) var ended = DialogEndCounts()

  /// A table that never held anything.
  public init() {}

  /// Confirmed dialogs: the number of calls that are up.
  public var active: Int { timed + untimed }
  /// All dialogs with a record.
  public var total: Int { early + timed + untimed }
}

/// One counter for each cause of removal.
public struct DialogEndCounts: Equatable, Sendable {
  private var counters = InlineArray<8, UInt64>(repeating: 0)

  /// Removals for that cause.
  public internal(set) subscript(cause: DialogEnd) -> UInt64 {
    get { counters[Int(cause.rawValue)] }
    set { counters[Int(cause.rawValue)] = newValue }
  }

  /// All removals.
  public var total: UInt64 { DialogEnd.allCases.reduce(0) { $0 &+ self[$1] } }

  /// Equal for every cause.
  public static func == (left: DialogEndCounts, right: DialogEndCounts) -> Bool {
    DialogEnd.allCases.allSatisfy { left[$0] == right[$0] }
  }
}

/// Where a record stands among the counters; it is in exactly one place at any time.
enum Standing: UInt8, BitwiseCopyable {
  case early, timed, untimed
  /// Removed, the record kept only as a link of its chain of early dialogs.
  case ended
}

extension DialogCounts {
  /// Moves one dialog between two counters; nil stands for a record that is not there yet.
  mutating func move(from old: Standing?, to new: Standing) {
    if let old { adjust(old, by: -1) }
    adjust(new, by: 1)
  }

  private mutating func adjust(_ standing: Standing, by change: Int) {
    switch standing {
    case .early: early += change
    case .timed: timed += change
    case .untimed: untimed += change
    case .ended: break
    }
  }
}
