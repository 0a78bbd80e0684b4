// Whose a certificate is: RFC 5922 §7.1 (which names count) and §7.2 (how they are compared).
// Left open by the RFC: common names (MAY; taken, when they are valid DNS names) and next hops given as
// addresses (decision 11). The path behind the certificate is OpenSSL's to validate, before this.

public import SIPSyntax

/// Names as they stand in a certificate, before anybody judged them.
public struct CertificateNames: Equatable, Sendable {
  /// The subjectAltName entries that are URIs, as octets.
  public var uris: [[UInt8]] = []
  /// The subjectAltName entries that are DNS names.
  public var dnsNames: [[UInt8]] = []
  /// The subjectAltName entries that are addresses.
  public var addresses: [IPAddress] = []
  /// The subject's common names, as UTF-8.
  public var commonNames: [[UInt8]] = []
  /// Whether there is a subjectAltName at all, with entries of whatever kind.
  public var hasAlternativeNames = false

  /// A certificate without any name.
  public init() {}
}

/// The SIP domain identities of a certificate whose path was found valid (RFC 5922 §7.1).
public struct CertificateIdentities: Equatable, Sendable {
  /// The domains in lower case, without the final dot of an absolute name.
  public let domains: [[UInt8]]
  /// The addresses, by which a next hop without a name is known (decision 11).
  public let addresses: [IPAddress]

  /// Chooses among the names of a certificate (G30): `sip` URIs without a user part; DNS names only when there
  /// is none of these; common names only when there is no subjectAltName.
  public init(of names: CertificateNames) {
    addresses = names.addresses.map(\.canonical)
    guard names.hasAlternativeNames else {
      // The one place where a name must first be seen to be one: a common name is any text.
      domains = names.commonNames.filter(CertificateIdentities.isDNSName)
        .map(CertificateIdentities.normalized)
      return
    }
    let hosts = names.uris.compactMap(CertificateIdentities.domain)
    domains = (hosts.isEmpty ? names.dnsNames : hosts).map(CertificateIdentities.normalized)
  }

  /// Whether the certificate is that of `peer`, a host as it stands in a URI: a name, or an address with or
  /// without brackets.
  ///
  /// Names are equal as a whole or not at all: a wildcard is a name like any other, and a domain says nothing
  /// about those below it (G31). Letters are equal in either case (RFC 4343).
  public func match(_ peer: some Collection<UInt8>) -> Bool {
    let peer = Array(peer)
    if let address = IPAddress(peer.span, ByteRange(0, peer.count)) {
      return addresses.contains(address.canonical)
    }
    let name = CertificateIdentities.normalized(peer)
    return !name.isEmpty && domains.contains(name)
  }

  /// The host of a `sip` URI that names a domain: nil for other schemes and with a user part.
  private static func domain(of uri: [UInt8]) -> [UInt8]? {
    guard uri.count > 4, normalized(Array(uri[..<4])) == Array("sip:".utf8), !uri.contains(UInt8(ascii: "@"))
    else { return nil }
    let host = uri[4...].prefix { !":;?/".utf8.contains($0) }
    return host.isEmpty ? nil : Array(host)
  }

  private static func normalized(_ name: [UInt8]) -> [UInt8] {
    var name = name.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    if name.last == UInt8(ascii: ".") { name.removeLast() }
    return name
  }

  /// Letters, digits and hyphens in labels: a name that DNS can be asked for.
  private static func isDNSName(_ text: [UInt8]) -> Bool {
    let labels = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return text.count <= 253
      && labels.allSatisfy { label in
        (1...63).contains(label.count)
          && label.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
              || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "-")
          }
      }
  }
}

extension CertificateIdentities: CustomStringConvertible {
  /// The identities in one line for people; "nobody" when there is none.
  public var description: String {
    let all = domains.map { String(decoding: $0, as: UTF8.self) } + addresses.map(\.description)
    return all.isEmpty ? "nobody" : all.joined(separator: ", ")
  }
}
