import EventIO
import SIPSyntax

/// What in the TLS files is legal and will not work with peers that verify; asked again whenever they were read.
///
/// RFC 5922 §7.5 (G35): what a tls listener writes into Record-Route must be an identity of its certificate.
struct TLSAdvice: Sendable {
  /// Names of a certificate that a line tells at most.
  private static let namesTold = 4

  /// The tls listeners.
  private let listeners: [ListenAddress]
  /// What listeners go by.
  private let advertise: [AdvertisedName]
  /// The files; nil when nothing uses TLS.
  private let files: TLSFileNames?

  /// About the tls listeners among `listen`.
  init(_ run: RunConfiguration, _ listen: [ListenAddress]) {
    listeners = listen.filter { $0.transport == .tls }
    advertise = run.advertise
    files = run.tls
  }

  /// One line for each thing that is unwise, with the certificate as it is now.
  func warnings(_ tls: TLSContext) -> [String] {
    warnings(
      for: tls.ownIdentities, localAddresses: OperatingSystem.localAddresses(),
      systemTrustsSomebody: TLSContext.systemTrustsSomebody)
  }

  /// The same for a certificate of these identities on a host with these addresses.
  func warnings(
    for identities: CertificateIdentities?, localAddresses: [IPAddress], systemTrustsSomebody: Bool
  ) -> [String] {
    guard let files else { return [] }
    var found: [String] = []
    if let identities {
      found = listeners.compactMap { mismatch(of: $0, with: identities, localAddresses) }
    }
    if files.trust == nil, !systemTrustsSomebody {
      found.append(
        """
        this system trusts no certificate authority, so that no peer can prove itself; install \
        ca-certificates, or name a file with --\(Flags.tlsCA.name)
        """)
    } else if files.trust == nil, files.requiresClientCertificate {
      found.append(
        """
        --\(Flags.tlsRequireClientCertificate.name) without --\(Flags.tlsCA.name) takes clients with a \
        certificate of any authority that this system trusts; name your own with --\(Flags.tlsCA.name)
        """)
    }
    return found
  }

  /// G35: says so when a listener goes by what its certificate does not name.
  private func mismatch(
    of listener: ListenAddress, with identities: CertificateIdentities, _ localAddresses: [IPAddress]
  ) -> String? {
    let name = AdvertisedName.name(for: listener, among: advertise)
    let hosts: [String]
    if let name {
      hosts = [name.host]
    } else if listener.address.ip.isUnspecified {
      // By the address that each peer sees; one of them is the best that a certificate can be expected to name.
      hosts = localAddresses.filter { $0.family == listener.address.ip.family }.map(\.description)
    } else {
      hosts = [listener.address.ip.description]
    }
    guard !hosts.contains(where: { identities.match($0.utf8) }) else { return nil }
    let called = name.map { "\"\($0.host)\"" } ?? "its address"
    return """
      \(listener) goes by \(called) in Record-Route, and its certificate names \
      \(TLSAdvice.names(of: identities)): peers that compare them will refuse; give one of its names with \
      --\(Flags.advertise.name) tls:NAME
      """
  }

  private static func names(of identities: CertificateIdentities) -> String {
    let all =
      identities.domains.map { String(decoding: $0, as: UTF8.self) } + identities.addresses.map(\.description)
    guard !all.isEmpty else { return "nobody" }
    let told = all.prefix(namesTold).joined(separator: ", ")
    return all.count > namesTold ? "\(told) and \(all.count - namesTold) more" : told
  }
}
