public import PagedStorage
public import SIPSyntax
public import SessionTimers
public import Timekeeping

/// A name under which a request can address this proxy: `--alias`, `--advertise`.
public struct OwnName: Sendable, Equatable {
  /// Host name or address in lower case, IPv6 in brackets.
  public var host: [UInt8]
  /// The only port meant; nil means every port we listen on, and none given.
  public var port: UInt16?

  /// A name that is us.
  public init(host: [UInt8], port: UInt16?) {
    self.host = host
    self.port = port
  }
}

/// Where every dialog-forming request without a Route goes: `--next-hop`.
public struct NextHop: Sendable {
  /// The URI pushed as a Route value, without angle brackets, with `lr`.
  public var uri: [UInt8]
  /// Its addresses in the order to try them, when they are known; none for a name that the DNS shall be asked for.
  public var addresses: [SocketAddress]

  /// A next hop, with its addresses unless they are to be looked up.
  public init(uri: [UInt8], addresses: [SocketAddress]) {
    self.uri = uri
    self.addresses = addresses
  }
}

/// Everything that does not change while a proxy runs.
public struct ProxyConfiguration: Sendable {
  /// The sockets, in the order the flows count them.
  public var listeners: [Listener]
  /// Names that are us besides the listeners' own addresses.
  public var ownNames: [OwnName] = []
  /// Local addresses that a wildcard listener stands for.
  public var localAddresses: [IPAddress] = []
  /// S, M and the reading of erratum 8926 (RFC 4028 §8).
  public var sessionTimers: SessionTimerPolicy
  /// The next hop for requests that no Route sends elsewhere.
  public var nextHop: NextHop?
  /// Sources that may send out-of-dialog requests through us (G1).
  public var allowed: [AddressBlock]
  /// Lifetime of a confirmed dialog without session timer; nil means for ever (A91).
  public var untimedLifetime: TimeSpan? = .seconds(12 * 3600)
  /// Longest life of a record between two refreshes; nil means no cap (G16).
  public var maxSession: TimeSpan? = .seconds(24 * 3600)
  /// Dialogs held at most; 0 means no limit (F36).
  public var maxDialogs = 2_000_000
  /// Server transactions held at most; 0 means no limit (C56).
  public var maxTransactions = 1_000_000
  /// Early dialogs that one INVITE may open, and as many that only a 2xx shows; forks beyond it pass without a
  /// record.
  public var maxForks = 64
  /// Path MTU assumed for UDP (D3, D7).
  public var udpMTU = 1500
  /// RFC 3261 timer T1.
  public var t1: TimeSpan = .milliseconds(500)

  /// A configuration with every default of the command line.
  public init(listeners: [Listener], sessionTimers: SessionTimerPolicy, allowed: [AddressBlock]) {
    self.listeners = listeners
    self.sessionTimers = sessionTimers
    self.allowed = allowed
  }
}

/// Key material and services of the operating system, given to the proxy at construction.
public struct ProxyEnvironment: Sendable {
  /// Key of the tables' hashes, of branches and of To tags: random for every process (G11).
  public var processKey: HashKey
  /// Key of Record-Route tokens: random, or from `--secret-file` (B57).
  public var tokenKey: HashKey
  /// Where slabs and arenas get their memory.
  public var pages: PageSource
  /// The local address from which the kernel would send to a peer; nil when there is no route.
  /// Asked only for wildcard listeners, and the answer is remembered for a while.
  public var sourceAddress: @Sendable (_ peer: IPAddress) -> IPAddress?

  /// Bundles what the core may not fetch itself.
  public init(
    processKey: HashKey, tokenKey: HashKey, pages: PageSource,
    sourceAddress: @escaping @Sendable (_ peer: IPAddress) -> IPAddress?
  ) {
    self.processKey = processKey
    self.tokenKey = tokenKey
    self.pages = pages
    self.sourceAddress = sourceAddress
  }
}
