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
    switch end - start {
    case 3...8: self = SIPMethod(word: bytes.shortWord(at: start, end - start))
    case 9: self = bytes.equals(range, "SUBSCRIBE") ? .subscribe : .other
    default: self = .other
    }
  }

  /// The method whose name has these bytes, the first one lowest; a test checks each number against the name.
  private init(word: UInt64) {
    self =
      switch word {
      case 0x4554_4956_4E49: .invite
      case 0x4B_4341: .ack
      case 0x45_5942: .bye
      case 0x4C45_434E_4143: .cancel
      case 0x4554_4144_5055: .update
      case 0x53_4E4F_4954_504F: .options
      case 0x5245_5453_4947_4552: .register
      case 0x4B_4341_5250: .prack
      case 0x5946_4954_4F4E: .notify
      case 0x52_4546_4552: .refer
      case 0x45_4741_5353_454D: .message
      case 0x4F46_4E49: .info
      case 0x48_5349_4C42_5550: .publish
      default: .other
      }
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
