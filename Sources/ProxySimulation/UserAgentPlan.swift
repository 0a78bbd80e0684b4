import Timekeeping

/// What a simulated user agent is able to do and how it likes it.
struct UserAgentProfile {
  /// RFC 4028: `timer` in Supported, and everything that follows from it.
  var supportsTimer: Bool
  /// Session-Expires of the requests it makes, or what it lowers a caller's to.
  var interval: Int?
  /// The refresher it names as UAC, or chooses as UAS: "uac", "uas".
  var refresherWish: String?
  /// Smallest interval it accepts, 90 or more.
  var minSE: Int
  /// Refreshes by UPDATE, otherwise by re-INVITE.
  var refreshesByUpdate: Bool
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
    /// The cable is pulled; the program goes on speaking to nobody.
    case unplugged
  }

  var startsAfter: TimeSpan
  var answer: Answer
  var ringsFor: TimeSpan
  /// The caller gives up after so long.
  var cancelsAfter: TimeSpan?
  var ending: Ending
  /// Length of the call.
  var lasts: TimeSpan
  /// Who is struck, by what, when after the start.
  var disaster: (strikesCaller: Bool, kind: Disaster, after: TimeSpan)?
  /// A second callee behind a forking next hop; it answers a little later or never.
  var forkAnswer: Answer?
  /// The caller keeps a second leg instead of ending it at once.
  var keepsBothLegs: Bool
  /// Both parties start a refresh at the same time, so long after the answer.
  var glareAfter: TimeSpan?
  /// The caller sends an UPDATE while it still rings (A50).
  var updatesEarly: Bool
}
