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

/// A field name of at most 24 bytes as three words, capitals in lower case, zeros behind its end.
///
/// Equality of the words is equality of the names: the folding maps nothing but letters, and a name holds
/// no NUL.
struct FoldedName: BitwiseCopyable, Sendable {
  var first: UInt64 = 0
  var second: UInt64 = 0
  var third: UInt64 = 0

  /// Longest name that fits.
  static let capacity = 24
}

/// Finds a name by its folded words: no loop over bytes, no branch per name.
struct FieldNameTable: Sendable {
  private struct Entry {
    var key = FoldedName()
    var name = FieldName.other
  }

  private var entries = [Entry](repeating: Entry(), count: 256)

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

  /// The table itself; whoever keeps it saves the question whether it exists yet.
  static let standard = FieldNameTable()

  private init() {
    for (text, name) in FieldNameTable.names {
      var bytes: [UInt8] = []
      bytes.append(literal: text)
      let key = bytes.span.foldedName(0, bytes.count)
      var slot = FieldNameTable.slot(key)
      while entries[slot].key.first != 0 { slot = (slot + 1) & 255 }
      entries[slot] = Entry(key: key, name: name)
    }
  }

  /// The name that `key` spells.
  @inline(__always)
  func name(_ key: FoldedName) -> FieldName {
    var slot = FieldNameTable.slot(key)
    while true {
      let entry = entries[slot]
      if entry.key.first == key.first, entry.key.second == key.second, entry.key.third == key.third {
        return entry.name
      }
      if entry.key.first == 0 { return .other }
      slot = (slot &+ 1) & 255
    }
  }

  @inline(__always)
  private static func slot(_ key: FoldedName) -> Int {
    let mixed = key.first ^ (key.second << 23 | key.second >> 41) ^ key.third
    return Int(truncatingIfNeeded: (mixed &* 0x9E37_79B9_7F4A_7C15) >> 56)
  }
}

extension Span where Element == UInt8 {
  /// The words of the name of `length` bytes at `start`; all zero when it does not fit.
  func foldedName(_ start: Int, _ length: Int) -> FoldedName {
    guard length <= FoldedName.capacity else { return FoldedName() }
    if start + 24 <= count {
      let words = block(at: start).foldedPrefix(Swift.min(length, 16))
      let third = length > 16 ? lowercasedWord(at: start + 16, length - 16) : 0
      return FoldedName(first: words.first, second: words.second, third: third)
    }
    var key = FoldedName()
    for offset in 0..<length {
      let byte = UInt64(self[start + offset].lowercased) << UInt64((offset & 7) * 8)
      if offset < 8 {
        key.first |= byte
      } else if offset < 16 {
        key.second |= byte
      } else {
        key.third |= byte
      }
    }
    return key
  }
}
