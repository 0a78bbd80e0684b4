// One decision in 8 bytes, four of which stand in every dialog record for `callkeeper why`.
//
//     bits  0- 4  clause: 0 no decision, 1...18 rows A22...A39, 19...26 rows A61...A68
//     bit   5     1 UPDATE, 0 INVITE
//     bit   6     1 the request came from the caller, 0 from the callee
//     bits  7-23  value in:  seconds; 131070 stands for that and more, 131071 for no value
//     bits 24-40  value out: the same
//     bits 41-63  when: seconds on the owner's clock, modulo 2^23 (97 days)
//
// Intervals are exact below 131,070 s (36 hours) and shown as "at least" from there on. The instant is
// right as long as the decision is younger than 97 days when it is read.

public import SIPSyntax

/// A session-timer decision as remembered for later questions. Zeroed memory is `none`.
public struct SessionTimerDecision: BitwiseCopyable, Hashable, Sendable {
  /// The packed form.
  public let bits: UInt64

  /// A decision from its packed form; unknown clauses read as none.
  public init(bits: UInt64) { self.bits = bits }

  /// No decision.
  public static let none = SessionTimerDecision(bits: 0)

  /// An interval as far as 17 bits can say it.
  public enum Value: Equatable, Sendable, CustomStringConvertible {
    /// There was none.
    case absent
    /// Exactly this.
    case exactly(UInt32)
    /// This or more.
    case atLeast(UInt32)

    /// "1800", ">=131070" or "-".
    public var description: String {
      switch self {
      case .absent: return "-"
      case .exactly(let seconds): return "\(seconds)"
      case .atLeast(let seconds): return ">=\(seconds)"
      }
    }
  }

  /// A decision to remember.
  ///
  /// - Parameters:
  ///   - valueIn: Session-Expires as received; nil when there was none to read.
  ///   - valueOut: Session-Expires as sent on, or the Min-SE of our 422; nil when there is none.
  ///   - second: when, in whole seconds on the owner's clock.
  public init(
    clause: Clause, valueIn: DeltaSeconds?, valueOut: DeltaSeconds?, isUpdate: Bool, fromCaller: Bool,
    atSecond second: UInt32
  ) {
    var bits = Self.code(of: clause)
    bits |= isUpdate ? 1 << 5 : 0
    bits |= fromCaller ? 1 << 6 : 0
    bits |= Self.code(of: valueIn) << 7
    bits |= Self.code(of: valueOut) << 24
    bits |= UInt64(second & Self.secondMask) << 41
    self.bits = bits
  }

  /// The row that decided; nil when there is no decision.
  public var clause: Clause? {
    let code = UInt8(bits & 0x1F)
    return Clause(rawValue: code <= 18 ? code + 21 : code + 42)
  }

  /// Whether there is a decision here.
  public var isNone: Bool { clause == nil }

  /// Whether the transaction was an UPDATE; otherwise an INVITE.
  public var isUpdate: Bool { bits & 1 << 5 != 0 }

  /// Whether the transaction's request came from the caller of the dialog.
  public var fromCaller: Bool { bits & 1 << 6 != 0 }

  /// Session-Expires as received.
  public var valueIn: Value { Self.value(of: bits >> 7) }

  /// Session-Expires as sent on, or the Min-SE of our 422.
  public var valueOut: Value { Self.value(of: bits >> 24) }

  /// When the decision fell: the latest second up to `now` that the bits allow.
  public func second(notAfter now: UInt32) -> UInt32 {
    let age = (now &- UInt32(bits >> 41)) & Self.secondMask
    return now >= age ? now - age : 0
  }

  private static let secondMask: UInt32 = 1 << 23 - 1
  private static let valueMask: UInt64 = 1 << 17 - 1
  private static let largest: UInt32 = 131_070

  private static func code(of clause: Clause) -> UInt64 {
    UInt64(clause.isAboutResponse ? clause.rawValue - 42 : clause.rawValue - 21)
  }

  private static func code(of value: DeltaSeconds?) -> UInt64 {
    guard let value else { return valueMask }
    return UInt64(min(value.seconds, largest))
  }

  private static func value(of code: UInt64) -> Value {
    let code = code & valueMask
    if code == valueMask { return .absent }
    let seconds = UInt32(code)
    return seconds < largest ? .exactly(seconds) : .atLeast(seconds)
  }
}

extension RequestDecision {
  /// What to remember of this decision about `request`.
  public func remembered(
    about request: SessionRefreshRequest, isUpdate: Bool, fromCaller: Bool, atSecond second: UInt32
  ) -> SessionTimerDecision {
    let valueOut: DeltaSeconds?
    switch self {
    case .reject(let minSE, _): valueOut = minSE
    case .forward(let change): valueOut = change.memory.asked ? change.memory.interval : nil
    }
    return SessionTimerDecision(
      clause: clause, valueIn: request.interval, valueOut: valueOut, isUpdate: isUpdate,
      fromCaller: fromCaller, atSecond: second)
  }
}

extension ResponseDecision {
  /// What to remember of this decision.
  public func remembered(isUpdate: Bool, fromCaller: Bool, atSecond second: UInt32) -> SessionTimerDecision {
    var valueOut: DeltaSeconds?
    if case .runs(let interval, _) = timer { valueOut = interval }
    return SessionTimerDecision(
      clause: clause, valueIn: insert == nil ? valueOut : nil, valueOut: valueOut, isUpdate: isUpdate,
      fromCaller: fromCaller, atSecond: second)
  }
}
