// What `--listen`, `--advertise` and the TLS flags say, and what follows from them for the sockets (D1, D2).

import SIPSyntax

/// One `--listen`, as it was asked for.
struct ListenRequest: Equatable, Sendable {
  /// The transport.
  var transport: TransportProtocol
  /// Host and port.
  var host: HostPort

  /// A listener of this transport there.
  init(transport: TransportProtocol, host: HostPort) {
    self.transport = transport
    self.host = host
  }

  /// Reads `TRANSPORT:HOST:PORT`.
  init(_ setting: Setting) throws(CommandError) {
    let (transport, rest) = setting.transportAndRest()
    guard let transport, let host = HostPort(rest, allowingZone: true), host.port != nil else {
      throw setting.illegal
    }
    self.init(transport: transport, host: host)
  }

  /// D2: TLS on port 5061 of all addresses, when there is a certificate and nobody says where to listen.
  static func standardForTLS(_ settings: Settings) -> ListenRequest? {
    guard settings[Flags.tlsCertificate] != nil,
      settings.all(Flags.listen).allSatisfy({ $0.origin == .defaults }),
      let host = HostPort("0.0.0.0:\(TransportProtocol.tls.defaultPort)")
    else { return nil }
    return ListenRequest(transport: .tls, host: host)
  }

  /// The request as the flag says it.
  var description: String {
    let isBracketed = host.address?.family == .v6
    let zone = host.zone.map { "%\($0)" } ?? ""
    let name = isBracketed ? "[\(host.host)\(zone)]" : host.host
    return "\(transport):\(name):\(host.port ?? 0)"
  }
}

/// A listener whose name has become an address: what is bound, in this order.
struct ListenAddress: Equatable, Sendable, CustomStringConvertible {
  /// The transport.
  var transport: TransportProtocol
  /// Address, port and zone; port 0 takes a free one.
  var address: SocketAddress
  /// D1: TCP at the port that the UDP listener before it got. Nobody asked for it by name.
  var isTwin = false

  /// The address in the form of the flag.
  var description: String { "\(transport):\(address)" }

  /// D1: every UDP listener is followed by one for TCP at the same port, unless a TCP listener was asked for that
  /// has this port on the same addresses or on some of them.
  static func withTwins(_ asked: [ListenAddress]) -> [ListenAddress] {
    asked.flatMap { listener in
      guard listener.transport == .udp, !asked.contains(where: { $0.replacesTwin(of: listener) }) else {
        return [listener]
      }
      return [listener, ListenAddress(transport: .tcp, address: listener.address, isTwin: true)]
    }
  }

  /// Whether this TCP listener and the twin of `listener` could not both be bound.
  private func replacesTwin(of listener: ListenAddress) -> Bool {
    let (own, other) = (address.ip.canonical, listener.address.ip.canonical)
    return transport == .tcp && address.port != 0 && address.port == listener.address.port
      && own.family == other.family && (own == other || own.isUnspecified || other.isUnspecified)
  }
}

/// One `--advertise`.
struct AdvertisedName: Equatable, Sendable {
  /// The listeners it applies to; nil for all.
  var transport: TransportProtocol?
  /// The name or address, and the port.
  var name: HostPort

  /// Reads `[TRANSPORT:]HOST[:PORT]`.
  init(_ setting: Setting) throws(CommandError) {
    let (transport, rest) = setting.transportAndRest()
    guard let name = HostPort(rest), name.port != 0 else { throw setting.illegal }
    self.transport = transport
    self.name = name
  }

  /// Whether a listener may go by it: an address fits those of its family, a name fits every one.
  private func fits(_ listener: ListenAddress) -> Bool {
    (transport == nil || transport == listener.transport)
      && (name.address == nil || name.address?.family == listener.address.ip.family)
  }

  /// The name a listener goes by: the first of its transport, else the first that fits; nil for its own address.
  ///
  /// UDP and TCP share a port (D1), TLS has another: a port that stands without a transport is not that of TLS.
  static func name(for listener: ListenAddress, among names: [AdvertisedName]) -> HostPort? {
    let fitting = names.filter { $0.fits(listener) }
    guard let found = fitting.first(where: { $0.transport != nil }) ?? fitting.first else { return nil }
    var name = found.name
    if found.transport == nil, listener.transport == .tls { name.port = nil }
    return name
  }
}

/// The files of `--tls-certificate`, `--tls-key` and `--tls-ca`, not read yet.
struct TLSFileNames: Equatable, Sendable {
  /// Our certificate, and the chain above it.
  var certificate: String
  /// Its key; nil when it stands in the certificate's file.
  var key: String?
  /// Trusted certificates; nil for those of the system.
  var trust: String?
  /// Whether clients must show a certificate.
  var requiresClientCertificate: Bool

  /// Reads the flags; nil when there is no tls listener, and then none of them may be given.
  init?(_ settings: Settings, for listeners: [ListenRequest]) throws(CommandError) {
    let requires = settings[Flags.tlsRequireClientCertificate]
    requiresClientCertificate = try requires?.isOn() ?? false
    key = settings[Flags.tlsKey]?.value
    trust = settings[Flags.tlsCA]?.value
    let certificate = settings[Flags.tlsCertificate]
    guard let listener = listeners.first(where: { $0.transport == .tls }) else {
      let asked = [certificate, settings[Flags.tlsKey], settings[Flags.tlsCA]]
      let given = asked.compactMap { $0 }.first ?? (requiresClientCertificate ? requires : nil)
      if let given { throw given.refused("no listener uses it; add --listen tls:HOST:PORT") }
      return nil
    }
    guard let certificate else {
      throw CommandError(
        .configuration,
        "--\(Flags.listen.name) \(printable(listener.description)): TLS needs --\(Flags.tlsCertificate.name) FILE"
      )
    }
    self.certificate = certificate.value
  }
}
