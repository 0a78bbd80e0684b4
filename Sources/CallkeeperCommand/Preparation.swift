import EventIO
import PagedStorage
import ProxyCore
import SIPSyntax
import SessionTimers

/// What is looked up once before anything is opened: names, addresses and the key in a file.
struct Preparation: Sendable {
  /// The listeners, each UDP listener with its twin (D1).
  var listen: [ListenAddress]
  /// Address of `--http`.
  var http: SocketAddress?
  /// The next hop, with its address when it is numeric: a name is looked up while calls are made.
  var nextHop: NextHop?
  /// The key from `--secret-file`; nil means a random one.
  var tokenKey: HashKey?
  /// Connections that may be held, as far as the system's limits let it be what was asked for.
  var maxConnections: Int
  /// What is legal and deserves a line in the log.
  var warnings: [String]

  /// Resolves names, which may block, and reads the secret; the first mistake ends it.
  init(
    _ run: RunConfiguration, resolve: (String) -> [IPAddress] = OperatingSystem.resolve,
    readFile: (String) -> [UInt8]? = readWholeFile,
    allowDescriptors: (Int) -> Int = OperatingSystem.allowDescriptors
  ) throws(CommandError) {
    var mistakes = Mistakes()
    self.init(
      run, resolve: resolve, readFile: readFile, allowDescriptors: allowDescriptors, noting: &mistakes)
    try mistakes.throwFirst()
  }

  /// The same, noting mistakes; what they concern is left out.
  init(
    _ run: RunConfiguration, resolve: (String) -> [IPAddress] = OperatingSystem.resolve,
    readFile: (String) -> [UInt8]? = readWholeFile,
    allowDescriptors: (Int) -> Int = OperatingSystem.allowDescriptors, noting mistakes: inout Mistakes
  ) {
    func address(_ host: HostPort, _ flag: FlagDefinition) throws(CommandError) -> IPAddress {
      if let address = host.address { return address }
      guard let address = resolve(host.host).first else {
        throw CommandError(
          .configuration,
          "--\(flag.name) \(printable(host.host)): the name has no address; give an address or mend DNS")
      }
      return address
    }
    listen = ListenAddress.withTwins(
      run.listen.compactMap { asked in
        mistakes.keep(nil) {
          let host = asked.host
          let scope = host.zone.map { OperatingSystem.interfaceIndex(of: $0) } ?? 0
          if let zone = host.zone, scope == 0 {
            throw CommandError(
              .configuration,
              "--\(Flags.listen.name) [\(host.host)%\(printable(zone))]: this host has no such interface")
          }
          let ip = try address(host, Flags.listen)
          return ListenAddress(
            transport: asked.transport, address: SocketAddress(ip: ip, port: host.port ?? 5060, scope: scope))
        }
      })
    http = mistakes.keep(nil) {
      guard let host = run.http else { return nil }
      let found = SocketAddress(ip: try address(host, Flags.http), port: host.port ?? 0)
      if !found.ip.isLoopback, !run.isHTTPPublic {
        throw CommandError(
          .configuration, "--http \(found): must be a loopback address, or add --http-public if all may ask")
      }
      return found
    }
    let listeners = listen
    nextHop = mistakes.keep(nil) { try run.nextHop.map { try Preparation.nextHop($0, listeners) } }
    tokenKey = mistakes.keep(nil) {
      guard let setting = run.secretFile else { return nil }
      guard let bytes = readFile(setting.value), bytes.count >= 32 else { throw setting.illegal }
      return Preparation.key(from: bytes)
    }
    let budget = DescriptorBudget(
      connections: run.maxConnections, listeners: listen.count, workers: run.workers,
      allow: allowDescriptors)
    maxConnections = budget.connections
    // A7: an interval below the recommended one is not taken silently.
    warnings = run.sessionTimers.warnings.map { "\($0)" } + [budget.warning].compactMap { $0 }
  }

  /// The next hop for the core; refused when no listener could send to it.
  private static func nextHop(
    _ hop: NextHopTarget, _ listeners: [ListenAddress]
  ) throws(CommandError) -> NextHop {
    let usable = listeners.filter { hop.transport == nil || hop.transport == $0.transport }
    if let transport = hop.transport, usable.isEmpty {
      throw CommandError(
        .configuration,
        "--\(Flags.nextHop.name) \(printable(hop.uri)): no --listen of its transport; add \(transport):HOST:PORT"
      )
    }
    let address = hop.address
    if let address, !usable.contains(where: { $0.address.ip.family == address.ip.family }) {
      throw CommandError(
        .configuration,
        "--\(Flags.nextHop.name) \(printable(hop.uri)): no --listen of its address family; add one")
    }
    return NextHop(uri: Array(hop.uri.utf8), addresses: address.map { [$0] } ?? [])
  }

  /// A key that depends on every byte of a file, through a keyed hash.
  static func key(from bytes: [UInt8]) -> HashKey {
    var hasher = KeyedHasher(key: HashKey(0x6361_6C6C_6B65_6570, 0x746F_6B65_6E2D_6B31))
    hasher.append(UInt64(bytes.count))
    hasher.append(bytes.span)
    let hash = hasher.finish()
    return HashKey(hash.high, hash.low)
  }

  /// The core's configuration for listeners bound to these addresses.
  func proxyConfiguration(
    _ run: RunConfiguration, bound: [ListenAddress], localAddresses: [IPAddress]
  ) -> ProxyConfiguration {
    let listeners = bound.map { bound in
      let name = AdvertisedName.name(for: bound, among: run.advertise)
      return Listener(
        transport: bound.transport, bound: bound.address, advertisedHost: name.map(Preparation.wireHost),
        advertisedPort: name?.port)
    }
    var configuration = ProxyConfiguration(
      listeners: listeners, sessionTimers: run.sessionTimers, allowed: run.allow)
    configuration.ownNames = (run.advertise.map(\.name) + run.alias).map {
      OwnName(host: Preparation.wireHost($0), port: $0.port)
    }
    configuration.localAddresses = localAddresses
    configuration.nextHop = nextHop
    configuration.untimedLifetime = run.untimedLifetime
    configuration.maxSession = run.maxSession
    configuration.maxDialogs = run.maxDialogs
    configuration.maxTransactions = run.maxTransactions
    configuration.udpMTU = run.udpMTU
    configuration.t1 = run.t1
    return configuration
  }

  /// A host as it stands in a SIP URI: lower case, IPv6 in brackets.
  private static func wireHost(_ name: HostPort) -> [UInt8] {
    if let address = name.address {
      var text = OutputBuffer(capacity: 48)
      address.write(to: &text, bracketed: true)
      return text.bytes
    }
    return Array(name.host.lowercased().utf8)
  }
}
