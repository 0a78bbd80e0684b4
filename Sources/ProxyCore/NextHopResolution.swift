// RFC 3261 section 16.6 item 7 and RFC 3263 sections 4.1, 4.2: from a URI to an address (B60, D48–D50, D53).
//
// A numeric host is its own address; a name is what ServerLocation looks up. Broadcast, multicast and unspecified
// addresses are refused (G9, D10).

import SIPSyntax
import ServerLocation

/// Where a URI leads.
enum Resolution {
  case address(SocketAddress, TransportProtocol)
  /// Several addresses that are known already: those of the configured next hop.
  case addresses([ServerTarget])
  /// A host name, to be looked up.
  case name(Destination)
  /// A transport that no listener speaks.
  case unsupportedTransport
  /// An address no SIP request may be sent to.
  case forbidden
}

extension Resolution {
  /// Resolves a URI; one whose maddr named us is read without maddr, port and transport (B29). With a sips
  /// Request-URI every URI counts as sips (B60).
  init(_ uri: SIPURI, _ bytes: Span<UInt8>, isSecure: Bool, ignoringMaddr: Bool, own: OwnAddresses) {
    guard uri.scheme == .sip || uri.scheme == .sips else {
      self = .unsupportedTransport
      return
    }
    var asked: TransportProtocol?
    if let token = uri.transport, !ignoringMaddr {
      guard let known = TransportProtocol(bytes, token), !(isSecure && known == .udp) else {
        self = .unsupportedTransport
        return
      }
      asked = known
    }
    // TLS is what sips asks for over TCP (D50, G36).
    if isSecure, asked != nil { asked = .tls }
    let host: ByteRange
    let numeric: IPAddress?
    if let maddr = uri.maddr, !ignoringMaddr {  // D48
      (host, numeric) = (maddr, IPAddress(bytes, maddr))
    } else {
      (host, numeric) = (uri.host, uri.hostAddress)
    }
    let port = ignoringMaddr ? nil : uri.port
    guard let ip = numeric?.canonical else {
      guard let name = DNSName(bytes, host) else {
        self = .unsupportedTransport
        return
      }
      self = .name(Destination(host: name, port: port, transport: asked, isSecure: isSecure))
      return
    }
    // D50: UDP for sip, TLS for sips; without a UDP listener TCP is all that is left.
    let usual: TransportProtocol = isSecure ? .tls : own.speaksUDP(to: ip) ? .udp : .tcp
    let transport = asked ?? usual
    self = Resolution(SocketAddress(ip: ip, port: port ?? transport.defaultPort), transport)
  }

  /// An address, unless no SIP request may be sent to it.
  init(_ address: SocketAddress, _ transport: TransportProtocol) {
    let ip = address.ip
    if ip.isMulticast || ip.isBroadcast || ip.isUnspecified || address.port == 0 {
      self = .forbidden
    } else {
      self = .address(address, transport)
    }
  }
}

/// The configured next hop, with the addresses that are known to be its own.
struct ConfiguredNextHop {
  /// The URI that is pushed as a Route value.
  let uri: [UInt8]
  /// Where it leads.
  let resolution: Resolution
  /// Where it leads a request with a sips Request-URI (B60).
  let secureResolution: Resolution
  /// Its host, for the certificate that it must show.
  let host: ByteRange
  /// What its first look-up waits for.
  var location: LocationID?
  private var addresses: [SocketAddress]
  private static let addressLimit = 256

  init(_ configured: NextHop?, own: OwnAddresses) {
    guard let configured, let uri = SIPURI(parsing: configured.uri.span, ByteRange(0, configured.uri.count))
    else {
      self.uri = []
      resolution = .unsupportedTransport
      secureResolution = .unsupportedTransport
      host = .none
      addresses = []
      return
    }
    self.uri = configured.uri
    host = uri.host
    addresses = configured.addresses
    resolution = Self.resolve(uri, configured, isSecure: uri.scheme == .sips, own: own)
    secureResolution = Self.resolve(uri, configured, isSecure: true, own: own)
    if case .address(let address, _) = resolution, !addresses.contains(address) { addresses.append(address) }
  }

  private static func resolve(
    _ uri: SIPURI, _ configured: NextHop, isSecure: Bool, own: OwnAddresses
  ) -> Resolution {
    let written = Resolution(
      uri, configured.uri.span, isSecure: isSecure, ignoringMaddr: false, own: own)
    guard case .name(let destination) = written, !configured.addresses.isEmpty else { return written }
    let transport = destination.transport ?? (destination.isSecure ? .tls : .udp)
    return .addresses(configured.addresses.map { ServerTarget(transport: transport, address: $0) })
  }

  /// Whether `--next-hop` was given.
  var exists: Bool { !uri.isEmpty }

  /// Whether a request comes from the next hop itself. Hosts behind one NAT, or on one machine, share an address:
  /// the port decides, of the packet or of Via.
  func sent(from source: SocketAddress, over transport: TransportProtocol, _ via: ViaValue) -> Bool {
    addresses.contains { address in
      address.ip.canonical == source.ip.canonical
        && (address.port == source.port || address.port == via.port ?? transport.defaultPort)
    }
  }

  /// Remembers what the DNS says about it; addresses of the past count for a while, until there are too many.
  mutating func learn(_ targets: [ServerTarget]) {
    for target in targets where !addresses.contains(target.address) {
      if addresses.count == Self.addressLimit { addresses.removeFirst() }
      addresses.append(target.address)
    }
  }
}
