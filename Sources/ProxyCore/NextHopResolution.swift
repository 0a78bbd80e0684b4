// RFC 3261 section 16.6 item 7 and RFC 3263 sections 4.1, 4.2: from a URI to an address (B60, D48–D50, D53).
//
// Here only numeric hosts have an address; a name has none. Broadcast, multicast and unspecified
// addresses are refused (G9, D10).

import SIPSyntax

/// Where a URI leads.
enum Resolution: Equatable {
  case address(SocketAddress, TransportProtocol)
  /// A host name, which cannot be looked up.
  case name
  /// A transport that no listener speaks, or a sips URI without TLS.
  case unsupportedTransport
  /// An address no SIP request may be sent to.
  case forbidden
}

extension Resolution {
  /// Resolves a URI; one whose maddr named us is read without maddr, port and transport (B29).
  init(_ uri: SIPURI, _ bytes: Span<UInt8>, ignoringMaddr: Bool) {
    guard uri.scheme == .sip else {
      self = .unsupportedTransport
      return
    }
    if let transport = uri.transport, !ignoringMaddr, !bytes.equalsIgnoringCase(transport, "udp") {
      self = .unsupportedTransport
      return
    }
    let numeric: IPAddress?
    if let maddr = uri.maddr, !ignoringMaddr {
      numeric = IPAddress(bytes, maddr)
    } else {
      numeric = uri.hostAddress
    }
    guard let ip = numeric else {
      self = .name
      return
    }
    self = Resolution(SocketAddress(ip: ip.canonical, port: ignoringMaddr ? 5060 : uri.port ?? 5060))
  }

  init(_ address: SocketAddress) {
    let ip = address.ip
    if ip.isMulticast || ip.isBroadcast || ip.isUnspecified || address.port == 0 {
      self = .forbidden
    } else {
      self = .address(address, .udp)
    }
  }
}
