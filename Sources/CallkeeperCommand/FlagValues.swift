import SIPSyntax

/// A host and a port as flags name them.
struct HostPort: Equatable, Sendable {
  /// Name or address, an IPv6 address without its brackets.
  var host: String
  /// The port; nil when none is named.
  var port: UInt16?

  /// The address, when the host is one.
  var address: IPAddress? { IPAddress(host) }

  /// The interface of a link-local address, as in `[fe80::1%eth0]` (RFC 4007 §11); nil when none is named.
  var zone: String?

  /// Reads `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT`; nil for anything else.
  ///
  /// A zone means something on this host only: it is read where an address of this host is meant.
  init?(_ text: String, allowingZone: Bool = false) {
    var text = text[...]
    if text.first == "[" {
      guard let end = text.firstIndex(of: "]") else { return nil }
      host = String(text[text.index(after: text.startIndex)..<end])
      if allowingZone, let sign = host.firstIndex(of: "%") {
        let name = host[host.index(after: sign)...]
        host = String(host[..<sign])
        guard !name.isEmpty, name.utf8.count < 16, IPAddress(host)?.isLinkLocal == true else { return nil }
        zone = String(name)
      }
      guard IPAddress(host)?.family == .v6 else { return nil }
      text = text[text.index(after: end)...]
    } else {
      let end = text.firstIndex(of: ":") ?? text.endIndex
      host = String(text[..<end])
      text = text[end...]
      guard HostPort.isName(host) else { return nil }
    }
    if text.isEmpty { return }
    guard text.first == ":", let number = decimalNumber(text.dropFirst()), let port = UInt16(exactly: number)
    else { return nil }
    self.port = port
  }

  /// Letters, digits, hyphens and dots; what is all digits and dots must be an address.
  private static func isName(_ text: String) -> Bool {
    let isLegal = text.utf8.allSatisfy { letter in
      switch letter {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
        true
      default: false
      }
    }
    let isNumeric = text.utf8.allSatisfy { $0 == UInt8(ascii: ".") || $0 & 0xF0 == 0x30 }
    return isLegal && !text.isEmpty && text.utf8.count <= 253 && (!isNumeric || IPAddress(text) != nil)
  }
}

/// The number that all of `text` is in decimal digits.
func decimalNumber(_ text: Substring) -> UInt64? {
  guard !text.isEmpty, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else {
    return nil
  }
  return UInt64(text)
}

extension Setting {
  /// The value as a number of the legal range.
  func number(_ range: ClosedRange<UInt64>) throws(CommandError) -> UInt64 {
    guard let number = decimalNumber(value[...]), range.contains(number) else { throw illegal }
    return number
  }

  /// The value of a switch.
  func isOn() throws(CommandError) -> Bool {
    switch value.lowercased() {
    case "true", "yes", "on", "1": return true
    case "false", "no", "off", "0": return false
    default: throw illegal
    }
  }

  /// The value split at a leading transport name; nil when it begins with none that we know.
  func transportAndRest() -> (transport: TransportProtocol?, rest: String) {
    let parts = value.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return (nil, value) }
    let name = parts[0].lowercased()
    for transport in TransportProtocol.allCases where name == "\(transport)" {
      return (transport, String(parts[1]))
    }
    return (nil, value)
  }

  /// The value as a numeric address of a server, with `defaultPort` when it names none.
  func serverAddress(defaultPort: UInt16) throws(CommandError) -> SocketAddress {
    // An IPv6 address may stand without brackets when no port follows.
    if let address = IPAddress(value) { return SocketAddress(ip: address, port: defaultPort) }
    guard let host = HostPort(value), let address = host.address, host.port != 0 else { throw illegal }
    return SocketAddress(ip: address, port: host.port ?? defaultPort)
  }
}
