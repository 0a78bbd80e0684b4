public import PagedStorage
public import SIPSyntax
public import SessionTimers
public import Timekeeping

/// A dialog as a query shows it: a copy, made for people and not for the hot path.
public struct DialogView: Sendable {
  /// The name of the record while it lives.
  public var id: SlabID
  /// What the dialog's text says, octets as they came.
  public var text: Text
  /// Early or confirmed.
  public var state: DialogState
  /// The session interval; nil without a session timer.
  public var interval: DeltaSeconds?
  /// Who refreshes, when the 2xx said so (A85).
  public var refresher: DialogSide?
  /// Whole seconds until the record is due, 0 when it is; nil when it never is.
  public var expiresIn: UInt32?
  /// Whole seconds since the record was made.
  public var age: UInt32
  /// Whole seconds since the 2xx; nil for an early dialog.
  public var confirmedAge: UInt32?
  /// Highest CSeq number seen from the caller.
  public var callerCSeq: UInt32
  /// Highest CSeq number seen from the callee.
  public var calleeCSeq: UInt32
  /// The user's number for the transport on the caller's side.
  public var callerTransport: UInt8
  /// The user's number for the transport on the callee's side.
  public var calleeTransport: UInt8
  /// Brought back by a refresh (A92).
  public var isAdopted: Bool
  /// Our record goes before the session expires (G16).
  public var isCapped: Bool
  /// The last decisions, newest first, at most four.
  public var decisions: [SessionTimerDecision]

  /// The octets from the network that a record keeps: any octets, not always UTF-8.
  public struct Text: Sendable {
    /// The Call-ID.
    public var callID: [UInt8]
    /// The caller's tag.
    public var callerTag: [UInt8]
    /// The callee's tag.
    public var calleeTag: [UInt8]
    /// The caller's Contact URI; empty when none was seen.
    public var callerContact: [UInt8]
    /// The callee's Contact URI; empty when none was seen.
    public var calleeContact: [UInt8]

    /// The five values.
    public init(
      callID: [UInt8], callerTag: [UInt8], calleeTag: [UInt8], callerContact: [UInt8], calleeContact: [UInt8]
    ) {
      self.callID = callID
      self.callerTag = callerTag
      self.calleeTag = calleeTag
      self.callerContact = callerContact
      self.calleeContact = calleeContact
    }
  }

  /// The Call-ID as text.
  public var callID: String { String(decoding: text.callID, as: UTF8.self) }
  /// The caller's tag as text.
  public var callerTag: String { String(decoding: text.callerTag, as: UTF8.self) }
  /// The callee's tag as text.
  public var calleeTag: String { String(decoding: text.calleeTag, as: UTF8.self) }
  /// The caller's Contact URI as text.
  public var callerContact: String { String(decoding: text.callerContact, as: UTF8.self) }
  /// The callee's Contact URI as text.
  public var calleeContact: String { String(decoding: text.calleeContact, as: UTF8.self) }
}

/// One page of a walk over the table.
public struct DialogPage: Sendable {
  /// The dialogs; there may be none although the walk goes on.
  public var dialogs: [DialogView] = []
  /// Where to go on; nil at the end.
  public var next: UInt32?
}

extension DialogTable {
  /// Most records that one page looks at, so that a sparse table does not hold up the loop.
  public static var recordsPerPage: Int { 8192 }

  /// One dialog as text; nil when it is gone.
  public func view(of id: SlabID, at now: MonotonicInstant) -> DialogView? {
    place(of: id).map { view(at: $0, now) }
  }

  /// Up to `limit` dialogs from a cursor on; 0 is the start. Dialogs that come or go meanwhile may or may
  /// not be shown; one that stays is shown exactly once.
  public func page(from cursor: UInt32, limit: Int, at now: MonotonicInstant) -> DialogPage {
    page(from: cursor, limit: limit, at: now) { _ in true }
  }

  /// The same, of one call only.
  public func page(
    ofCallID callID: Span<UInt8>, from cursor: UInt32, limit: Int, at now: MonotonicInstant
  ) -> DialogPage {
    let hash = hash(ofCallID: ByteRange(0, callID.count), in: callID)
    return page(from: cursor, limit: limit, at: now) { place in
      guard records[place].hash.high == hash else { return false }
      return texts.withBytes(of: records[place].text) { stored in
        let text = DialogText(stored)
        return text.callIDCount == callID.count
          && stored.hasSameBytes(from: text.callIDStart, count: callID.count, as: callID, from: 0)
      }
    }
  }

  private func page(
    from cursor: UInt32, limit: Int, at now: MonotonicInstant, where isWanted: (UInt32) -> Bool
  ) -> DialogPage {
    var page = DialogPage()
    var place = cursor
    var looked = 0
    while place < records.endIndex {
      if looked >= Self.recordsPerPage || page.dialogs.count >= limit {
        page.next = place
        return page
      }
      if records.isLive(index: place) && records[place].standing != .ended && isWanted(place) {
        page.dialogs.append(view(at: place, now))
      }
      looked += 1
      place += 1
    }
    return page
  }

  private func view(at place: UInt32, _ now: MonotonicInstant) -> DialogView {
    let record = records[place]
    let second = clock.second(of: now)
    let decisions = record.decisions
    return DialogView(
      id: SlabID(index: place, generation: record.generation),
      text: texts.withBytes(of: record.text) { DialogView.Text($0) },
      state: record.standing == .early ? .early : .confirmed,
      interval: record.standing == .timed ? DeltaSeconds(record.interval) : nil,
      refresher: DialogSide(rawValue: record.refresher),
      expiresIn: record.expiresAt == DialogRecord.never
        ? nil : record.expiresAt - min(record.expiresAt, second),
      age: second - min(second, record.createdAt),
      confirmedAge: record.standing == .early ? nil : second - min(second, record.confirmedAt),
      callerCSeq: record.callerCSeq, calleeCSeq: record.calleeCSeq,
      callerTransport: record.callerTransport, calleeTransport: record.calleeTransport,
      isAdopted: record.flags.contains(.adopted), isCapped: record.flags.contains(.capped),
      decisions: [decisions.newest, decisions.second, decisions.third, decisions.oldest]
        .filter { !$0.isNone })
  }
}

extension DialogView.Text {
  fileprivate init(_ stored: Span<UInt8>) {
    let text = DialogText(stored)
    func octets(_ start: Int, _ count: Int) -> [UInt8] {
      var copy = OutputBuffer(capacity: count)
      copy.append(stored, ByteRange(start, start + count))
      return copy.bytes
    }
    callID = octets(text.callIDStart, text.callIDCount)
    callerTag = octets(text.callerTagStart, text.callerTagCount)
    calleeTag = octets(text.calleeTagStart, text.calleeTagCount)
    callerContact = octets(text.callerContactStart, text.callerContactCount)
    calleeContact = octets(text.calleeContactStart, text.calleeContactCount)
  }
}
