/// An address and port that datagrams come from or go to.
public struct SocketAddress: BitwiseCopyable, Hashable, Sendable, CustomStringConvertible {
  /// The address.
  public var ip: IPAddress
  /// The port.
  public var port: UInt16
  /// IPv6 zone (interface index) of a link-local address, else 0; never written into messages.
  public var scope: UInt32

  /// An address, its port and, for link-local IPv6, its zone.
  public init(ip: IPAddress, port: UInt16, scope: UInt32 = 0) {
    self.ip = ip
    self.port = port
    self.scope = scope
  }

  /// Reads `a.b.c.d:port` or `[v6]:port`; nil when the port is missing or out of range.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")), colon > 0,
      bytes[colon - 1] == UInt8(ascii: "]") || bytes.firstIndex(of: UInt8(ascii: ":")) == colon,
      let ip = IPAddress(bytes.span, ByteRange(0, colon)),
      bytes[(colon + 1)...].allSatisfy(\.isDigit),
      let port = UInt16(text.utf8.suffix(bytes.count - colon - 1))
    else { return nil }
    self.init(ip: ip, port: port)
  }

  /// Writes `a.b.c.d:port` or `[v6]:port`.
  public func write(to output: inout OutputBuffer) {
    ip.write(to: &output, bracketed: true)
    output.append(UInt8(ascii: ":"))
    output.append(decimal: UInt64(port))
  }

  /// The form of `write(to:)`.
  public var description: String {
    var output = OutputBuffer(capacity: 56)
    write(to: &output)
    return String(decoding: output.bytes, as: UTF8.self)
  }
}

extension UInt16 {
  fileprivate init?(_ digits: Substring.UTF8View) {
    guard let value = UInt16(Substring(digits)) else { return nil }
    self = value
  }
}

/// A block of addresses in CIDR notation, such as `192.0.2.0/24`.
public struct AddressBlock: Hashable, Sendable, CustomStringConvertible {
  /// The first address of the block, in canonical form.
  public let first: IPAddress
  /// Number of leading bits that addresses of the block share.
  public let prefixLength: Int

  /// Reads `ADDRESS/BITS`, or an address alone, which is a block of one.
  ///
  /// Nil when the address cannot be read, the length is too great, or bits behind the prefix are set
  /// (`192.0.2.7/24` is more likely a mistake than a block).
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let first = parts.first, let address = IPAddress(String(first)) else {
      return nil
    }
    let width = address.family == .v4 ? 32 : 128
    var length = width
    if parts.count == 2 {
      guard parts[1].utf8.allSatisfy(\.isDigit), let bits = Int(parts[1]), bits <= width else { return nil }
      length = bits
    }
    if address.isMapped, length >= 96 { length -= 96 }
    self.first = length <= 32 ? address.canonical : address
    self.prefixLength = length
    guard AddressBlock.masked(self.first, length) == self.first else { return nil }
  }

  /// Whether `address` lies in the block; IPv4-mapped addresses count as IPv4.
  public func contains(_ address: IPAddress) -> Bool {
    let address = address.canonical
    return address.family == first.family && AddressBlock.masked(address, prefixLength) == first
  }

  /// The block in the notation it is read from.
  public var description: String { "\(first)/\(prefixLength)" }

  private static func masked(_ address: IPAddress, _ length: Int) -> IPAddress {
    if address.family == .v4 {
      return IPAddress(v4: length == 0 ? 0 : address.v4 & (.max << UInt32(32 - min(length, 32))))
    }
    let high = length >= 64 ? UInt64.max : length == 0 ? 0 : .max << UInt64(64 - length)
    let low = length <= 64 ? 0 : UInt64.max << UInt64(128 - min(length, 128))
    return IPAddress(v6High: address.high & high, v6Low: address.low & low)
  }
}
