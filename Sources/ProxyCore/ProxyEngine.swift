import CallState
import PagedStorage
import SIPSyntax
import SIPTransactions
import ServerLocation
import SessionTimers
import Timekeeping

/// When and how a message came in.
struct Arrival {
  let flow: Flow
  let now: MonotonicInstant
  /// Whether its connection was one that its peer had opened, for a message that has waited; the connection may be gone
  /// since. Nil for one that arrives now.
  var isFromClient: Bool?
}

/// Reusable tables for parsing and editing, apart from the engine so that both can be changed at once.
struct Workbench: ~Copyable {
  /// View of a request that was stored earlier.
  var stored = SIPMessage()
  /// The stored request's octets, copied out of the arena.
  var storedBytes = OutputBuffer(capacity: 2048)
  var edits = MessageEdits()
  /// What is deleted from the response at hand when it goes upstream: our own Via.
  var ownVia = ByteRange.none
}

/// State and rules of the proxy: everything between a parsed message and the outbox.
///
/// Each event enters one mutating method and leaves all its effects in the outbox. The extensions of
/// this type follow RFC 3261 section 16: reception, validation, routing, forwarding, responses,
/// cancellation, timers.
struct ProxyEngine: ~Copyable {
  let configuration: ProxyConfiguration
  let counters: Counters
  let timers: TransactionTimers
  let processKey: HashKey
  let branches: BranchCodec
  let tokens: RouteTokenCodec

  var own: OwnAddresses
  var sources: SourceAddressCache
  var shares: SourceShares
  var servers: ServerTransactionTable
  var clients: ClientTransactionTable
  /// Octets that transactions keep: forwarded requests, responses to repeat.
  var arena: ByteArena
  var dialogs: DialogTable
  var refusals = RefusalLog()
  var connections = OpenConnections()
  var attempts: AttemptTable
  var locator: ServerLocator
  var deadHops = DeadNextHops()
  var statelessHops = StatelessHops()
  var nextHop: ConfiguredNextHop

  var isDraining = false
  /// Server transactions without a final response.
  var openServers = 0

  init(configuration: ProxyConfiguration, environment: ProxyEnvironment, startingAt now: MonotonicInstant) {
    self.configuration = configuration
    counters = Counters()
    timers = TransactionTimers(t1: configuration.t1)
    processKey = environment.processKey
    branches = BranchCodec(key: environment.processKey)
    tokens = RouteTokenCodec(key: environment.tokenKey)
    own = OwnAddresses(
      listeners: configuration.listeners, names: configuration.ownNames,
      localAddresses: configuration.localAddresses)
    sources = SourceAddressCache(asking: environment.sourceAddress)
    shares = SourceShares(key: environment.processKey)
    servers = ServerTransactionTable(pages: environment.pages, startingAt: now)
    clients = ClientTransactionTable(pages: environment.pages, startingAt: now)
    arena = ByteArena(pages: environment.pages)
    attempts = AttemptTable(pages: environment.pages)
    locator = ServerLocator(key: environment.processKey, supported: own.supportedTransports)
    nextHop = ConfiguredNextHop(configuration.nextHop, own: own)
    dialogs = DialogTable(
      pages: environment.pages, key: environment.processKey, start: now, limit: configuration.maxDialogs,
      untimedLifetime: configuration.untimedLifetime, maxSession: configuration.maxSession)
  }

  /// Publishes gauges and the dialog table's own counts after an event; some twenty stores.
  func publish() {
    counters.set(.serverTransactions, to: servers.count)
    counters.set(.serverTransactionsOpen, to: openServers)
    counters.set(.clientTransactions, to: clients.count)
    counters.set(
      .transactionBytes,
      to: servers.mappedBytes + clients.mappedBytes + attempts.slab.mappedBytes + arena.mappedBytes)
    counters.set(.dialogBytes, to: dialogs.mappedBytes)
    let counts = dialogs.counts
    counters.set(.dialogsEarly, to: counts.early)
    counters.set(.dialogsTimed, to: counts.timed)
    counters.set(.dialogsUntimed, to: counts.untimed)
    counters.set(.dialogsCreated, to: counts.created)
    counters.set(.dialogsConfirmed, to: counts.confirmed)
    counters.set(.dialogsAdopted, to: counts.adopted)
    counters.set(.dialogsRefreshed, to: counts.refreshed)
    counters.set(.dialogsEndedByBye, to: counts.ended[.bye])
    counters.set(.dialogsEndedBySessionExpiry, to: counts.ended[.sessionExpired])
    counters.set(.dialogsEndedByUntimedLifetime, to: counts.ended[.untimedLifetimeOver])
    counters.set(.dialogsEndedBySessionCap, to: counts.ended[.cappedLifetimeOver])
    counters.set(.dialogsEndedBySetupFailure, to: counts.ended[.setupFailed])
    counters.set(.dialogsEndedBy481, to: counts.ended[.notFound481])
    counters.set(.dialogsEndedByEarlyTimeout, to: counts.ended[.earlyTimeout])
    counters.set(.dialogsEndedByReclaim, to: counts.ended[.reclaimed])
  }
}
