import SIPSyntax

/// One server of an SRV answer (RFC 2782).
struct ServiceServer: Hashable, Sendable {
  let priority: UInt16
  let weight: UInt16
  let port: UInt16
  let name: DNSName
}

/// One NAPTR record that leads to SRV records of a transport we speak (RFC 3263 §4.1).
struct TransportService: Hashable, Sendable {
  let transport: TransportProtocol
  let order: UInt16
  let preference: UInt16
  let serviceName: DNSName
}

/// An answer as it is kept: what no location can use is left out, and the rest is in the order of use.
enum CachedAnswer: Equatable, Sendable {
  /// Addresses that may be sent to, each once.
  case addresses([IPAddress])
  /// Servers by rising priority.
  case servers([ServiceServer])
  /// The service is decidedly not available at this domain: its only target is the root (RFC 2782).
  case unavailable
  /// Services by rising order and preference.
  case services([TransportService])
  /// There is nothing there.
  case none
  /// Nothing was learnt.
  case failure

  /// Digests what the DNS said to a question of the given type.
  init(_ answer: DNSAnswer, to type: DNSRecordType, supported: SupportedTransports) {
    switch answer {
    case .failure: self = .failure
    case .none: self = .none
    case .records(let records, _):
      switch type {
      case .a: self.init(addresses: records, of: .v4)
      case .aaaa: self.init(addresses: records, of: .v6)
      case .srv: self.init(servers: records)
      case .naptr: self.init(services: records, supported: supported)
      }
    }
  }

  /// An estimate of the memory this takes.
  var octets: Int {
    switch self {
    case .addresses(let addresses): 32 + 24 * addresses.count
    case .servers(let servers): servers.reduce(32) { $0 + 48 + $1.name.bytes.count }
    case .services(let services): services.reduce(32) { $0 + 48 + $1.serviceName.bytes.count }
    case .unavailable, .none, .failure: 0
    }
  }

  /// Keeps addresses of one family that a request may be sent to (G9, D10).
  ///
  /// A link-local IPv6 address says nothing without a zone, which the DNS does not have.
  private init(addresses records: [DNSRecord], of family: IPAddress.Family) {
    var addresses: [IPAddress] = []
    for case .address(let address) in records where addresses.count < LocatorLimits.targets {
      let isUsable =
        address.family == family && !address.isMapped && !address.isUnspecified && !address.isMulticast
        && !address.isBroadcast && !(family == .v6 && address.isLinkLocal)
      if isUsable, !addresses.contains(address) { addresses.append(address) }
    }
    self = addresses.isEmpty ? .none : .addresses(addresses)
  }

  private init(servers records: [DNSRecord]) {
    var servers: [ServiceServer] = []
    var saysUnavailable = false
    for case .srv(let priority, let weight, let port, let name) in records {
      if name.isRoot {
        saysUnavailable = true
      } else if port != 0 {
        servers.append(ServiceServer(priority: priority, weight: weight, port: port, name: name))
      }
    }
    if servers.isEmpty {
      self = saysUnavailable ? .unavailable : .none
      return
    }
    // The best ones are kept when there are too many; equal ones as they arrived.
    servers.sort { $0.priority < $1.priority }
    self = .servers(Array(servers.prefix(LocatorLimits.targets)))
  }

  /// Keeps services that end in an SRV lookup (flag S) of a transport we speak; SIPS over UDP is none (RFC 3263 §4.1).
  private init(services records: [DNSRecord], supported: SupportedTransports) {
    var services: [TransportService] = []
    for case .naptr(let order, let preference, let flags, let service, let name) in records {
      guard flags.lowercased() == "s", !name.isRoot else { continue }
      let transport: TransportProtocol
      switch service.lowercased() {
      case "sip+d2u": transport = .udp
      case "sip+d2t": transport = .tcp
      case "sips+d2t": transport = .tls
      default: continue
      }
      guard supported.includes(transport) else { continue }
      services.append(
        TransportService(transport: transport, order: order, preference: preference, serviceName: name))
    }
    services.sort { ($0.order, $0.preference) < ($1.order, $1.preference) }
    // Some of each transport are kept, so that many of one cannot hide the one that a sips URI needs.
    var kept: [TransportService] = []
    for service in services {
      let same = kept.count { $0.transport == service.transport }
      if same < LocatorLimits.services, !kept.contains(service) { kept.append(service) }
    }
    self = kept.isEmpty ? .none : .services(kept)
  }
}
