// RFC 4028 sections 2, 4 and 5: which requests the rules are about, and what such a request says (A1, A2,
// A11-A21).

public import SIPSyntax

extension SIPMethod {
  /// Whether the method is a session refresh request: INVITE and UPDATE, and nothing else (A1). The
  /// session timer fields of other methods are left alone (A2, A39).
  public var isSessionRefresh: Bool { self == .invite || self == .update }
}

/// What an INVITE or UPDATE says about session timers.
public struct SessionRefreshRequest: BitwiseCopyable, Equatable, Sendable {
  /// Whether Supported lists `timer` (T in the requirements). Require does not count (A47).
  public var supportsTimer: Bool
  /// Session-Expires as received.
  public var sessionExpires: FieldReading<SessionExpires>
  /// Min-SE as received.
  public var minSE: FieldReading<MinSE>

  /// A request that says this.
  public init(
    supportsTimer: Bool, sessionExpires: FieldReading<SessionExpires>, minSE: FieldReading<MinSE>
  ) {
    self.supportsTimer = supportsTimer
    self.sessionExpires = sessionExpires
    self.minSE = minSE
  }

  /// What `message`, an INVITE or UPDATE, says. Supported is read in both forms and all rows; Require and
  /// Proxy-Require do not stand in for it (A21, A47).
  public init(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) {
    supportsTimer = containsOption(.timer, in: .supported, message, bytes)
    sessionExpires = readSessionExpires(message, bytes)
    minSE = readMinSE(message, bytes)
  }

  /// The request's Min-SE as the table's m: 90 when absent (RFC 4028 §5), unreadable (A18) or below (A19).
  public var effectiveMinSE: DeltaSeconds {
    switch minSE {
    case .present(let field): return max(field.interval, SessionTimerPolicy.leastMinSE)
    case .absent, .opaque: return SessionTimerPolicy.leastMinSE
    }
  }

  /// The table's s; nil when absent or unreadable.
  var interval: DeltaSeconds? {
    if case .present(let field) = sessionExpires { return field.interval }
    return nil
  }

  /// The refresher parameter; nil when there is none we know (A20).
  var refresher: Refresher? {
    if case .present(let field) = sessionExpires { return field.refresher }
    return nil
  }
}
