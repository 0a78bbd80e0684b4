// RFC 3261 sections 16.4, 18.1.1 and 19.1.4; RFC 5954 section 4.2: what counts as "this proxy" (B33, D8, D63).

import SIPSyntax
import ServerLocation
import Timekeeping

/// Decides whether a host and port mean us, and writes the ones we go by.
struct OwnAddresses {
  /// A name we go by, and where it counts.
  private struct Name {
    let host: [UInt8]
    /// The host when it is numeric.
    let ip: IPAddress?
    /// The only port meant; nil means every port we listen on, and none given.
    let port: UInt16?
    /// The only transport meant, if any.
    let transport: TransportProtocol?
  }

  /// What the path of a message asks of a listener, without references.
  fileprivate struct Place: BitwiseCopyable {
    let transport: TransportProtocol
    /// Bound address, compared in binary.
    let ip: IPAddress
    let port: UInt16
    /// Written beside the host.
    let visiblePort: UInt16
    let isNamed: Bool
    /// Host and port as peers see them, in ``visible``; empty for a wildcard that goes by the address of each flow.
    let hostPort: ByteRange
    /// The host alone, where its SRV records are to count; empty elsewhere.
    let serviceHost: ByteRange
  }

  private let places: [Place]
  private let visible: [UInt8]
  private var names: [Name] = []
  private var localAddresses: [IPAddress]
  /// Names whose every address was found to be ours, and until when that is believed.
  private var locatedNames: [(name: Name, until: MonotonicInstant)] = []
  private static let locatedNameLimit = 64
  private static let locatedNameLifetime = TimeSpan.seconds(60)
  /// Bound on addresses learnt while running, for a host whose interfaces come and go.
  private static let localAddressLimit = 1024

  init(listeners: [Listener], names: [OwnName], localAddresses: [IPAddress]) {
    var visible = OutputBuffer(capacity: 64 * listeners.count)
    places = listeners.map { Place($0, visible: &visible) }
    self.visible = visible.bytes
    self.localAddresses = localAddresses.map(\.canonical)
    for name in names { add(name.host, name.port, nil) }
    for listener in listeners {
      guard let host = listener.advertisedHost else { continue }
      add(host, listener.advertisedPort ?? listener.bound.port, listener.transport)
    }
  }

  private mutating func add(_ host: [UInt8], _ port: UInt16?, _ transport: TransportProtocol?) {
    let ip = IPAddress(host.span, ByteRange(0, host.count))?.canonical
    names.append(Name(host: host, ip: ip, port: port, transport: transport))
  }

  /// Remembers an address that packets reached us at.
  mutating func learn(_ address: IPAddress) {
    let address = address.canonical
    guard !address.isUnspecified, localAddresses.count < Self.localAddressLimit,
      !localAddresses.contains(address)
    else { return }
    localAddresses.append(address)
  }

  /// Remembers for a minute that a name resolves to us: then it is us, as an alias would be.
  mutating func learn(_ name: DNSName, at now: MonotonicInstant) {
    if locatedNames.count == Self.locatedNameLimit { locatedNames.removeFirst() }
    let located = Name(host: name.bytes, ip: nil, port: nil, transport: nil)
    locatedNames.append((located, now + Self.locatedNameLifetime))
  }

  /// Whether a name is known to resolve to us.
  func knows(_ name: DNSName) -> Bool { locatedNames.contains { $0.name.host == name.bytes } }

  /// Forgets names that were learnt a while ago, so that the DNS is asked again.
  mutating func forgetNames(at now: MonotonicInstant) {
    guard let oldest = locatedNames.first, oldest.until <= now else { return }
    locatedNames.removeAll { $0.until <= now }
  }

  /// Whether a URI addresses us: host, port and transport (B33). Without a transport a sip URI means any that we
  /// speak; sips means TLS. Cost: linear in our few names.
  func contains(_ uri: SIPURI, in bytes: Span<UInt8>) -> Bool {
    var transport: TransportProtocol? = uri.scheme == .sips ? .tls : nil
    if let token = uri.transport {
      guard let written = TransportProtocol(bytes, token), uri.scheme != .sips || written != .udp else {
        return false
      }
      transport = uri.scheme == .sips ? .tls : written
    }
    // B37, D48: maddr, when there is one, is where the URI leads.
    let address = uri.maddr.map { IPAddress(bytes, $0) } ?? uri.hostAddress
    return contains(
      host: uri.maddr ?? uri.host, ip: address, port: uri.port, transport: transport, in: bytes)
  }

  /// Whether an address and port are one of our sockets.
  func contains(_ address: SocketAddress, over transport: TransportProtocol) -> Bool {
    listenerIndex(ip: address.ip.canonical, port: address.port, transport: transport) != nil
  }

  /// Whether a host and port mean us, over a transport or over any. `ip` is the host when it is numeric.
  func contains(
    host: ByteRange, ip: IPAddress?, port: UInt16?, transport: TransportProtocol?, in bytes: Span<UInt8>
  ) -> Bool {
    let meant = port ?? (transport ?? .udp).defaultPort
    if let ip = ip?.canonical {
      if listenerIndex(ip: ip, port: meant, transport: transport) != nil { return true }
      return names.contains { $0.ip == ip && serves($0, port, meant, transport) }
    }
    func isMeant(_ name: Name) -> Bool {
      serves(name, port, meant, transport) && bytes.equalsIgnoringCase(host, name.host.span)
    }
    return names.contains(where: isMeant) || locatedNames.contains { isMeant($0.name) }
  }

  private func serves(
    _ name: Name, _ written: UInt16?, _ meant: UInt16, _ transport: TransportProtocol?
  ) -> Bool {
    if let own = name.port, own != meant { return false }
    if let own = name.transport { return transport == nil || transport == own }
    if transport == nil, name.port != nil || written == nil { return true }
    return places.contains { place in
      (transport == nil || transport == place.transport)
        && (name.port != nil || written == nil || written == place.port)
    }
  }

  private func listenerIndex(ip: IPAddress, port: UInt16, transport: TransportProtocol?) -> Int? {
    places.firstIndex { place in
      guard place.port == port, transport == nil || transport == place.transport else { return false }
      return place.ip == ip
        || (place.ip.isUnspecified && place.ip.family == ip.family && localAddresses.contains(ip))
    }
  }

  /// The listener that can send to a peer: the preferred one when it has the family, else one on the same address,
  /// else the first.
  func listener(for ip: IPAddress, over transport: TransportProtocol, preferring index: UInt16) -> UInt16? {
    let family = ip.canonical.family
    func fits(_ place: Place) -> Bool { place.transport == transport && place.ip.family == family }
    if Int(index) < places.count {
      if fits(places[Int(index)]) { return index }
      let address = places[Int(index)].ip
      if let beside = places.firstIndex(where: { fits($0) && $0.ip == address }) {
        return UInt16(truncatingIfNeeded: beside)
      }
    }
    return places.firstIndex(where: fits).map { UInt16(truncatingIfNeeded: $0) }
  }

  /// Whether a datagram can be sent to an address.
  func speaksUDP(to ip: IPAddress) -> Bool { listener(for: ip, over: .udp, preferring: 0) != nil }

  /// What can be spoken at all, for the choice of servers behind a name (D49–D52).
  var supportedTransports: SupportedTransports {
    places.reduce(into: []) { all, place in
      all.insert(SupportedTransports(place.transport, place.ip.family))
    }
  }

  /// Appends the host and port by which peers on a flow know us: Via sent-by (D8, B56).
  func writeHostPort(of flow: Flow, to output: inout OutputBuffer) {
    guard Int(flow.listener) < places.count else { return }
    let place = places[Int(flow.listener)]
    guard place.hostPort.isEmpty else { return output.append(visible.span, place.hostPort) }
    flow.local.write(to: &output, bracketed: true)
    output.append(UInt8(ascii: ":"))
    output.append(decimal: UInt64(place.visiblePort))
  }

  /// Appends the host by which later requests find us, with the port unless it is the usual one of a name: without
  /// it the name's SRV records count, which may lead to a stand-in (D58).
  func writeRouteHost(of flow: Flow, to output: inout OutputBuffer) {
    guard Int(flow.listener) < places.count else { return }
    let host = places[Int(flow.listener)].serviceHost
    guard !host.isEmpty else { return writeHostPort(of: flow, to: &output) }
    output.append(visible.span, host)
  }

  /// Whether two flows show peers the same host, port and transport, so that one Record-Route serves both (B54).
  func showSameAddress(_ left: Flow, _ right: Flow) -> Bool {
    guard Int(left.listener) < places.count, Int(right.listener) < places.count else { return false }
    let (one, other) = (places[Int(left.listener)], places[Int(right.listener)])
    guard one.transport == other.transport, one.visiblePort == other.visiblePort, one.isNamed == other.isNamed
    else { return false }
    if one.isNamed { return visible.span.equal(one.hostPort, other.hostPort) }
    return ownAddress(of: left, one) == ownAddress(of: right, other)
  }

  /// The address that stands for us on a flow when no name is advertised.
  private func ownAddress(of flow: Flow, _ place: Place) -> IPAddress {
    place.ip.isUnspecified ? flow.local.canonical : place.ip
  }

  /// Whether answers on a listener need the local address written down (a wildcard listener).
  func isWildcard(_ index: UInt16) -> Bool {
    Int(index) < places.count && places[Int(index)].ip.isUnspecified
  }

  /// Transport of a listener; UDP for an index that is none.
  func transport(of index: UInt16) -> TransportProtocol {
    Int(index) < places.count ? places[Int(index)].transport : .udp
  }

  /// Whether we listen on a transport at all.
  func speaks(_ transport: TransportProtocol) -> Bool {
    places.contains { $0.transport == transport }
  }

  /// Whether a listener index (from a token) exists.
  func hasListener(_ index: UInt16) -> Bool { Int(index) < places.count }
}

extension OwnAddresses.Place {
  /// Notes a listener, and writes its names behind those that are in `visible`.
  init(_ listener: Listener, visible: inout OutputBuffer) {
    transport = listener.transport
    ip = listener.bound.ip.canonical
    port = listener.bound.port
    visiblePort = listener.advertisedPort ?? listener.bound.port
    isNamed = listener.advertisedHost != nil
    let start = visible.count
    if let host = listener.advertisedHost {
      visible.append(host.span)
    } else if !ip.isUnspecified {
      listener.bound.ip.write(to: &visible, bracketed: true)
    }
    let end = visible.count
    if end > start {
      visible.append(UInt8(ascii: ":"))
      visible.append(decimal: UInt64(visiblePort))
    }
    hostPort = ByteRange(start, visible.count)
    let isService =
      isNamed && listener.advertisedPort == nil && port == transport.defaultPort
      && IPAddress(visible.bytes.span, ByteRange(start, end)) == nil
    serviceHost = isService ? ByteRange(start, end) : .none
  }
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
