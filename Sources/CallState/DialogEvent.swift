public import PagedStorage
public import Timekeeping

/// One change of a dialog. Every change there is passes `DialogTable.report`, so that whoever keeps a
/// journal or a log hears of all of them.
public struct DialogEvent: BitwiseCopyable, Sendable {
  /// What happened.
  public enum Kind: BitwiseCopyable, Equatable, Sendable {
    /// A provisional response made an early dialog.
    case createdEarly
    /// A 2xx confirmed the dialog, or made it at once.
    case confirmed
    /// A 2xx to a refresh brought back a dialog we did not know (A92, F37).
    case adopted
    /// A 2xx set, moved or switched off the session timer.
    case refreshed
    /// A target refresh changed the Contact of one side (F17).
    case targetChanged
    /// The dialog was removed.
    case ended(DialogEnd)
  }

  /// What happened.
  public var kind: Kind
  /// To whom; dead already when the dialog has ended.
  public var id: SlabID
  /// When.
  public var at: MonotonicInstant
}

/// Reusable room for the events of a while, with the Call-IDs they are about.
///
/// Off until somebody switches it on. When it is full, further events are only counted.
public struct DialogEventSink: Sendable {
  /// Whether events are kept at all.
  public var isRecording = false
  /// Events kept, oldest first.
  public private(set) var events: [DialogEvent] = []
  /// Events that found the sink full.
  public private(set) var lost: UInt64 = 0
  private var text: [UInt8] = []
  private var textEnds: [Int] = []

  /// Most events kept between two calls of `removeAll`.
  public static let capacity = 4096

  init() {}

  /// The Call-ID that `events[position]` is about.
  public func callID(ofEvent position: Int) -> [UInt8] {
    let start = position == 0 ? 0 : textEnds[position - 1]
    return Array(text[start..<textEnds[position]])
  }

  /// Forgets the events, keeps the room.
  public mutating func removeAll() {
    events.removeAll(keepingCapacity: true)
    text.removeAll(keepingCapacity: true)
    textEnds.removeAll(keepingCapacity: true)
  }

  mutating func append(_ event: DialogEvent, callID: Span<UInt8>) {
    guard events.count < Self.capacity else {
      lost &+= 1
      return
    }
    events.append(event)
    for position in callID.indices { text.append(callID[position]) }
    textEnds.append(text.count)
  }
}
