// RFC 3261 sections 16.4, 18.1.1 and 19.1.4; RFC 5954 section 4.2: what counts as "this proxy" (B33, D8, D63).

import SIPSyntax
import ServerLocation

/// Decides whether a host and port mean us, and writes the ones we go by.
struct OwnAddresses {
  private let listeners: [Listener]
  private var names: [OwnName]
  private var numericNames: [(ip: IPAddress, port: UInt16?)] = []
  private var localAddresses: [IPAddress]
  /// Bound on addresses learnt while running, for a host whose interfaces come and go.
  private static let localAddressLimit = 1024

  init(listeners: [Listener], names: [OwnName], localAddresses: [IPAddress]) {
    self.listeners = listeners
    self.localAddresses = localAddresses.map(\.canonical)
    self.names = names
    for listener in listeners {
      guard let host = listener.advertisedHost else { continue }
      self.names.append(OwnName(host: host, port: listener.advertisedPort ?? listener.bound.port))
    }
    for name in self.names {
      let host = ByteRange(0, name.host.count)
      if let ip = IPAddress(name.host.span, host) { numericNames.append((ip.canonical, name.port)) }
    }
  }

  /// Remembers an address that packets reached us at.
  mutating func learn(_ address: IPAddress) {
    let address = address.canonical
    guard !address.isUnspecified, localAddresses.count < Self.localAddressLimit,
      !localAddresses.contains(address)
    else { return }
    localAddresses.append(address)
  }

  /// Whether a URI addresses us: host, port and transport (B33). Cost: linear in our few names.
  func contains(_ uri: SIPURI, in bytes: Span<UInt8>) -> Bool {
    let defaultPort: UInt16 = uri.scheme == .sips ? 5061 : 5060
    let wanted = transport(of: uri, in: bytes)
    if let transport = wanted, transport.isUnknown { return false }
    // B37, D48: maddr, when there is one, is where the URI leads.
    let address = uri.maddr.map { IPAddress(bytes, $0) } ?? uri.hostAddress
    return contains(
      host: uri.maddr ?? uri.host, ip: address, port: uri.port, defaultPort: defaultPort,
      transport: wanted?.known, in: bytes)
  }

  /// Whether an address and port are one of our sockets.
  func contains(_ address: SocketAddress, over transport: TransportProtocol) -> Bool {
    listenerIndex(ip: address.ip.canonical, port: address.port, transport: transport) != nil
  }

  /// Whether a host and port mean us. `ip` is the host when it is numeric.
  func contains(
    host: ByteRange, ip: IPAddress?, port: UInt16?, defaultPort: UInt16, transport: TransportProtocol?,
    in bytes: Span<UInt8>
  ) -> Bool {
    if let ip = ip?.canonical {
      if listenerIndex(ip: ip, port: port ?? defaultPort, transport: transport) != nil { return true }
      return numericNames.contains { $0.ip == ip && matches(port, $0.port, defaultPort) }
    }
    return names.contains { name in
      matches(port, name.port, defaultPort) && bytes.equalsIgnoringCase(host, name.host.span)
    }
  }

  private func matches(_ port: UInt16?, _ own: UInt16?, _ defaultPort: UInt16) -> Bool {
    if let own { return port ?? defaultPort == own }
    guard let port else { return true }
    return listeners.contains { $0.bound.port == port }
  }

  private func listenerIndex(ip: IPAddress, port: UInt16, transport: TransportProtocol?) -> Int? {
    listeners.firstIndex { listener in
      guard listener.bound.port == port, transport == nil || transport == listener.transport else {
        return false
      }
      let bound = listener.bound.ip.canonical
      return bound == ip || (bound.isUnspecified && bound.family == ip.family && localAddresses.contains(ip))
    }
  }

  private func transport(of uri: SIPURI, in bytes: Span<UInt8>) -> (
    known: TransportProtocol?, isUnknown: Bool
  )? {
    guard let transport = uri.transport else { return nil }
    if bytes.equalsIgnoringCase(transport, "udp") { return (.udp, false) }
    if bytes.equalsIgnoringCase(transport, "tcp") { return (.tcp, false) }
    if bytes.equalsIgnoringCase(transport, "tls") { return (.tls, false) }
    return (nil, true)
  }

  /// The listener that can send to a peer: the preferred one when it has the family, else the first.
  func listener(for ip: IPAddress, over transport: TransportProtocol, preferring index: UInt16) -> UInt16? {
    let family = ip.canonical.family
    func fits(_ listener: Listener) -> Bool {
      listener.transport == transport && listener.bound.ip.canonical.family == family
    }
    if Int(index) < listeners.count, fits(listeners[Int(index)]) { return index }
    return listeners.firstIndex(where: fits).map { UInt16(truncatingIfNeeded: $0) }
  }

  /// Whether a datagram can be sent to an address.
  func speaksUDP(to ip: IPAddress) -> Bool { listener(for: ip, over: .udp, preferring: 0) != nil }

  /// What can be spoken at all, for the choice of servers behind a name (D49–D52).
  var supportedTransports: SupportedTransports {
    listeners.reduce(into: []) { all, listener in
      all.insert(SupportedTransports(listener.transport, listener.bound.ip.canonical.family))
    }
  }

  /// Appends the host and port by which peers on a flow know us: Via sent-by (D8, B56).
  func writeHostPort(of flow: Flow, to output: inout OutputBuffer) {
    guard Int(flow.listener) < listeners.count else { return }
    let listener = listeners[Int(flow.listener)]
    if let host = listener.advertisedHost {
      output.append(host.span)
    } else {
      let ip = listener.bound.ip.isUnspecified ? flow.local : listener.bound.ip
      ip.write(to: &output, bracketed: true)
    }
    output.append(UInt8(ascii: ":"))
    output.append(decimal: UInt64(listener.advertisedPort ?? listener.bound.port))
  }

  /// Whether two flows show peers the same host and port, so that one Record-Route serves both (B54).
  func sameHostPort(_ left: Flow, _ right: Flow) -> Bool {
    guard Int(left.listener) < listeners.count, Int(right.listener) < listeners.count else { return false }
    let (one, other) = (listeners[Int(left.listener)], listeners[Int(right.listener)])
    guard one.advertisedPort ?? one.bound.port == other.advertisedPort ?? other.bound.port else {
      return false
    }
    if one.advertisedHost != nil || other.advertisedHost != nil {
      return one.advertisedHost == other.advertisedHost
    }
    return ownAddress(of: left, one) == ownAddress(of: right, other)
  }

  /// The address that stands for us on a flow when no name is advertised.
  private func ownAddress(of flow: Flow, _ listener: Listener) -> IPAddress {
    (listener.bound.ip.isUnspecified ? flow.local : listener.bound.ip).canonical
  }

  /// Whether answers on a listener need the local address written down (a wildcard listener).
  func isWildcard(_ index: UInt16) -> Bool {
    Int(index) < listeners.count && listeners[Int(index)].bound.ip.isUnspecified
  }

  /// Transport of a listener; UDP for an index that is none.
  func transport(of index: UInt16) -> TransportProtocol {
    Int(index) < listeners.count ? listeners[Int(index)].transport : .udp
  }

  /// Whether a listener index (from a token) exists.
  func hasListener(_ index: UInt16) -> Bool { Int(index) < listeners.count }
}

extension Span<UInt8> {
  /// Whether the octets of a range equal a lower-case text, in any letter case.
  func equalsIgnoringCase(_ range: ByteRange, _ text: Span<UInt8>) -> Bool {
    guard range.count == text.count, range.upperBound <= count else { return false }
    for offset in 0..<text.count {
      let byte = self[range.lowerBound + offset]
      let lower = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
      if lower != text[offset] { return false }
    }
    return true
  }
}
