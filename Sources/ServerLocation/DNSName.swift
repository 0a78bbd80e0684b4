public import SIPSyntax

/// A domain name as this proxy uses them: in URIs, in Via, and as targets of SRV and NAPTR records.
///
/// Lower-case octets without the final dot, so that two spellings of one name are equal (RFC 4343). Only
/// letters, digits, `-`, `_` and `.` are taken: a name with any other octet can be no SIP host, and need
/// never be quoted in a log.
public struct DNSName: Hashable, Sendable {
  /// Octets of the longest name that the DNS can hold, written without its final dot (RFC 1035 §2.3.4).
  public static let maximumLength = 253
  /// The root, which as the target of an SRV record says that there is no such service (RFC 2782).
  public static let root = DNSName(trusted: [])

  /// The octets of the name.
  public let bytes: [UInt8]

  private init(trusted bytes: [UInt8]) { self.bytes = bytes }

  /// Reads the name at `range`; nil for what is no name, such as an empty label or one beyond 63 octets.
  public init?(_ bytes: Span<UInt8>, _ range: ByteRange) {
    guard range.upperBound <= bytes.count else { return nil }
    var end = range.upperBound
    if end > range.lowerBound, bytes[end - 1] == UInt8(ascii: ".") { end -= 1 }
    let count = end - range.lowerBound
    guard count > 0, count <= Self.maximumLength else { return nil }
    var name: [UInt8] = []
    name.reserveCapacity(count)
    var label = 0
    for index in range.lowerBound..<end {
      let byte = bytes[index]
      if byte == UInt8(ascii: ".") {
        guard label > 0 else { return nil }
        label = 0
      } else {
        guard Self.isNameOctet(byte), label < 63 else { return nil }
        label += 1
      }
      name.append(byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte)
    }
    guard label > 0 else { return nil }
    self.init(trusted: name)
  }

  /// Reads a name; `.` is the root.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    if bytes == [UInt8(ascii: ".")] {
      self = .root
    } else {
      self.init(bytes.span, ByteRange(0, bytes.count))
    }
  }

  /// Whether this is the root.
  public var isRoot: Bool { bytes.isEmpty }

  /// This name below two labels, as in `_sip._udp.example.com`; nil when that is too long.
  func prefixed(by labels: String) -> DNSName? {
    let count = labels.utf8.count + 1 + bytes.count
    guard !isRoot, count <= Self.maximumLength else { return nil }
    var name: [UInt8] = []
    name.reserveCapacity(count)
    name.append(contentsOf: labels.utf8)
    name.append(UInt8(ascii: "."))
    name.append(contentsOf: bytes)
    return DNSName(trusted: name)
  }

  private static func isNameOctet(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}

extension DNSName: CustomStringConvertible {
  /// The name as text; the root is `.`.
  public var description: String { isRoot ? "." : String(decoding: bytes, as: UTF8.self) }
}
