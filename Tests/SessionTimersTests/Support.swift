import SIPSyntax
import SessionTimers

/// A header field as a test writes it: absent, unreadable, or so many seconds.
enum Field: Equatable, CustomStringConvertible {
  case none
  case opaque
  case value(UInt32)

  var description: String {
    switch self {
    case .none: return "-"
    case .opaque: return "?"
    case .value(let seconds): return "\(seconds)"
    }
  }

  var minSE: FieldReading<MinSE> {
    switch self {
    case .none: return .absent
    case .opaque: return .opaque
    case .value(let seconds): return .present(MinSE(interval: DeltaSeconds(seconds)))
    }
  }

  func sessionExpires(refresher: Refresher? = nil) -> FieldReading<SessionExpires> {
    switch self {
    case .none: return .absent
    case .opaque: return .opaque
    case .value(let seconds):
      return .present(SessionExpires(interval: DeltaSeconds(seconds), refresher: refresher))
    }
  }

  /// The field after `change`: what goes on the wire.
  func applying(_ change: ValueChange) -> Field {
    switch change {
    case .keep: return self
    case .insert(let seconds), .replace(let seconds), .replaceMalformed(let seconds):
      return .value(seconds.seconds)
    }
  }
}

/// One line of input to the request table: the columns of A22-A38.
struct RequestInput: CustomStringConvertible {
  /// T.
  var timer: Bool
  /// s.
  var interval: Field
  /// m as received.
  var minSE: Field
  /// S; nil is off.
  var wanted: UInt32?
  /// M.
  var least: UInt32
  var refresher: Refresher? = nil

  var request: SessionRefreshRequest {
    SessionRefreshRequest(
      supportsTimer: timer, sessionExpires: interval.sessionExpires(refresher: refresher), minSE: minSE.minSE)
  }

  func decide() throws -> RequestDecision {
    let policy = try SessionTimerPolicy(
      sessionExpires: wanted.map { DeltaSeconds($0) }, minSE: DeltaSeconds(least))
    return policy.decision(for: request)
  }

  var description: String {
    let wanted = wanted.map { "\($0)" } ?? "off"
    return "T=\(timer) s=\(interval) m=\(minSE) S=\(wanted) M=\(least)"
  }
}

/// A decision as seen from outside: what goes on the wire and what is remembered.
struct Observed: Equatable, CustomStringConvertible {
  var clause: String
  /// Min-SE of our 422; nil when forwarded.
  var rejectedWith: UInt32?
  var interval: Field = .none
  var minSE: Field = .none
  var asked = false
  /// V.
  var remembered: UInt32 = 0

  var description: String {
    if let rejectedWith { return "\(clause): 422 Min-SE=\(rejectedWith)" }
    return "\(clause): s=\(interval) m=\(minSE) asked=\(asked) V=\(remembered)"
  }
}

extension RequestDecision {
  /// What this decision does to `input`.
  func observed(on input: RequestInput) -> Observed {
    switch self {
    case .reject(let minSE, let clause):
      return Observed(clause: clause.name, rejectedWith: minSE.seconds)
    case .forward(let change):
      return Observed(
        clause: change.clause.name, rejectedWith: nil,
        interval: input.interval.applying(change.sessionExpires), minSE: input.minSE.applying(change.minSE),
        asked: change.memory.asked, remembered: change.memory.interval.seconds)
    }
  }
}

/// SplitMix64: the same seed gives the same inputs on every machine.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }
}
