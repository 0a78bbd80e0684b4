import SIPSyntax

/// `--next-hop`: a request's way out that no Route names.
struct NextHopTarget: Equatable, Sendable {
  /// The URI to push, with `lr`.
  var uri: String
  /// Its host.
  var host: HostPort
  /// The transport it demands; nil when the lookup decides, which for an address means UDP (RFC 3263 §4.1).
  var transport: TransportProtocol?

  /// Reads a SIP or SIPS URI.
  init(_ setting: Setting) throws(CommandError) {
    let bytes = Array(setting.value.utf8)
    guard let uri = SIPURI(parsing: bytes.span, ByteRange(0, bytes.count)), uri.headers == nil,
      uri.scheme == .sip || uri.scheme == .sips
    else { throw setting.illegal }
    func text(_ range: ByteRange) -> String {
      String(decoding: bytes[range.lowerBound..<range.upperBound], as: UTF8.self)
    }
    guard var host = HostPort(text(uri.host)), uri.port != 0 else { throw setting.illegal }
    host.port = uri.port
    let name = uri.transport.map { text($0).lowercased() }
    switch (uri.scheme, name) {
    case (.sips, nil), (.sips, "tcp"): transport = .tls
    case (_, "udp"?) where uri.scheme == .sip: transport = .udp
    case (_, "tcp"?): transport = .tcp
    case (_, nil): transport = nil
    // B53: it would have to be written into the Route.
    case (_, "tls"?): throw setting.refused("transport=tls is no longer written; use a sips URI")
    case (_, let name?):
      throw setting.refused("\(printable(name)) cannot be used; use tcp, or a sips URI for TLS")
    }
    self.uri = uri.hasLR ? setting.value : setting.value + ";lr"
    self.host = host
  }

  /// The address and port, when the host is an address.
  var address: SocketAddress? {
    host.address.map { SocketAddress(ip: $0, port: host.port ?? (transport ?? .udp).defaultPort) }
  }
}
