internal import CSystemShims
import Glibc
import ProxyCore
import SIPSyntax
import Synchronization

/// What one worker leaves for another; ranges are places in ``Mail/octets``.
enum Letter: Sendable {
  /// A message of a call of yours that arrived here.
  case message(ByteRange, Flow)
  /// A message to send over a connection of yours, with the domain that it leads to.
  case send(Send)
  /// The start of a datagram that could not be delivered; it may be yours.
  case quotation(ByteRange)
  /// A connection of mine that can be used.
  case opened(Flow, byPeer: Bool)
  /// A connection of mine that is gone.
  case closed(ConnectionID)
  /// A request of yours could not be sent, or its connection failed.
  case failed(RefusedSend)
  /// Something to do on your thread.
  case task(@Sendable (Worker) -> Void)

  /// What it takes to read it, in sixteenths of a message.
  var weight: Int {
    switch self {
    case .opened, .closed: 1
    case .message, .send, .quotation, .failed, .task: 16
    }
  }
}

/// Letters in their order, with the octets that belong to them.
struct Mail: ~Copyable, Sendable {
  /// The letters.
  var letters: [Letter] = []
  /// Messages, one after the other.
  var octets = OutputBuffer(capacity: 0)
  /// How many of them have octets.
  var messages = 0
  /// How many letters have been read.
  var read = 0

  /// Whether all have been read.
  var isRead: Bool { read == letters.count }

  /// Takes the next letter.
  mutating func next() -> Letter? {
    guard read < letters.count else { return nil }
    defer { read += 1 }
    return letters[read]
  }

  /// Forgets everything and keeps the memory, unless a flood made it large.
  mutating func removeAll() {
    letters.removeAll(keepingCapacity: letters.count <= 1_024)
    octets.removeAll()
    if octets.bytes.capacity > 1 << 20 { octets = OutputBuffer(capacity: 0) }
    messages = 0
    read = 0
  }
}

/// Where all workers leave letters for one, who is woken for the first.
///
/// Who posts and who reads hold the lock for one copy or one exchange of arrays, never for work. Letters of one
/// sender stay in their order. Messages are bounded in number and octets, as a socket's buffer is. What is said about
/// connections takes none of their room; it comes no faster than connections are accepted and is read sixteen times as
/// fast as messages.
@safe
final class Mailbox: Sendable {
  /// Messages that wait at most.
  static let capacity = 16_384
  /// Octets that wait at most.
  static let octetCapacity = 16 << 20

  private let mail = Mutex(Mail())
  /// Written to when there is mail; see ``EventLoop/whenWritten(_:_:)``. Owned: closed in `deinit`.
  let descriptor: Int32

  init() throws(EventIOError) {
    descriptor = try EventIOError.check(ck_event_open(), "create", "an event descriptor")
  }

  deinit { close(descriptor) }

  /// Leaves a letter that must not be lost.
  func post(_ letter: Letter) {
    let isFirst = mail.withLock { mail in
      mail.letters.append(letter)
      return mail.letters.count == 1
    }
    if isFirst { wake() }
  }

  /// What became of a letter.
  enum Posting {
    /// The reader must be woken, when all that goes to it at the moment has been posted.
    case first
    /// The reader has been, or will be, woken for letters before it.
    case behindOthers
    /// Too much waits.
    case refused
  }

  /// Leaves a letter about some octets, which `letter` is told the place of. Waking the reader is left to the caller.
  func post(_ octets: Span<UInt8>, _ letter: (ByteRange) -> Letter) -> Posting {
    mail.withLock { mail in
      guard mail.messages < Mailbox.capacity, mail.octets.count + octets.count <= Mailbox.octetCapacity
      else { return .refused }
      let start = mail.octets.count
      mail.octets.append(octets)
      mail.messages += 1
      mail.letters.append(letter(ByteRange(start, mail.octets.count)))
      return mail.letters.count == 1 ? .first : .behindOthers
    }
  }

  /// Exchanges what waits for `read`, which must be empty.
  func exchange(for read: inout Mail) {
    mail.withLock { swap(&$0, &read) }
  }

  /// Makes the reader's loop turn.
  func wake() { ck_event_signal(descriptor) }
}
