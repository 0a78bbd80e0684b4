import Timekeeping

/// What a simulated user agent is able to do and how it likes it.
struct UserAgentProfile {
  /// RFC 4028: `timer` in Supported, and everything that follows from it.
  var supportsTimer: Bool
  /// RFC 3262: rings reliably, and answers reliable ringing with PRACK.
  var supportsReliability: Bool
  /// Session-Expires of the requests it makes, or what it lowers a caller's to.
  var interval: Int?
  /// The refresher it names as UAC, or chooses as UAS: "uac", "uas".
  var refresherWish: String?
  /// Smallest interval it accepts, 90 or more.
  var minSE: Int
  /// Asks for the same interval again after a 422, some times.
  var isStubborn: Bool
  /// Refreshes by UPDATE, otherwise by re-INVITE.
  var refreshesByUpdate: Bool
  /// Takes up to 40 s for the answer to anything but INVITE, BYE and CANCEL: longer than the request lives.
  var answersSlowly: Bool
  /// Speaks TCP to the proxy, over a connection of its own, and is called over TCP.
  var usesTCP: Bool
  /// Its Contact and Via show a private address that nobody else can reach.
  var hidesBehindNAT: Bool
  /// Puts the outbound proxy into a Route of its first request.
  var preloadsRoute: Bool
  /// Writes header field names in compact form.
  var usesCompactForms: Bool
}

/// What becomes of one call, as far as its parties can plan it.
struct CallPlan {
  /// How the callee answers.
  enum Answer: Equatable {
    /// 200 after ringing.
    case accept
    /// This status after ringing.
    case refuse(Int)
    /// It rings for ever.
    case ringForEver
    /// Not a single response.
    case silence
  }

  /// Who ends the call.
  enum Ending: Equatable {
    case caller, callee
    /// Both at once: the BYEs cross.
    case both
    /// Nobody: both parties vanish, and only the session timer ends the call at the proxy.
    case nobody
  }

  /// A disaster that befalls one party.
  enum Disaster: Equatable {
    /// The program ends without a word.
    case dies
    /// The program starts again and remembers nothing: it answers 481 to what belongs to its calls.
    case restarts
    /// The cable is pulled for a while; the program goes on speaking to nobody.
    case unplugged(TimeSpan)
  }

  /// Something a party does in a call besides what its timers ask for.
  struct Move {
    enum Kind: Equatable { case refresh, hangUp, request(String) }
    /// So long after the answer.
    var after: TimeSpan
    var isCallers: Bool
    var kind: Kind
  }

  var startsAfter: TimeSpan
  /// A request outside any dialog before the call, by method.
  var greeting: String?
  /// The status with which the callee asks for credentials first.
  var challenge: Int?
  var answer: Answer
  var ringsFor: TimeSpan
  /// The caller gives up after so long.
  var cancelsAfter: TimeSpan?
  /// The callee answers a CANCEL and goes on as if there had been none.
  var ignoresCancel: Bool
  /// The caller's ACKs never leave it.
  var forgetsAcks: Bool
  var ending: Ending
  /// Length of the call.
  var lasts: TimeSpan
  /// Moves that cross each other are two of about the same instant (RFC 5407 §3).
  var moves: [Move]
  /// Who is struck, by what, when after the start.
  var disaster: (strikesCaller: Bool, kind: Disaster, after: TimeSpan)?
  /// A second callee behind a forking next hop; it answers a little later or never.
  var forkAnswer: Answer?
  /// How long the second callee rings.
  var forkRingsFor: TimeSpan
  /// The caller keeps a second leg instead of ending it at once.
  var keepsBothLegs: Bool
  /// The caller sends an UPDATE while it still rings (A50).
  var updatesEarly: Bool
  /// The callee does.
  var calleeUpdatesEarly: Bool
}
