// RFC 3261 §7.3.1, §7.3.3 and §20: header field names, long and compact, in any letter case (E8, E9, A11).

/// The header fields that the proxy or its logs may ask for; every other name is `.other`.
public enum FieldName: UInt8, BitwiseCopyable, Hashable, Sendable, CaseIterable {
  case other
  case via, from, to, callID, cSeq, maxForwards, contact, route, recordRoute
  case require, proxyRequire, supported, unsupported, sessionExpires, minSE
  case contentLength, contentType, contentEncoding, contentDisposition
  case expires, reason, timestamp, maxBreadth, path, serviceRoute, retryAfter
  case proxyAuthenticate, wwwAuthenticate, proxyAuthorization, authorization, authenticationInfo
  case allow, allowEvents, accept, userAgent, server, event, subject, date, warning
  case referTo, referredBy, replaces, rAck, rSeq, organization, privacy, assertedIdentity, diversion,
    historyInfo

  /// How many names there are; raw values are below it.
  static let count = 64

  /// Name as the RFCs write it, for reason phrases and logs.
  public var text: StaticString {
    for entry in FieldNameTable.names where entry.name == self { return entry.text }
    return "header field"
  }
}

/// Finds a name by two or three folded words: no loop over bytes, no branch per name.
///
/// Each name is stored as its length and its first, middle and last eight bytes, letters in lower case;
/// equality of those is equality of the names, because the folding maps nothing but letters.
struct FieldNameTable: Sendable {
  private struct Entry {
    var first: UInt64 = 0
    var middle: UInt64 = 0
    var last: UInt64 = 0
    var length = 0
    var name = FieldName.other
  }

  private var entries = [Entry](repeating: Entry(), count: 256)

  /// Longest name in the table.
  static let longestName = 24

  /// All names; the long form of each stands before its compact form.
  static let names: [(text: StaticString, name: FieldName)] = [
    ("Via", .via), ("v", .via), ("From", .from), ("f", .from), ("To", .to), ("t", .to),
    ("Call-ID", .callID), ("i", .callID), ("CSeq", .cSeq), ("Max-Forwards", .maxForwards),
    ("Contact", .contact), ("m", .contact), ("Route", .route), ("Record-Route", .recordRoute),
    ("Require", .require), ("Proxy-Require", .proxyRequire), ("Supported", .supported), ("k", .supported),
    ("Unsupported", .unsupported), ("Session-Expires", .sessionExpires), ("x", .sessionExpires),
    ("Min-SE", .minSE), ("Content-Length", .contentLength), ("l", .contentLength),
    ("Content-Type", .contentType), ("c", .contentType), ("Content-Encoding", .contentEncoding),
    ("e", .contentEncoding), ("Content-Disposition", .contentDisposition), ("Expires", .expires),
    ("Reason", .reason), ("Timestamp", .timestamp), ("Max-Breadth", .maxBreadth), ("Path", .path),
    ("Service-Route", .serviceRoute), ("Retry-After", .retryAfter),
    ("Proxy-Authenticate", .proxyAuthenticate), ("WWW-Authenticate", .wwwAuthenticate),
    ("Proxy-Authorization", .proxyAuthorization), ("Authorization", .authorization),
    ("Authentication-Info", .authenticationInfo), ("Allow", .allow), ("Allow-Events", .allowEvents),
    ("u", .allowEvents), ("Accept", .accept), ("User-Agent", .userAgent), ("Server", .server),
    ("Event", .event), ("o", .event), ("Subject", .subject), ("s", .subject), ("Date", .date),
    ("Warning", .warning), ("Refer-To", .referTo), ("r", .referTo), ("Referred-By", .referredBy),
    ("b", .referredBy), ("Replaces", .replaces), ("RAck", .rAck), ("RSeq", .rSeq),
    ("Organization", .organization), ("Privacy", .privacy), ("P-Asserted-Identity", .assertedIdentity),
    ("Diversion", .diversion), ("History-Info", .historyInfo),
  ]

  init() {
    for (text, name) in FieldNameTable.names {
      var bytes: [UInt8] = []
      bytes.append(literal: text)
      let key = FieldNameTable.key(bytes.span, 0, bytes.count)
      var slot = FieldNameTable.slot(key.first, key.last)
      while entries[slot].length != 0 { slot = (slot + 1) & 255 }
      entries[slot] = Entry(
        first: key.first, middle: key.middle, last: key.last, length: bytes.count, name: name)
    }
  }

  /// The name that the `length` bytes from `start` on spell; they exist.
  @inline(__always)
  func name(_ bytes: Span<UInt8>, _ start: Int, _ length: Int) -> FieldName {
    guard length > 0, length <= FieldNameTable.longestName else { return .other }
    let key = FieldNameTable.key(bytes, start, length)
    var slot = FieldNameTable.slot(key.first, key.last)
    while entries[slot].length != 0 {
      let entry = entries[slot]
      if entry.first == key.first, entry.last == key.last, entry.middle == key.middle, entry.length == length
      {
        return entry.name
      }
      slot = (slot + 1) & 255
    }
    return .other
  }

  @inline(__always)
  private static func key(
    _ bytes: Span<UInt8>, _ start: Int, _ length: Int
  ) -> (first: UInt64, middle: UInt64, last: UInt64) {
    if length >= 8 {
      return (
        foldingLetters(bytes.word(at: start)), length > 16 ? foldingLetters(bytes.word(at: start + 8)) : 0,
        foldingLetters(bytes.word(at: start + length - 8))
      )
    }
    return (bytes.lowercasedWord(at: start, length), 0, 0)
  }

  @inline(__always)
  private static func slot(_ first: UInt64, _ last: UInt64) -> Int {
    Int(truncatingIfNeeded: ((first ^ (last << 23 | last >> 41)) &* 0x9E37_79B9_7F4A_7C15) >> 56)
  }
}
