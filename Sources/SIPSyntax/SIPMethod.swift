/// The request methods that some rule names; every other token is `.other` and passes all the same (B7).
///
/// Method names are case-sensitive (E2), so `Invite` is `.other`.
public enum SIPMethod: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  case invite, ack, bye, cancel, update, options, register, prack, subscribe, notify, refer, message, info,
    publish
  /// Any method not listed; its name stands in the message.
  case other

  /// The name as written; empty for `.other`.
  public var name: StaticString {
    switch self {
    case .invite: "INVITE"
    case .ack: "ACK"
    case .bye: "BYE"
    case .cancel: "CANCEL"
    case .update: "UPDATE"
    case .options: "OPTIONS"
    case .register: "REGISTER"
    case .prack: "PRACK"
    case .subscribe: "SUBSCRIBE"
    case .notify: "NOTIFY"
    case .refer: "REFER"
    case .message: "MESSAGE"
    case .info: "INFO"
    case .publish: "PUBLISH"
    case .other: ""
    }
  }

  /// The method that `range` spells.
  init(_ bytes: Span<UInt8>, _ range: ByteRange) {
    let (start, end) = bytes.bounds(range)
    guard start < end else {
      self = .other
      return
    }
    let candidate: SIPMethod
    switch (bytes[start], end - start) {
    case (UInt8(ascii: "I"), 6): candidate = .invite
    case (UInt8(ascii: "A"), 3): candidate = .ack
    case (UInt8(ascii: "B"), 3): candidate = .bye
    case (UInt8(ascii: "C"), 6): candidate = .cancel
    case (UInt8(ascii: "U"), 6): candidate = .update
    case (UInt8(ascii: "O"), 7): candidate = .options
    case (UInt8(ascii: "R"), 8): candidate = .register
    case (UInt8(ascii: "P"), 5): candidate = .prack
    case (UInt8(ascii: "S"), 9): candidate = .subscribe
    case (UInt8(ascii: "N"), 6): candidate = .notify
    case (UInt8(ascii: "R"), 5): candidate = .refer
    case (UInt8(ascii: "M"), 7): candidate = .message
    case (UInt8(ascii: "I"), 4): candidate = .info
    case (UInt8(ascii: "P"), 7): candidate = .publish
    default: candidate = .other
    }
    self = candidate != .other && bytes.equals(range, candidate.name) ? candidate : .other
  }
}

/// A response's status code, 100 to 699 (E7).
public struct StatusCode: RawRepresentable, BitwiseCopyable, Hashable, Comparable, Sendable {
  /// The number.
  public var rawValue: UInt16

  /// A status code by its number.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// By number.
  public static func < (left: StatusCode, right: StatusCode) -> Bool { left.rawValue < right.rawValue }
}

/// Request or response, with what tells the kind.
public enum MessageKind: BitwiseCopyable, Hashable, Sendable {
  /// A request with its method.
  case request(SIPMethod)
  /// A response with its status code.
  case response(StatusCode)
}
