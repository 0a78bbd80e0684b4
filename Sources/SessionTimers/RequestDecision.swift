// RFC 4028 section 8.1: what a proxy does to a session refresh request, row by row (A22-A38).
//
// The same table serves INVITE and UPDATE, initial or not, with or without a body (A1, A49-A52). Left open,
// and chosen: a too short interval from a caller with timer support is always answered 422, although the
// RFC says MAY (A26); no Min-SE is added where nothing is too short (A31); a Session-Expires that cannot be
// read is left alone and we ask for nothing (A38); a Min-SE that cannot be read, or below 90, counts as 90
// (A18, A19), yet where we raise Min-SE to our minimum a written 30 becomes 90 too (A34); numbers above
// 2^32 - 1, which RFC 3261 does not allow, count as 2^32 - 1 in every comparison (A16).
//
// What never happens here, by construction: `refresher` is not in the result at all (A40); every branch
// with timer support leaves Min-SE `.keep` (A41, G14); Require and Supported are not in the result (A45,
// A46).

public import SIPSyntax

/// What becomes of one header field's number of seconds; its parameters always stay (A14).
public enum ValueChange: BitwiseCopyable, Equatable, Sendable {
  /// Byte for byte as received, or still absent.
  case keep
  /// The field was absent: one row without parameters.
  case insert(DeltaSeconds)
  /// The digits of the row that is there are replaced.
  case replace(DeltaSeconds)
  /// Min-SE only: every row of the field gives way to one valid row (A18).
  case replaceMalformed(DeltaSeconds)
}

/// What the transaction remembers until its responses come (A3, RFC 4028 §8.1). 8 bytes.
public struct SessionTimerMemory: BitwiseCopyable, Equatable, Sendable {
  /// Session-Expires as sent downstream (V in the requirements); 0 when `asked` is false.
  public var interval: DeltaSeconds
  /// Whether we inserted, changed, or examined and accepted Session-Expires.
  public var asked: Bool
  /// Whether the caller supports timers.
  public var supportsTimer: Bool
  /// The refresher that the request named; never one of ours (A40).
  public var refresherInRequest: Refresher?

  /// A memory of these facts.
  public init(supportsTimer: Bool, asked: Bool, interval: DeltaSeconds, refresherInRequest: Refresher?) {
    self.interval = interval
    self.asked = asked
    self.supportsTimer = supportsTimer
    self.refresherInRequest = refresherInRequest
  }

  /// Nothing asked of anybody: requests that are no session refresh (A39).
  public static let none = SessionTimerMemory(
    supportsTimer: false, asked: false, interval: DeltaSeconds(0), refresherInRequest: nil)
}

/// How a session refresh request is forwarded.
public struct RequestChange: BitwiseCopyable, Equatable, Sendable {
  /// What becomes of Session-Expires.
  public var sessionExpires: ValueChange
  /// What becomes of Min-SE.
  public var minSE: ValueChange
  /// What the transaction remembers.
  public var memory: SessionTimerMemory
  /// The row that decided.
  public var clause: Clause
}

/// What a proxy does with a session refresh request.
public enum RequestDecision: BitwiseCopyable, Equatable, Sendable {
  /// Answer 422 with this Min-SE and nothing else of ours (A55, A57); the dialog stays as it was (A58).
  case reject(minSE: DeltaSeconds, clause: Clause)
  /// Forward with these changes.
  case forward(RequestChange)

  /// The row that decided.
  public var clause: Clause {
    switch self {
    case .reject(_, let clause): return clause
    case .forward(let change): return change.clause
    }
  }
}

extension SessionTimerPolicy {
  /// RFC 4028 §8.1 for one INVITE or UPDATE. Decide once per request: branches and retries send the same
  /// values (A53, A54).
  public func decision(for request: SessionRefreshRequest) -> RequestDecision {
    switch request.sessionExpires {
    case .opaque: return .forward(RequestChange(request, .a38, asked: nil))
    case .absent: return .forward(changeWithoutInterval(request))
    case .present(let field): return decision(for: request, interval: field.interval)
    }
  }

  /// Rows without Session-Expires: we may put one in, not below the request's Min-SE (A43).
  private func changeWithoutInterval(_ request: SessionRefreshRequest) -> RequestChange {
    let timer = request.supportsTimer
    let m = request.effectiveMinSE
    guard let wanted = sessionExpires else {
      return RequestChange(request, timer ? .a25 : .a32, asked: nil)
    }
    let clause: Clause
    if request.minSE == .absent {
      clause = timer ? .a22 : .a30
    } else if timer {
      clause = wanted >= m ? .a23 : .a24
    } else {
      clause = .a31
    }
    let interval = max(wanted, m)
    return RequestChange(request, clause, asked: interval, sessionExpires: .insert(interval))
  }

  /// Rows with Session-Expires: too short for us, too short for Min-SE, too long for us, or right.
  private func decision(for request: SessionRefreshRequest, interval s: DeltaSeconds) -> RequestDecision {
    let timer = request.supportsTimer
    let m = request.effectiveMinSE

    if s < minSE {
      if timer { return .reject(minSE: minSE, clause: .a26) }
      switch request.minSE {
      case .absent:
        return .forward(raised(request, .a33, .insert(minSE)))
      case .present(let field) where field.interval < minSE:  // As written: also 30 when M is 90.
        return .forward(raised(request, .a34, .replace(minSE)))
      case .opaque where m < minSE:
        return .forward(raised(request, .a34, .replaceMalformed(minSE)))
      case .present, .opaque:
        break
      }
    }
    if s < m {
      return .forward(RequestChange(request, timer ? .a27 : .a35, asked: m, sessionExpires: .replace(m)))
    }
    if let wanted = sessionExpires, s > wanted {
      let lowered = max(wanted, m)
      let change = lowered == s ? ValueChange.keep : .replace(lowered)
      return .forward(RequestChange(request, timer ? .a29 : .a37, asked: lowered, sessionExpires: change))
    }
    return .forward(RequestChange(request, timer ? .a28 : .a36, asked: s))
  }

  /// A33 and A34: our minimum goes into Min-SE, and Session-Expires up to it.
  private func raised(_ request: SessionRefreshRequest, _ clause: Clause, _ change: ValueChange)
    -> RequestChange
  {
    RequestChange(request, clause, asked: minSE, sessionExpires: .replace(minSE), minSE: change)
  }
}

extension RequestChange {
  /// `asked` is the interval that goes downstream, nil when we ask for nothing.
  fileprivate init(
    _ request: SessionRefreshRequest, _ clause: Clause, asked: DeltaSeconds?,
    sessionExpires: ValueChange = .keep, minSE: ValueChange = .keep
  ) {
    self.sessionExpires = sessionExpires
    self.minSE = minSE
    self.memory = SessionTimerMemory(
      supportsTimer: request.supportsTimer, asked: asked != nil, interval: asked ?? DeltaSeconds(0),
      refresherInRequest: request.refresher)
    self.clause = clause
  }
}
