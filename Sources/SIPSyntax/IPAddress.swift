// Numeric addresses as they stand in URIs and Via (RFC 3261 §25.1 with RFC 5954; RFC 5118).
// Left open by the RFCs: how far to follow the old grammar. We read its three-colon form (D62) and the
// bare form in `received` (D14), and write the one form of RFC 5952.

/// An IPv4 or IPv6 address in binary, so that two spellings of one address are equal (D63).
public struct IPAddress: BitwiseCopyable, Hashable, Sendable {
  /// The two versions of the Internet Protocol.
  public enum Family: UInt8, BitwiseCopyable, Sendable { case v4, v6 }

  /// First eight bytes of an IPv6 address; 0 for IPv4.
  public let high: UInt64
  /// Last eight bytes of an IPv6 address, or the IPv4 address, in host order.
  public let low: UInt64
  /// The version.
  public let family: Family

  /// An IPv4 address given in host order.
  public init(v4: UInt32) {
    high = 0
    low = UInt64(v4)
    family = .v4
  }

  /// An IPv6 address given as two halves in host order.
  public init(v6High: UInt64, v6Low: UInt64) {
    high = v6High
    low = v6Low
    family = .v6
  }

  /// The IPv4 address in host order; meaningful when `family` is `.v4`.
  public var v4: UInt32 { UInt32(truncatingIfNeeded: low) }

  /// `::ffff:a.b.c.d`.
  public var isMapped: Bool { family == .v6 && high == 0 && low >> 32 == 0xFFFF }

  /// The address to compare by: an IPv4-mapped address as IPv4, any other as it is.
  public var canonical: IPAddress { isMapped ? IPAddress(v4: v4) : self }

  /// 127.0.0.0/8 or ::1.
  public var isLoopback: Bool {
    let address = canonical
    return address.family == .v4 ? address.v4 >> 24 == 127 : address.high == 0 && address.low == 1
  }

  /// 10/8, 172.16/12, 192.168/16 or the unique local fc00::/7.
  public var isPrivate: Bool {
    let address = canonical
    guard address.family == .v4 else { return address.high >> 57 == 0x7E }
    return address.v4 >> 24 == 10 || address.v4 >> 20 == 0xAC1 || address.v4 >> 16 == 0xC0A8
  }

  /// 169.254/16 or fe80::/10.
  public var isLinkLocal: Bool {
    let address = canonical
    return address.family == .v4 ? address.v4 >> 16 == 0xA9FE : address.high >> 54 == 0x3FA
  }

  /// 224/4 or ff00::/8.
  public var isMulticast: Bool {
    let address = canonical
    return address.family == .v4 ? address.v4 >> 28 == 14 : address.high >> 56 == 0xFF
  }

  /// 255.255.255.255.
  public var isBroadcast: Bool {
    let address = canonical
    return address.family == .v4 && address.v4 == .max
  }

  /// 0.0.0.0 or ::.
  public var isUnspecified: Bool { canonical.high == 0 && canonical.low == 0 }

  /// Writes the address: IPv4 dotted, IPv6 in the form of RFC 5952, in brackets if asked (B56).
  public func write(to output: inout OutputBuffer, bracketed: Bool) {
    guard family == .v6 else {
      output.append(dotted: v4)
      return
    }
    if bracketed { output.append(UInt8(ascii: "[")) }
    writeGroups(to: &output)
    if bracketed { output.append(UInt8(ascii: "]")) }
  }

  private func group(_ index: Int) -> UInt64 {
    ((index < 4 ? high : low) >> UInt64(48 - 16 * (index & 3))) & 0xFFFF
  }

  private func writeGroups(to output: inout OutputBuffer) {
    let groups = isMapped ? 6 : 8
    var bestStart = groups
    var bestLength = 1  // one zero group alone is not compressed
    var index = 0
    while index < groups {
      let start = index
      while index < groups, group(index) == 0 { index += 1 }
      if index - start > bestLength { (bestStart, bestLength) = (start, index - start) }
      index += 1
    }
    index = 0
    while index < groups {
      if index == bestStart {
        output.append("::")
        index += bestLength
        continue
      }
      if index > 0, index != bestStart + bestLength { output.append(UInt8(ascii: ":")) }
      let value = group(index)
      output.append(hexadecimal: value, digits: value > 0xFFF ? 4 : value > 0xFF ? 3 : value > 0xF ? 2 : 1)
      index += 1
    }
    if isMapped {
      output.append(UInt8(ascii: ":"))
      output.append(dotted: v4)
    }
  }
}

extension IPAddress: CustomStringConvertible {
  /// The address as text, without brackets.
  public var description: String {
    var output = OutputBuffer(capacity: 48)
    write(to: &output, bracketed: false)
    return String(decoding: output.bytes, as: UTF8.self)
  }
}

extension OutputBuffer {
  /// Appends an IPv4 address given in host order as a dotted quad.
  mutating func append(dotted address: UInt32) {
    append(decimal: UInt64(address >> 24))
    for shift: UInt32 in [16, 8, 0] {
      append(UInt8(ascii: "."))
      append(decimal: UInt64((address >> shift) & 0xFF))
    }
  }
}
