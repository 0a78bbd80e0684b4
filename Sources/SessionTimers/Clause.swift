// The rows of the two decision tables, as the answer to "why does this call have this timer?".

/// The row of REQUIREMENTS section A that decided. The raw value is the row's number and never changes.
public enum Clause: UInt8, BitwiseCopyable, CaseIterable, Sendable {
  /// Timer, no interval, no Min-SE, S on.
  case a22 = 22
  /// Timer, no interval, Min-SE not above S.
  case a23 = 23
  /// Timer, no interval, Min-SE above S.
  case a24 = 24
  /// Timer, no interval, S off.
  case a25 = 25
  /// Timer, interval below M.
  case a26 = 26
  /// Timer, interval below the request's Min-SE.
  case a27 = 27
  /// Timer, interval acceptable.
  case a28 = 28
  /// Timer, interval above S.
  case a29 = 29
  /// No timer, no interval, no Min-SE, S on.
  case a30 = 30
  /// No timer, no interval, Min-SE present, S on.
  case a31 = 31
  /// No timer, no interval, S off.
  case a32 = 32
  /// No timer, interval below M, no Min-SE.
  case a33 = 33
  /// No timer, interval below M, Min-SE below M.
  case a34 = 34
  /// No timer, interval below the request's Min-SE.
  case a35 = 35
  /// No timer, interval acceptable.
  case a36 = 36
  /// No timer, interval above S.
  case a37 = 37
  /// Session-Expires malformed or repeated.
  case a38 = 38
  /// Neither INVITE nor UPDATE.
  case a39 = 39
  /// 2xx with Session-Expires.
  case a61 = 61
  /// 2xx without, not asked.
  case a62 = 62
  /// 2xx without, asked, caller without timer.
  case a63 = 63
  /// 2xx without, asked, caller with timer.
  case a64 = 64
  /// 2xx without, asked, caller with timer and refresher=uas.
  case a65 = 65
  /// 2xx, Session-Expires malformed or repeated.
  case a66 = 66
  /// Non-2xx final response.
  case a67 = 67
  /// Provisional response.
  case a68 = 68

  /// The row's name in Docs/CONFORMANCE.md, such as "A22".
  public var name: String { "A\(rawValue)" }

  /// Whether the row is about a response (A61-A68).
  public var isAboutResponse: Bool { rawValue >= Self.a61.rawValue }

  /// Where the rule stands.
  public var citation: String {
    switch self {
    case .a22, .a25, .a30, .a31, .a32: return "RFC 4028 §8.1, second paragraph"
    case .a23, .a24: return "RFC 4028 §8.1, second paragraph; §5"
    case .a26: return "RFC 4028 §8.1, fourth paragraph; §6"
    case .a27, .a28, .a29, .a35, .a36, .a37: return "RFC 4028 §8.1, third paragraph"
    case .a33, .a34: return "RFC 4028 §8.1, fifth paragraph; §11.1"
    case .a38: return "RFC 3261 §16.3 item 1"
    case .a39: return "RFC 4028 §4, Table 1"
    case .a61: return "RFC 4028 §8.2, fourth to sixth paragraphs"
    case .a62: return "RFC 4028 §8.2, second paragraph; §7.2"
    case .a63: return "RFC 4028 §8.2, second paragraph"
    case .a64: return "RFC 4028 §8.2, third paragraph"
    case .a65: return "RFC 4028 §8.2, third paragraph; erratum 8926"
    case .a66: return "RFC 4028 §8.2, sixth paragraph"
    case .a67: return "RFC 4028 §10"
    case .a68: return "RFC 4028 §8.2, first paragraph"
    }
  }

  /// One line for `callkeeper why`.
  public var explanation: String {
    switch self {
    case .a22: return "the caller supports timers but asked for none; we asked for our interval"
    case .a23: return "the caller supports timers but asked for none; our interval satisfies its Min-SE"
    case .a24: return "the caller supports timers but asked for none; its Min-SE is above our interval"
    case .a25: return "the caller supports timers but asked for none; neither do we"
    case .a26: return "interval below our minimum and the caller supports timers: answered 422"
    case .a27: return "interval below the request's own Min-SE: raised to it"
    case .a28: return "the caller's interval is acceptable: left as it is"
    case .a29: return "interval above ours: lowered, but not below the request's Min-SE"
    case .a30: return "the caller does not support timers; we asked for our interval"
    case .a31: return "the caller does not support timers; we asked for our interval or the Min-SE present"
    case .a32: return "the caller does not support timers and we ask for none"
    case .a33: return "interval below our minimum, caller without timers: Min-SE added, interval raised"
    case .a34: return "interval below our minimum, caller without timers: Min-SE and interval raised"
    case .a35: return "interval below the Min-SE present, caller without timers: raised to it"
    case .a36: return "interval acceptable, caller without timers: left as it is"
    case .a37: return "interval above ours, caller without timers: lowered, but not below Min-SE"
    case .a38:
      return "Session-Expires in the request is malformed or repeated: left alone, no timer asked for"
    case .a39: return "neither INVITE nor UPDATE: session timer fields are left alone"
    case .a61: return "the 2xx carries Session-Expires: it holds as it is"
    case .a62: return "the 2xx carries no Session-Expires and nobody here asked: no timer"
    case .a63: return "neither side supports timers: no timer"
    case .a64: return "the callee does not support timers: we answered for it, the caller refreshes"
    case .a65: return "the callee does not support timers although the caller named it as refresher"
    case .a66: return "Session-Expires in the 2xx is malformed or repeated: left alone, fallback lifetime"
    case .a67: return "the request failed: the timer that ran before runs on"
    case .a68: return "a provisional response says nothing about the timer"
    }
  }
}
