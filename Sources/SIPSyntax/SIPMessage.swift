// RFC 3261 §7: a message as a set of ranges over the bytes it arrived in.

import Synchronization

/// The CSeq value (RFC 3261 §20.16).
public struct CSeqValue: BitwiseCopyable, Sendable {
  /// The sequence number.
  public internal(set) var number: UInt32 = 0
  /// The method, `.other` for one without a case of its own.
  public internal(set) var method = SIPMethod.other
  /// The method's name.
  public internal(set) var methodName = ByteRange.none
  /// The digits.
  public internal(set) var numberRange = ByteRange.none

  /// Nothing read yet.
  public init() {}
}

/// What Max-Forwards says (RFC 3261 §20.22, B13, B16).
public enum MaxForwards: BitwiseCopyable, Hashable, Sendable {
  /// Not there.
  case absent
  /// 0 to 255.
  case value(UInt8)
  /// A number above 255: treated as absent and replaced (B16).
  case tooLarge
}

/// A reusable parsed view of one message.
///
/// It owns nothing but its tables, which are allocated once: parsing allocates nothing. The bytes stay with
/// the caller and are passed again to whatever reads values. Properties are valid after `.wellFormed`; after
/// `.malformed` they hold what could be found, so that a request can still be answered (E19).
public struct SIPMessage: ~Copyable, Sendable {
  /// What `parse` made of the bytes.
  public enum Outcome: Sendable {
    /// Everything that a proxy needs is there and well-formed.
    case wellFormed
    /// SIP, but broken: a request is answered as the defect says, a response is dropped (E20).
    case malformed(Defect)
    /// Not SIP at all: dropped.
    case unrecognisable
    /// Nothing but CR, LF and NUL (D68).
    case keepAlive
  }

  /// Longest header section, start line included (E42).
  public static let headerSectionLimit = 65_536
  /// Longest body on a stream; a datagram bounds its own (D35).
  public static let bodyLimit = 262_144
  /// Longest value of one row (E42).
  public static let valueLimit = 8_192
  /// Rows, and bytes of one value, that a hop may add to a request that was within the limits: its own copy
  /// and the responses to it are read with these on top.
  static let hopAllowance = (rows: 16, bytes: 512)

  /// Whether it is a request.
  public internal(set) var isRequest = false
  /// The request's method.
  public internal(set) var method = SIPMethod.other
  /// The method's name in the request line.
  public internal(set) var methodName = ByteRange.none
  /// The Request-URI.
  public internal(set) var requestURI = ByteRange.none
  /// The Request-URI parsed; nil in a response or when malformed.
  public internal(set) var requestTarget: SIPURI?
  /// `SIP/2.0` as written in the start line; any letter case is read, upper case is to be sent (E1).
  public internal(set) var version = ByteRange.none
  /// Whether it is written in upper case.
  public internal(set) var hasCanonicalVersion = false
  /// The response's status code.
  public internal(set) var status: UInt16 = 0
  /// The response's reason phrase; may be empty (E7).
  public internal(set) var reasonPhrase = ByteRange.none
  /// The start line with its CRLF; starts behind empty lines that preceded the message.
  public internal(set) var startLine = ByteRange.none
  /// Offset of the empty line that ends the header section, where a last row can be inserted.
  public internal(set) var headersEnd = 0
  /// The body: cut at Content-Length (D28), or to the end of the datagram without one (D30).
  public internal(set) var body = ByteRange.none
  /// End of the body: bytes from here on are not part of the message.
  public var messageEnd: Int { body.upperBound }
  /// The topmost Via value. After `.malformed` check `hasTopVia`.
  public internal(set) var topVia = ViaValue()
  /// Whether the transport and sent-by of the topmost Via could be read.
  public var hasTopVia: Bool { topVia.hasSentBy }
  /// The Call-ID, compared byte for byte (E25).
  public internal(set) var callID = ByteRange.none
  /// The CSeq.
  public internal(set) var cSeq = CSeqValue()
  /// The From field.
  public internal(set) var from = NameAddress()
  /// The To field.
  public internal(set) var to = NameAddress()
  /// Max-Forwards of a request; `.absent` in a response (E24).
  public internal(set) var maxForwards = MaxForwards.absent
  /// The digits of Max-Forwards; empty when absent.
  public internal(set) var maxForwardsRange = ByteRange.none

  /// Number of rows.
  public internal(set) var fieldCount = 0

  var fields: [HeaderField]
  var chains = FieldChains()
  var defect: Defect?
  let names = FieldNameTable.standard
  /// Swift passes a struct that holds an atomic by address, and would copy this one, which is large, at every borrow.
  private let inPlace = Atomic<Bool>(false)

  /// A view for messages of at most `rowLimit` rows.
  public init(rowLimit: Int = 512) {
    let rows = min(max(rowLimit, 8), 65_000) + SIPMessage.hopAllowance.rows
    fields = [HeaderField](repeating: .empty, count: rows)
  }

  /// Row `index`, counted from 0 in the order of the message.
  public subscript(field index: Int) -> HeaderField { fields[index] }

  /// Index of the first row of `name`.
  public func first(_ name: FieldName) -> Int? { chains.first(name) }

  /// Index of the next row with the same name as row `index`.
  public func next(after index: Int) -> Int? {
    let next = fields[index].next
    return next == HeaderField.none ? nil : Int(next)
  }

  /// Number of rows of `name`.
  public func count(_ name: FieldName) -> Int { chains.count(name) }

  /// Request or response.
  public var kind: MessageKind { isRequest ? .request(method) : .response(StatusCode(rawValue: status)) }

  /// Keeps the first defect: later ones are often its consequences.
  mutating func note(_ defect: Defect) {
    if self.defect == nil { self.defect = defect }
  }
}
