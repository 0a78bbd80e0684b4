import PagedStorage
import SIPSyntax
import SIPTransactions
import SessionTimers
import Timekeeping

/// The state machine of a server transaction, whichever of the two it is (RFC 3261 §17.2).
enum ServerMachine: BitwiseCopyable {
  case invite(InviteServerTransaction)
  case nonInvite(NonInviteServerTransaction)

  /// When its next timer fires; at once for a machine that ended without one, over a reliable transport.
  var deadline: MonotonicInstant {
    switch self {
    case .invite(let machine): machine.isTerminated ? .origin : machine.deadline
    case .nonInvite(let machine): machine.isTerminated ? .origin : machine.deadline
    }
  }

  var isTerminated: Bool {
    switch self {
    case .invite(let machine): machine.isTerminated
    case .nonInvite(let machine): machine.isTerminated
    }
  }

  /// Whether all that is left is to absorb what may still arrive.
  var isLingering: Bool {
    switch self {
    case .invite(let machine): machine.isLingering
    case .nonInvite(let machine): machine.isLingering
    }
  }
}

/// The state machine of a client transaction, whichever of the two it is (RFC 3261 §17.1).
enum ClientMachine: BitwiseCopyable {
  case invite(InviteClientTransaction)
  case nonInvite(NonInviteClientTransaction)

  /// When its next timer fires; at once for a machine that ended without one, over a reliable transport.
  var deadline: MonotonicInstant {
    switch self {
    case .invite(let machine): machine.isTerminated ? .origin : machine.deadline
    case .nonInvite(let machine): machine.isTerminated ? .origin : machine.deadline
    }
  }

  var isTerminated: Bool {
    switch self {
    case .invite(let machine): machine.isTerminated
    case .nonInvite(let machine): machine.isTerminated
    }
  }

  /// Whether all that is left is to absorb what may still arrive.
  var isLingering: Bool {
    switch self {
    case .invite(let machine): machine.isLingering
    case .nonInvite(let machine): machine.isLingering
    }
  }
}

/// What is true of a server transaction besides its machine's state.
struct ServerTransactionFlags: OptionSet, BitwiseCopyable {
  let rawValue: UInt16

  /// A final response went upstream (or, for a non-INVITE timeout, never will).
  static let concluded = ServerTransactionFlags(rawValue: 1 << 0)
  /// A 2xx went upstream.
  static let succeeded = ServerTransactionFlags(rawValue: 1 << 1)
  /// The request had a To tag (F5), or is a BYE.
  static let inDialog = ServerTransactionFlags(rawValue: 1 << 2)
  /// The request is INVITE or UPDATE (A1); its session-timer memory counts.
  static let refresh = ServerTransactionFlags(rawValue: 1 << 3)
  /// ``ServerTransactionRecord/dialog`` holds this refresh open (A89).
  static let holdsRefresh = ServerTransactionFlags(rawValue: 1 << 4)
  /// The request's From side is the caller of ``ServerTransactionRecord/dialog``.
  static let fromCaller = ServerTransactionFlags(rawValue: 1 << 5)
  /// The client sent a CANCEL for it.
  static let cancelled = ServerTransactionFlags(rawValue: 1 << 6)
  /// A transaction of an RFC 2543 client: no magic cookie in its branch (C51).
  static let withoutCookie = ServerTransactionFlags(rawValue: 1 << 7)
}

/// A request we received, its response context, and what its session timer needs.
///
/// The record owns ``response`` and the chain that starts at ``earlyDialogs``; it frees both.
struct ServerTransactionRecord: TimedRecord {
  var generation: UInt32 = 0
  var freeLink: UInt32 = 0
  var links = WheelLinks.unlinked
  /// Instant the wheel fires for it; follows the machine's.
  var deadline = MonotonicInstant.distantFuture
  /// Hash of what matches a request to it (C49, C51), and of its method's name.
  var key: Hash128
  var methodHash: UInt32
  /// Distinguishes the ACK for our own response (C51): hash of the To tag we answered with.
  var answerTagHash: UInt32 = 0
  var method: SIPMethod
  var flags: ServerTransactionFlags = []
  var machine: ServerMachine
  /// Where responses go (D20–D22), from the address the request came to.
  var replies: Flow
  /// The branch the request was forwarded on last.
  var branch = SlabID.none
  /// Where else the request can go, or what it waits for; none for a request with one known way.
  var attempt = SlabID.none
  /// Latest provisional, or the final response while retransmissions may ask for it.
  var response = Blob.none
  /// The dialog an in-dialog request belongs to.
  var dialog = SlabID.none
  /// Chain of the dialogs this INVITE made, early or confirmed at once; those that ended stay in it.
  var earlyDialogs = SlabID.none
  /// Early dialogs this INVITE opened, and dialogs its 2xx made without one; each bounded by
  /// ``ProxyConfiguration/maxForks``.
  var earlyDialogCount: UInt16 = 0
  var answeredForkCount: UInt16 = 0
  /// A3: what is remembered until the transaction ends, Accepted state included.
  var timerMemory = SessionTimerMemory.none
  /// The request's decision, recorded when a dialog is known.
  var timerDecision = SessionTimerDecision.none
}

/// What is true of a client transaction besides its machine's state.
struct ClientTransactionFlags: OptionSet, BitwiseCopyable {
  let rawValue: UInt8

  /// A provisional response arrived: a CANCEL may be sent (B96).
  static let provisionalReceived = ClientTransactionFlags(rawValue: 1 << 0)
  /// A CANCEL waits for the first provisional response (B96).
  static let cancelPending = ClientTransactionFlags(rawValue: 1 << 1)
  /// Our CANCEL was sent; the branch has 64*T1 to end (B92).
  static let cancelSent = ClientTransactionFlags(rawValue: 1 << 2)
  /// This transaction is a CANCEL of ours: its responses end here (B69).
  static let isCancel = ClientTransactionFlags(rawValue: 1 << 3)
  /// The core took this branch's result; what follows concerns only the machine.
  static let concluded = ClientTransactionFlags(rawValue: 1 << 4)
}

/// A request we sent: one branch of a response context (B2), or a CANCEL of ours.
///
/// The record owns ``sent``: the request until its result is known, then the ACK of a non-2xx.
struct ClientTransactionRecord: TimedRecord {
  var generation: UInt32 = 0
  var freeLink: UInt32 = 0
  var links = WheelLinks.unlinked
  /// Earliest of the machine's deadline, Timer C and the end of a cancelled branch.
  var deadline = MonotonicInstant.distantFuture
  var machine: ClientMachine
  var method: SIPMethod
  var methodHash: UInt32
  /// Hash of Call-ID, From tag and CSeq number: a response that names another call is not this request's.
  var identity: UInt32
  var flags: ClientTransactionFlags = []
  /// Address and socket of the next hop; CANCEL and ACK go there too (B98, C22).
  var flow: Flow
  /// The server transaction it answers to; none for our CANCEL.
  var server: SlabID
  /// For our CANCEL the INVITE it cancels; for an INVITE our CANCEL of it.
  var counterpart = SlabID.none
  var sent = Blob.none
  /// Where the Contact stands in ``sent``.
  var contact = ByteRange.none
  /// Reason header field row of the CANCEL to come (B104).
  var cancelReason = Blob.none
  /// Timer C (B65), or distant future.
  var timerC = MonotonicInstant.distantFuture
  /// End of a cancelled branch (B92), or distant future.
  var cancelLimit = MonotonicInstant.distantFuture
}
