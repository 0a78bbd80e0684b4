import SIPSyntax
import SessionTimers
import Timekeeping

/// What `run` shall do, read from the settings; nothing has been opened or resolved yet.
struct RunConfiguration: Sendable {
  /// A request's way out that no Route names.
  struct NextHopTarget: Equatable, Sendable {
    /// The URI to push, with `lr`.
    var uri: String
    var target: HostPort
  }

  var listen: [HostPort]
  var advertise: [HostPort]
  var alias: [HostPort]
  var sessionTimers: SessionTimerPolicy
  var nextHop: NextHopTarget?
  var allow: [AddressBlock]
  var untimedLifetime: TimeSpan?
  var maxSession: TimeSpan?
  var maxDialogs: Int
  var maxTransactions: Int
  var control: String?
  var http: HostPort?
  var isHTTPPublic: Bool
  var udpMTU: Int
  var secretFile: Setting?
  var t1: TimeSpan
  var log: LogOptions

  /// Reads every setting; the first that is illegal ends it.
  init(_ settings: Settings) throws(CommandError) {
    try RunConfiguration.refuseWhatIsNotThereYet(settings)
    listen = try each(settings.all(Flags.listen)) { setting throws(CommandError) in
      let (hasTransport, rest) = try setting.transportAndRest()
      guard hasTransport, let address = HostPort(rest), address.port != nil else { throw setting.illegal }
      return address
    }
    advertise = try each(settings.all(Flags.advertise)) { setting throws(CommandError) in
      let name = try HostPort(setting.transportAndRest().rest)
      guard let name, name.port != 0 else { throw setting.illegal }
      return name
    }
    alias = try each(settings.all(Flags.alias)) { setting throws(CommandError) in
      guard let name = HostPort(setting.value), name.port != 0 else { throw setting.illegal }
      return name
    }
    sessionTimers = try RunConfiguration.sessionTimers(settings)
    nextHop = try settings[Flags.nextHop].map(RunConfiguration.nextHop)
    allow = try each(settings.all(Flags.allow)) { setting throws(CommandError) in
      guard let block = AddressBlock(setting.value) else { throw setting.illegal }
      return block
    }
    let read = NumberReader(settings: settings)
    untimedLifetime = try read.lifetime(Flags.untimedLifetime)
    maxSession = try read.lifetime(Flags.maxSession)
    maxDialogs = Int(try read.number(Flags.maxDialogs, 0...4_000_000_000))
    maxTransactions = Int(try read.number(Flags.maxTransactions, 0...4_000_000_000))
    udpMTU = Int(try read.number(Flags.udpMTU, 576...65_535))
    t1 = .milliseconds(Int64(try read.number(Flags.t1, 10...60_000)))
    if let setting = settings[Flags.control] {
      guard !setting.value.isEmpty, setting.value.utf8.count <= 107 else { throw setting.illegal }
      control = setting.value
    }
    isHTTPPublic = try settings[Flags.httpPublic]?.isOn() ?? false
    if let setting = settings[Flags.http] {
      guard let address = HostPort(setting.value), address.port != nil else { throw setting.illegal }
      http = address
    }
    secretFile = settings[Flags.secretFile]
    log = try LogOptions(settings)
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

  private static func nextHop(_ setting: Setting) throws(CommandError) -> NextHopTarget {
    let bytes = Array(setting.value.utf8)
    guard let uri = SIPURI(parsing: bytes.span, ByteRange(0, bytes.count)), uri.headers == nil else {
      throw setting.illegal
    }
    func text(_ range: ByteRange) -> String {
      String(decoding: bytes[range.lowerBound..<range.upperBound], as: UTF8.self)
    }
    guard uri.scheme == .sip else {
      throw uri.scheme == .sips ? setting.refused("tls is not there yet; use a sip URI") : setting.illegal
    }
    if let transport = uri.transport, text(transport).lowercased() != "udp" {
      throw setting.refused("\(printable(text(transport))) is not there yet; use udp")
    }
    guard var target = HostPort(text(uri.host)), uri.port != 0 else { throw setting.illegal }
    target.port = uri.port ?? 5060
    return NextHopTarget(uri: uri.hasLR ? setting.value : setting.value + ";lr", target: target)
  }

  private static func refuseWhatIsNotThereYet(_ settings: Settings) throws(CommandError) {
    for flag in [Flags.tlsCertificate, Flags.tlsKey, Flags.tlsCA] {
      if let setting = settings[flag] { throw setting.refused("tls is not there yet; leave it out") }
    }
    if let setting = settings[Flags.tlsRequireClientCertificate], try setting.isOn() {
      throw setting.refused("tls is not there yet; leave it out")
    }
    if let setting = settings[Flags.workers], try setting.number(1...64) > 1 {
      throw setting.refused("more than 1 is not there yet; use 1")
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

/// `map` that keeps the error's type.
private func each<Value>(
  _ settings: [Setting], _ read: (Setting) throws(CommandError) -> Value
) throws(CommandError) -> [Value] {
  var values: [Value] = []
  for setting in settings { values.append(try read(setting)) }
  return values
}
