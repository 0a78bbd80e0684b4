import SIPSyntax

/// What a message looks like from its first octets: enough to tell whether something is due because of it.
///
/// The proxy decides what a message means; the edge only wants to know whether a connection is still needed.
enum MessageGlance {
  case request
  case ack
  case provisionalResponse
  case finalResponse

  /// Whether it asks for something or acknowledges, so that an answer or more may come back.
  var isRequest: Bool { self == .request || self == .ack }

  /// Looks at a message.
  init(_ message: Span<UInt8>) {
    func starts(_ text: StaticString) -> Bool {
      message.count > text.utf8CodeUnitCount && message.equals(ByteRange(0, text.utf8CodeUnitCount), text)
    }
    if starts("SIP/2.0 ") {
      self = message[8] == UInt8(ascii: "1") ? .provisionalResponse : .finalResponse
    } else {
      self = starts("ACK ") ? .ack : .request
    }
  }
}

/// Requests of one connection that have no final response yet, as far as the edge can see.
///
/// Forked and lost responses make it wrong by some; nothing but how long a connection is kept depends on it.
struct OpenExchanges {
  /// Requests received that we owe a response.
  private(set) var owed = 0
  /// Requests sent whose response we await.
  private(set) var awaited = 0

  /// Whether none is open.
  var isEmpty: Bool { owed == 0 && awaited == 0 }

  /// Takes in a message that arrived.
  mutating func received(_ message: Span<UInt8>) {
    switch MessageGlance(message) {
    case .request: owed += 1
    case .finalResponse: awaited = max(0, awaited - 1)
    case .ack, .provisionalResponse: break
    }
  }

  /// Takes in a message that was sent.
  mutating func sent(_ message: Span<UInt8>) {
    switch MessageGlance(message) {
    case .request: awaited += 1
    case .finalResponse: owed = max(0, owed - 1)
    case .ack, .provisionalResponse: break
    }
  }
}
