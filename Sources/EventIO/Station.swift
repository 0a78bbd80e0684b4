import PagedStorage
import ProxyCore
import SIPSyntax

/// The workers that must be woken: they have letters that they have not been told of.
struct Sleepers {
  private var bits: UInt64 = 0

  /// Takes note of what became of a letter; false when it was refused.
  mutating func note(_ posting: Mailbox.Posting, at worker: Int) -> Bool {
    if posting == .first { bits |= 1 << UInt64(worker) }
    return posting != .refused
  }

  /// Takes the next of them.
  mutating func next() -> Int? {
    guard bits != 0 else { return nil }
    defer { bits &= bits &- 1 }
    return bits.trailingZeroBitCount
  }
}

/// One worker's place among several: what belongs to whom, and the way there.
///
/// A call belongs to the worker that a keyed hash of its Call-ID names (G11), so that all its messages meet, from
/// wherever they come. A connection belongs to the worker that accepted or opened it; its name says which.
final class Station: Sendable {
  /// This worker's number.
  let index: Int
  private let mailboxes: [Mailbox]
  private let key: HashKey
  private let finder = CallIDFinder()

  init(_ index: Int, among mailboxes: [Mailbox], key: HashKey) {
    self.index = index
    self.mailboxes = mailboxes
    self.key = key
  }

  /// How many workers there are.
  var count: Int { mailboxes.count }
  /// Where the others leave letters for this one.
  var mailbox: Mailbox { mailboxes[index] }

  /// The way to another.
  func mailbox(of worker: Int) -> Mailbox { mailboxes[worker] }

  /// Whose call that is.
  func owner(ofCallID callID: Span<UInt8>, from start: Int, to end: Int) -> Int {
    var hasher = KeyedHasher(key: key, output: .bits64)
    hasher.append(callID, from: start, to: end)
    return Int(truncatingIfNeeded: hasher.finish64() % UInt64(mailboxes.count))
  }

  /// Whose message that is; without a Call-ID it is served where it came.
  func owner(of message: Span<UInt8>) -> Int {
    // A STUN message is none of SIP.
    guard !message.isEmpty, message[0] > 1, let callID = finder.find(in: message) else { return index }
    return owner(ofCallID: message, from: callID.lowerBound, to: callID.upperBound)
  }

  /// Whose connection that is; nil for one of this worker, or none.
  func otherOwner(of connection: ConnectionID) -> Int? {
    guard !connection.isNone else { return nil }
    let owner = Int(connection.slot) % mailboxes.count
    return owner == index ? nil : owner
  }

  /// The name of the connection in a place of this worker's table.
  func connection(at place: Int, generation: UInt32) -> ConnectionID {
    ConnectionID(slot: UInt32(place * mailboxes.count + index), generation: generation)
  }

  /// Leaves a letter for every other worker.
  func tellOthers(_ letter: Letter) {
    for index in mailboxes.indices where index != self.index { mailboxes[index].post(letter) }
  }

  /// Leaves the start of a datagram that could not be delivered for every other worker.
  func tellOthers(_ quotation: [UInt8], counting counters: Counters, waking sleepers: inout Sleepers) {
    for index in mailboxes.indices where index != self.index {
      let isTaken = sleepers.note(mailboxes[index].post(quotation.span) { .quotation($0) }, at: index)
      if !isTaken { counters.add(to: .droppedHandOver) }
    }
  }

  /// Hands a message to the worker whose call it is; false when that is this one.
  func handsOver(
    _ message: Span<UInt8>, over flow: Flow, counting counters: Counters, waking sleepers: inout Sleepers
  ) -> Bool {
    let owner = owner(of: message)
    guard owner != index else { return false }
    let isTaken = sleepers.note(mailboxes[owner].post(message) { .message($0, flow) }, at: owner)
    counters.add(to: isTaken ? .messagesHandedOver : .droppedHandOver)
    return true
  }

  /// Hands a message to the worker whose connection it is to leave by; false when too much waits there.
  func handsOver(_ send: Send, of bytes: [UInt8], to owner: Int, waking sleepers: inout Sleepers) -> Bool {
    let start = min(send.bytes.lowerBound, bytes.count)
    let end = max(start, min(send.bytes.upperBound, bytes.count))
    let posting = mailboxes[owner].post(bytes.span.extracting(start..<end)) { place in
      var send = send
      send.bytes = place
      // A connection that exists has proved its peer; one that is gone is not opened for another worker's request.
      send.peer = .none
      send.flow.isExclusive = send.flow.isExclusive || send.ticket != nil
      send.ticket?.origin = UInt16(index + 1)
      return .send(send)
    }
    return sleepers.note(posting, at: owner)
  }

  /// Tells the worker whose request it was that it could not be sent; false when it is this one's.
  func handsBack(_ refusal: RefusedSend) -> Bool {
    guard refusal.ticket.origin > 0, Int(refusal.ticket.origin) <= mailboxes.count else { return false }
    var ticket = refusal.ticket
    ticket.origin = 0
    mailboxes[Int(refusal.ticket.origin) - 1].post(
      .failed(RefusedSend(ticket: ticket, isLocal: refusal.isLocal)))
    return true
  }
}
