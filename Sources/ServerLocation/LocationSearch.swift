// RFC 3263 sections 4.1 and 4.2: from a destination to the servers to try, over what the cache holds.
//
// The search has three fixed stages, NAPTR, SRV and addresses, and starts again from the cache whenever an answer
// came. So no zone can make it go in circles, and what is known needs no state beyond the cache.
//
// Left open by the RFC, and what we chose:
// * The transport when none is named and the domain has SRV records for several: UDP, then TCP, then TLS.
// * Several NAPTR records that suit: those of the lowest order, by preference (RFC 3403 §4.1); servers of a later one
//   are tried after those of an earlier one.
// * A question that fails counts as one without records, so that a server which does not know NAPTR does no harm. It
//   never leads from sips to anything but TLS (G36).

import SIPSyntax
import Timekeeping

/// One walk through the stages.
struct LocationSearch {
  /// How far the walk came.
  enum Outcome {
    case targets([ServerTarget])
    case failed(LocationFailure)
    /// These questions come first; at most ``LocatorLimits/questionsAtOnce`` of them.
    case missing([DNSQuestion])
  }

  private let destination: Destination
  private let supported: SupportedTransports
  private let now: MonotonicInstant
  /// Answers that arrived at this instant or later serve even when they have expired.
  private let since: MonotonicInstant?
  /// Whether what is not known counts as failed instead of missing.
  private let isFinal: Bool

  private var missing: [DNSQuestion] = []
  private var targets: [ServerTarget] = []
  private var sawFailure = false
  /// Cache entries looked at, as a measure of the work done.
  private(set) var reads = 0

  init(
    _ destination: Destination, supported: SupportedTransports, at now: MonotonicInstant,
    arrivedSince since: MonotonicInstant?, isFinal: Bool
  ) {
    self.destination = destination
    self.supported = supported
    self.now = now
    self.since = since
    self.isFinal = isFinal
  }

  /// Walks; every call draws the order of equal servers anew.
  mutating func run(
    over cache: inout AnswerCache, using random: inout SelectionGenerator
  ) -> Outcome {
    let transports = allowedTransports()
    guard let first = transports.first else { return .failed(.unsupportedTransport) }
    let isKnown: Bool
    if let port = destination.port {
      // An explicit port: addresses only (D53), and the default transport unless one is named (D50).
      isKnown = addHost(destination.host, first, port: port, over: &cache)
    } else if destination.transport != nil {
      // A named transport: only its SRV records (D49).
      isKnown = addServices(of: [first], over: &cache, using: &random)
    } else {
      isKnown = addBest(of: transports, over: &cache, using: &random)
    }
    if !isKnown { return .missing(missing) }
    if !targets.isEmpty { return .targets(targets) }
    return .failed(sawFailure ? .unanswered : .notFound)
  }

  /// The transports the URI lets us choose from, in the order we prefer them.
  ///
  /// In a sips URI `transport=tcp` means TLS over TCP, and UDP has no TLS (RFC 5630 §5.3, G36).
  private func allowedTransports() -> [TransportProtocol] {
    let allowed: [TransportProtocol] =
      switch (destination.transport, destination.isSecure) {
      case (.udp?, true): []
      case (_, true): [.tls]
      case (let transport?, false): [transport]
      case (nil, false): [.udp, .tcp, .tls]
      }
    return allowed.filter(supported.includes)
  }

  /// Neither port nor transport: NAPTR decides, and without it the SRV records that exist (D51, D52).
  private mutating func addBest(
    of transports: [TransportProtocol], over cache: inout AnswerCache, using random: inout SelectionGenerator
  ) -> Bool {
    switch ask(destination.host, .naptr, &cache) {
    case nil: return false
    case .services(let services):
      // For a sips URI services of SIP without TLS are discarded (D51).
      let suitable = services.filter { transports.contains($0.transport) }
      if let best = suitable.first {
        return add(suitable.filter { $0.order == best.order }, over: &cache, using: &random)
      }
    case .some: break
    }
    return addServices(of: transports, over: &cache, using: &random)
  }

  /// Servers of NAPTR records that are equally ordered; without any, the host itself by the first one's transport.
  private mutating func add(
    _ services: [TransportService], over cache: inout AnswerCache, using random: inout SelectionGenerator
  ) -> Bool {
    var isKnown = true
    var foundServers = false
    var fallback: TransportProtocol?
    for service in services {
      switch ask(service.serviceName, .srv, &cache) {
      case nil: isKnown = false
      case .servers(let servers):
        foundServers = true
        if isKnown { isKnown = add(servers, service.transport, over: &cache, using: &random) }
      case .unavailable: break
      case .some: fallback = fallback ?? service.transport
      }
    }
    guard isKnown, !foundServers, let fallback else { return isKnown }
    return addHost(destination.host, fallback, port: fallback.defaultPort, over: &cache)
  }

  /// Servers of the first transport that has SRV records; without any, the host itself (D52).
  private mutating func addServices(
    of transports: [TransportProtocol], over cache: inout AnswerCache, using random: inout SelectionGenerator
  ) -> Bool {
    var isKnown = true
    var fallback: TransportProtocol?
    // All are asked at once, even if the first answer would do.
    for transport in transports {
      guard let name = destination.host.prefixed(by: Self.labels(of: transport)) else {
        fallback = fallback ?? transport
        continue
      }
      switch ask(name, .srv, &cache) {
      case nil: isKnown = false
      case .servers(let servers):
        if isKnown { return add(servers, transport, over: &cache, using: &random) }
      case .unavailable: break
      case .some: fallback = fallback ?? transport
      }
    }
    guard isKnown, let fallback else { return isKnown }
    return addHost(destination.host, fallback, port: fallback.defaultPort, over: &cache)
  }

  /// The addresses of the servers of one SRV answer, in the order of RFC 2782 (D54).
  private mutating func add(
    _ servers: [ServiceServer], _ transport: TransportProtocol, over cache: inout AnswerCache,
    using random: inout SelectionGenerator
  ) -> Bool {
    var isKnown = true
    for server in ServerSelection.ordered(servers, using: &random) {
      if targets.count == LocatorLimits.targets { break }
      if !addHost(server.name, transport, port: server.port, over: &cache) { isKnown = false }
    }
    return isKnown
  }

  /// The addresses of one host, of both families if we speak the transport over both.
  private mutating func addHost(
    _ host: DNSName, _ transport: TransportProtocol, port: UInt16, over cache: inout AnswerCache
  ) -> Bool {
    guard port != 0 else { return true }
    var (v6, v4): ([IPAddress], [IPAddress]) = ([], [])
    var isKnown = true
    if supported.includes(transport, .v6) {
      if let answer = ask(host, .aaaa, &cache) { v6 = answer.addresses } else { isKnown = false }
    }
    if supported.includes(transport, .v4) {
      if let answer = ask(host, .a, &cache) { v4 = answer.addresses } else { isKnown = false }
    }
    for ip in ServerSelection.ordered(v6: v6, v4: v4) where targets.count < LocatorLimits.targets {
      let target = ServerTarget(transport: transport, address: SocketAddress(ip: ip, port: port))
      // However often a zone repeats it, a server is tried once (B41).
      if !targets.contains(target) { targets.append(target) }
    }
    return isKnown
  }

  /// What the cache says; nil when it has to be asked first.
  private mutating func ask(
    _ name: DNSName, _ type: DNSRecordType, _ cache: inout AnswerCache
  ) -> CachedAnswer? {
    let question = DNSQuestion(name: name, type: type)
    reads += 1
    if let answer = cache.answer(to: question, at: now, arrivedSince: since) {
      if answer == .failure { sawFailure = true }
      return answer
    }
    if isFinal {
      sawFailure = true
      return .failure
    }
    if missing.count < LocatorLimits.questionsAtOnce, !missing.contains(question) { missing.append(question) }
    return nil
  }

  private static func labels(of transport: TransportProtocol) -> String {
    switch transport {
    case .udp: "_sip._udp"
    case .tcp: "_sip._tcp"
    case .tls: "_sips._tcp"
    }
  }
}

extension CachedAnswer {
  fileprivate var addresses: [IPAddress] {
    if case .addresses(let addresses) = self { addresses } else { [] }
  }
}
