/// What a call is made for.
enum Purpose: UInt8, CaseIterable {
  /// Set up and left to the proxy: nobody hangs up.
  case idle
  /// Set up, held, refreshed, hung up: what the proxy's cost is measured with.
  case load
  /// A whole call without pause, beside the others, for its set-up time.
  case probe
}

/// One call as the caller sees it: 16 bytes, so that a million of them fit anywhere.
struct Call: BitwiseCopyable {
  /// Where a call stands.
  enum Phase: UInt8 {
    /// INVITE sent, nothing heard.
    case inviting
    /// A provisional response came: the INVITE is not repeated any more.
    case proceeding
    /// The 2xx came and was acknowledged.
    case up
    /// UPDATE sent.
    case refreshing
    /// BYE sent.
    case leaving
    /// Over, one way or the other.
    case over
  }

  /// Microseconds of the run when the latest request but ACK was sent, modulo 2^32.
  var sentAt: UInt32 = 0
  /// The session interval in seconds.
  let interval: UInt32
  /// Slot of the ``RouteStore`` with what requests inside the dialog need.
  var route = Call.noRoute
  /// Where it stands.
  var phase = Phase.inviting
  /// What it is made for.
  let purpose: Purpose
  /// CSeq of the latest request.
  var sequence: UInt8 = 1
  /// Session refreshes that are left, and whether 180 was seen or a request was refused, in the two highest bits.
  private var bits: UInt8

  /// No slot.
  static let noRoute = UInt32.max
  /// Refreshes that a call can have at most.
  static let refreshLimit = 63

  /// A call whose INVITE is about to be sent.
  init(_ purpose: Purpose, interval: UInt32, refreshes: Int) {
    self.purpose = purpose
    self.interval = interval
    bits = UInt8(clamping: min(refreshes, Call.refreshLimit))
  }

  /// Session refreshes that are left.
  var refreshesLeft: Int {
    get { Int(bits & 0x3F) }
    set { bits = bits & 0xC0 | UInt8(clamping: newValue) & 0x3F }
  }

  /// Whether a 180 was seen.
  var isRinging: Bool {
    get { bits & 0x40 != 0 }
    set { bits = newValue ? bits | 0x40 : bits & ~0x40 }
  }

  /// Whether a request inside the dialog was refused, so that the call counts as failed in the end.
  var isFlawed: Bool {
    get { bits & 0x80 != 0 }
    set { bits = newValue ? bits | 0x80 : bits & ~0x80 }
  }
}
