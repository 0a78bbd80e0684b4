import SIPSyntax
import SessionTimers
import Timekeeping

/// What `run` shall do, read from the settings; nothing has been opened or resolved yet.
struct RunConfiguration: Sendable {
  /// Where SIP is received, as it was asked for.
  var listen: [ListenRequest]
  /// Names written into Via and Record-Route.
  var advertise: [AdvertisedName]
  /// Further names that mean this proxy.
  var alias: [HostPort]
  /// The rules of RFC 4028 with the intervals asked for and accepted.
  var sessionTimers: SessionTimerPolicy
  /// Where requests without a Route go; nil means by the request.
  var nextHop: NextHopTarget?
  /// The DNS servers to ask; none means those of the system.
  var dnsServers: [SocketAddress]
  /// Who may send requests.
  var allow: [AddressBlock]
  /// How long a call without session timer is remembered; nil for ever.
  var untimedLifetime: TimeSpan?
  /// How long a call is remembered between two refreshes; nil for as long as its interval.
  var maxSession: TimeSpan?
  /// Dialogs held at most; 0 for no limit.
  var maxDialogs: Int
  /// Server transactions held at most; 0 for no limit.
  var maxTransactions: Int
  /// Connections over TCP and TLS held at most.
  var maxConnections: Int
  /// Threads that carry calls.
  var workers: Int
  /// Path of the control socket; nil means by the rule of ``ControlSocket``.
  var control: String?
  /// Where the query API is served on TCP; nil means nowhere.
  var http: HostPort?
  /// Whether that may be an address others can reach.
  var isHTTPPublic: Bool
  /// Certificate, key and trust; nil when no listener needs them.
  var tls: TLSFileNames?
  /// Path MTU assumed, in bytes.
  var udpMTU: Int
  /// The file with the key of the tokens; nil means a random key.
  var secretFile: Setting?
  /// Timer base of RFC 3261.
  var t1: TimeSpan
  /// How much is logged and in which form.
  var log: LogOptions

  /// Reads every setting; the first that is illegal ends it.
  init(_ settings: Settings) throws(CommandError) {
    var mistakes = Mistakes()
    self.init(settings, noting: &mistakes)
    try mistakes.throwFirst()
  }

  /// Reads every setting, and notes each that is illegal; what is read then stands for nothing.
  init(_ settings: Settings, noting notes: inout Mistakes) {
    var requests = notes.each(settings.all(Flags.listen), ListenRequest.init)
    if let standard = ListenRequest.standardForTLS(settings) { requests.append(standard) }
    listen = requests
    tls = notes.keep(nil) { try TLSFileNames(settings, for: requests) }
    advertise = notes.each(settings.all(Flags.advertise), AdvertisedName.init)
    alias = notes.each(settings.all(Flags.alias)) { setting in
      guard let name = HostPort(setting.value), name.port != 0 else { throw setting.illegal }
      return name
    }
    sessionTimers = notes.keep(.standard) { try RunConfiguration.sessionTimers(settings) }
    nextHop = notes.keep(nil) { try settings[Flags.nextHop].map(NextHopTarget.init) }
    dnsServers = notes.each(settings.all(Flags.dnsServer)) { try $0.serverAddress(defaultPort: 53) }
    allow = notes.each(settings.all(Flags.allow)) { setting in
      guard let block = AddressBlock(setting.value) else { throw setting.illegal }
      return block
    }
    let read = NumberReader(settings: settings)
    untimedLifetime = notes.keep(nil) { try read.lifetime(Flags.untimedLifetime) }
    maxSession = notes.keep(nil) { try read.lifetime(Flags.maxSession) }
    maxDialogs = notes.keep(0) { Int(try read.number(Flags.maxDialogs, 0...4_000_000_000)) }
    maxTransactions = notes.keep(0) { Int(try read.number(Flags.maxTransactions, 0...4_000_000_000)) }
    maxConnections = notes.keep(0) { Int(try read.number(Flags.maxConnections, 1...1_000_000)) }
    workers = notes.keep(1) { Int(try read.number(Flags.workers, 1...64)) }
    udpMTU = notes.keep(0) { Int(try read.number(Flags.udpMTU, 576...65_535)) }
    t1 = notes.keep(.zero) { .milliseconds(Int64(try read.number(Flags.t1, 10...60_000))) }
    control = notes.keep(nil) {
      guard let setting = settings[Flags.control] else { return nil }
      guard !setting.value.isEmpty, setting.value.utf8.count <= 107 else { throw setting.illegal }
      return setting.value
    }
    isHTTPPublic = notes.keep(false) { try settings[Flags.httpPublic]?.isOn() ?? false }
    http = notes.keep(nil) {
      guard let setting = settings[Flags.http] else { return nil }
      guard let address = HostPort(setting.value), address.port != nil else { throw setting.illegal }
      return address
    }
    secretFile = settings[Flags.secretFile]
    log = notes.keep(LogOptions()) { try LogOptions(settings) }
  }

  private static func sessionTimers(_ settings: Settings) throws(CommandError) -> SessionTimerPolicy {
    var expires: DeltaSeconds?
    let range: ClosedRange<UInt64> = 90...UInt64(UInt32.max)
    if let setting = settings[Flags.sessionExpires], setting.value.lowercased() != "off" {
      expires = DeltaSeconds(UInt32(clamping: try setting.number(range)))
    }
    // A6: 90 seconds is the least that RFC 4028 §5 allows; number() refuses below.
    let minSE = DeltaSeconds(
      UInt32(clamping: try NumberReader(settings: settings).number(Flags.minSE, range)))
    let honors = try settings[Flags.honorRefresherUAS]?.isOn() ?? false
    do {
      return try SessionTimerPolicy(sessionExpires: expires, minSE: minSE, honorsRefresherUAS: honors)
    } catch {
      // A8: what we ask for may not be what we refuse.
      throw CommandError(.configuration, "\(error)")
    }
  }
}

/// Reads flags that always have a value, because they have a default.
private struct NumberReader {
  let settings: Settings

  func number(_ flag: FlagDefinition, _ range: ClosedRange<UInt64>) throws(CommandError) -> UInt64 {
    try settings[flag]?.number(range) ?? range.lowerBound
  }

  /// A number of seconds; nil for 0, which means without end.
  func lifetime(_ flag: FlagDefinition) throws(CommandError) -> TimeSpan? {
    let seconds = try number(flag, 0...2_147_483_647)
    return seconds == 0 ? nil : .seconds(Int64(seconds))
  }
}
