// RFC 4028 §4 and §5: the Session-Expires and Min-SE header fields, read but never judged here.
// Left open: values that do not fit, and fields that are malformed. We saturate (A16) and call the field
// opaque (A17, A18): it is forwarded as it is and the rules of §8 see that it was unreadable.

/// A number of seconds as it stands on the wire, saturated to 2**32 - 1 (A16).
public struct DeltaSeconds: BitwiseCopyable, Comparable, Hashable, Sendable {
  /// The seconds.
  public let seconds: UInt32

  /// A number of seconds.
  @inlinable
  public init(_ seconds: UInt32) { self.seconds = seconds }

  /// Shorter before longer.
  @inlinable
  public static func < (left: DeltaSeconds, right: DeltaSeconds) -> Bool { left.seconds < right.seconds }

  /// Reads digits only, leading zeros allowed (A15), saturating (A16); nil when empty or anything else.
  public init?(_ bytes: Span<UInt8>, _ range: ByteRange) {
    guard let number = bytes.number(range) else { return nil }
    seconds = UInt32(clamping: number)
  }
}

/// Who refreshes the session (RFC 4028 §4).
public enum Refresher: UInt8, BitwiseCopyable, Sendable { case uac, uas }

/// A well-formed Session-Expires value.
public struct SessionExpires: BitwiseCopyable, Equatable, Sendable {
  /// The session interval.
  public var interval: DeltaSeconds
  /// The `refresher` parameter; nil when absent or neither `uac` nor `uas` (A20).
  public var refresher: Refresher?
  /// A `refresher` parameter is there that is neither `uac` nor `uas`: counted, not understood (A20).
  public var hasUnknownRefresher = false
  /// Where the digits of the interval stand, so that only they are replaced (A14).
  public var digits: ByteRange

  /// A Session-Expires value whose digits stand at `digits`.
  public init(interval: DeltaSeconds, refresher: Refresher?, digits: ByteRange = .none) {
    self.interval = interval
    self.refresher = refresher
    self.digits = digits
  }
}

/// A well-formed Min-SE value.
public struct MinSE: BitwiseCopyable, Equatable, Sendable {
  /// The smallest interval its writer accepts.
  public var interval: DeltaSeconds
  /// Where the digits stand (A14).
  public var digits: ByteRange

  /// A Min-SE value whose digits stand at `digits`.
  public init(interval: DeltaSeconds, digits: ByteRange = .none) {
    self.interval = interval
    self.digits = digits
  }
}

/// What a message says in a header field that may occur once.
public enum FieldReading<Value: BitwiseCopyable & Sendable>: BitwiseCopyable, Sendable {
  /// The field is not there.
  case absent
  /// The field is there once and well-formed.
  case present(Value)
  /// The field is malformed or repeated: forwarded untouched (A17, A18).
  case opaque
}

extension FieldReading: Equatable where Value: Equatable {}

/// What the message says in Session-Expires, long or compact (A11).
public func readSessionExpires(
  _ message: borrowing SIPMessage, _ bytes: Span<UInt8>
) -> FieldReading<SessionExpires> {
  guard let row = message.first(.sessionExpires) else { return .absent }
  guard message.count(.sessionExpires) == 1,
    let digits = readDelta(bytes, message[field: row].value)
  else { return .opaque }
  var field = SessionExpires(interval: digits.delta, refresher: digits.refresher, digits: digits.range)
  field.hasUnknownRefresher = digits.hasRefresher && digits.refresher == nil
  return .present(field)
}

/// What the message says in Min-SE.
public func readMinSE(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) -> FieldReading<MinSE> {
  guard let row = message.first(.minSE) else { return .absent }
  guard message.count(.minSE) == 1, let digits = readDelta(bytes, message[field: row].value) else {
    return .opaque
  }
  return .present(MinSE(interval: digits.delta, digits: digits.range))
}

/// `delta-seconds *(SEMI param)` (A13); nil when it is anything else.
private func readDelta(
  _ bytes: Span<UInt8>, _ value: ByteRange
) -> (delta: DeltaSeconds, range: ByteRange, refresher: Refresher?, hasRefresher: Bool)? {
  var scanner = FieldScanner(bytes, value)
  let start = scanner.position
  while scanner.peek(bytes).isDigit { scanner.position += 1 }
  let range = ByteRange(start, scanner.position)
  guard let delta = DeltaSeconds(bytes, range) else { return nil }
  var refresher: Refresher?
  var hasRefresher = false
  while scanner.separator(bytes, UInt8(ascii: ";")) {
    guard let parameter = scanner.parameter(bytes) else { return nil }
    if bytes.equalsIgnoringCase(parameter.name, "refresher") {
      guard !hasRefresher else { return nil }  // E21
      hasRefresher = true
      if bytes.isWord(parameter.value, .uac) { refresher = .uac }
      if bytes.isWord(parameter.value, .uas) { refresher = .uas }
    }
  }
  return scanner.isAtEnd ? (delta, range, refresher, hasRefresher) : nil
}
