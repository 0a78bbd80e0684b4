public import SIPSyntax

/// The kinds of records that lead to a SIP server (RFC 3263 §4).
public enum DNSRecordType: UInt8, CaseIterable, Sendable {
  case a, aaaa, srv, naptr
}

/// What the edge is to ask the DNS.
public struct DNSQuestion: Hashable, Sendable, CustomStringConvertible {
  /// The name asked about.
  public let name: DNSName
  /// The kind of records wanted.
  public let type: DNSRecordType

  /// A question for the records of one type at one name.
  public init(name: DNSName, type: DNSRecordType) {
    self.name = name
    self.type = type
  }

  /// Name and type, as in `example.com NAPTR`.
  public var description: String { "\(name) \("\(type)".uppercased())" }
}

/// One record of an answer.
public enum DNSRecord: Hashable, Sendable {
  /// The address of an A or AAAA record.
  case address(IPAddress)
  /// An SRV record (RFC 2782); a root `target` says that there is no such service.
  case srv(priority: UInt16, weight: UInt16, port: UInt16, target: DNSName)
  /// A NAPTR record without a regular expression (RFC 3403 §4.1, RFC 3263 §4.1).
  case naptr(order: UInt16, preference: UInt16, flags: String, service: String, replacement: DNSName)
}

/// What the DNS said; aliases have been followed.
public enum DNSAnswer: Hashable, Sendable {
  /// Records of the type asked for, good for that many seconds.
  case records([DNSRecord], timeToLive: UInt32)
  /// There is no such name, or it has no such records.
  case none(timeToLive: UInt32)
  /// Nothing was learnt: SERVFAIL, refused, malformed, or silence.
  case failure
}
