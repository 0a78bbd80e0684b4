// RFC 3261 §12: what a dialog is here, and how one is named.
// Left open: what a proxy calls a dialog, since §12 speaks of user agents. We chose: one record for each
// Call-ID and pair of tags that a response to an INVITE has shown us (F1, F2, F3), early or confirmed.

public import PagedStorage
public import SIPSyntax

/// How far a dialog has come (RFC 3261 §12).
public enum DialogState: UInt8, BitwiseCopyable, CaseIterable, Sendable {
  /// A provisional response with a To tag was seen; not counted as active (F4).
  case early
  /// A 2xx was seen, whether or not its ACK was (F34).
  case confirmed
}

/// One of the two parties; the caller sent the first INVITE.
public enum DialogSide: UInt8, BitwiseCopyable, CaseIterable, Sendable { case caller, callee }

/// Why a dialog was removed; each removal is counted under one cause (A96).
public enum DialogEnd: UInt8, BitwiseCopyable, CaseIterable, Sendable {
  /// A final answer to a BYE, or its timeout (F22).
  case bye
  /// The session expiration passed without a refresh (RFC 4028 §8.3).
  case sessionExpired
  /// The fallback lifetime of a dialog without a session timer is over (A91).
  case untimedLifetimeOver
  /// The session would live on, but our record had reached its longest life (G16).
  case cappedLifetimeOver
  /// The INVITE failed, or another branch was answered (F10, F11).
  case setupFailed
  /// 481 to a request within the dialog (F24).
  case notFound481
  /// An early dialog was forgotten by its transaction; should not happen.
  case earlyTimeout
  /// Removed to make room.
  case reclaimed
}

/// Where a message names its dialog: Call-ID and both tags, seen from the caller.
///
/// An empty range is the null tag of RFC 2543 and a legal key (F6). Tags compare byte for byte.
public struct DialogKeyView: BitwiseCopyable, Sendable {
  /// The Call-ID.
  public var callID: ByteRange
  /// The tag of the party that sent the first INVITE.
  public var callerTag: ByteRange
  /// The tag of the other party.
  public var calleeTag: ByteRange

  /// The key of a dialog whose caller has the first of the two tags.
  public init(callID: ByteRange, callerTag: ByteRange, calleeTag: ByteRange) {
    self.callID = callID
    self.callerTag = callerTag
    self.calleeTag = calleeTag
  }
}

/// What is known of a dialog when its record is made.
///
/// Key and callee's Contact stand in the response that makes the dialog, the caller's Contact in the
/// request that the response answers.
public struct DialogSetup: BitwiseCopyable, Sendable {
  /// Call-ID and tags, in the response.
  public var key: DialogKeyView
  /// The Contact URI in the response; empty when it has none.
  public var calleeContact: ByteRange
  /// The Contact URI in the request; empty when it has none.
  public var callerContact: ByteRange
  /// The CSeq number of the request.
  public var cSeq: UInt32
  /// The transport of the caller's side, as a number of the user's choice (F9).
  public var callerTransport: UInt8
  /// The transport of the callee's side.
  public var calleeTransport: UInt8
  /// The key's hash if the caller of the table knows it already, from ``DialogTable/hash(of:in:)``.
  public var hash: Hash128?

  /// What is known; whatever is left out is empty or 0.
  public init(
    key: DialogKeyView, calleeContact: ByteRange = .none, callerContact: ByteRange = .none, cSeq: UInt32 = 0,
    callerTransport: UInt8 = 0, calleeTransport: UInt8 = 0
  ) {
    self.key = key
    self.calleeContact = calleeContact
    self.callerContact = callerContact
    self.cSeq = cSeq
    self.callerTransport = callerTransport
    self.calleeTransport = calleeTransport
  }
}

/// The transaction whose 2xx sets a session timer: an INVITE or UPDATE within the dialog, or its first INVITE.
public struct SessionRefresh: BitwiseCopyable, Sendable {
  /// The CSeq number of the request.
  public var cSeq: UInt32
  /// An INVITE, whose 2xx may come again and again; otherwise an UPDATE, whose 2xx comes once.
  public var isInvite: Bool
  /// Who sent the request, hence who is `uac` (A83).
  public var sender: DialogSide

  /// The transaction of a request with that CSeq number.
  public init(cSeq: UInt32, isInvite: Bool, sender: DialogSide) {
    self.cSeq = cSeq
    self.isInvite = isInvite
    self.sender = sender
  }
}
