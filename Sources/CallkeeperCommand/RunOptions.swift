import ArgumentParser

/// The flags of `run` and `check` as they stand on the command line, texts not yet read.
///
/// Numbers are taken as they come, so that -1 is told the legal range and not mistaken for a flag.
struct RunOptions: ParsableArguments {
  @Option(name: Flags.listen.spelling, help: Flags.listen.help) var listen: [String] = []
  @Option(name: Flags.advertise.spelling, help: Flags.advertise.help) var advertise: [String] = []
  @Option(name: Flags.alias.spelling, help: Flags.alias.help) var alias: [String] = []
  @Option(name: Flags.sessionExpires.spelling, parsing: .unconditional, help: Flags.sessionExpires.help)
  var sessionExpires: String?
  @Option(name: Flags.minSE.spelling, parsing: .unconditional, help: Flags.minSE.help) var minSE: String?
  @Flag(name: Flags.honorRefresherUAS.spelling, help: Flags.honorRefresherUAS.help) var honorRefresherUAS =
    false
  @Option(name: Flags.nextHop.spelling, help: Flags.nextHop.help) var nextHop: String?
  @Option(name: Flags.dnsServer.spelling, help: Flags.dnsServer.help) var dnsServer: [String] = []
  @Option(name: Flags.allow.spelling, help: Flags.allow.help) var allow: [String] = []
  @Option(name: Flags.untimedLifetime.spelling, parsing: .unconditional, help: Flags.untimedLifetime.help)
  var untimedLifetime: String?
  @Option(name: Flags.maxSession.spelling, parsing: .unconditional, help: Flags.maxSession.help)
  var maxSession: String?
  @Option(name: Flags.maxDialogs.spelling, parsing: .unconditional, help: Flags.maxDialogs.help)
  var maxDialogs: String?
  @Option(name: Flags.maxTransactions.spelling, parsing: .unconditional, help: Flags.maxTransactions.help)
  var maxTransactions: String?
  @Option(name: Flags.maxConnections.spelling, parsing: .unconditional, help: Flags.maxConnections.help)
  var maxConnections: String?
  @Option(name: Flags.workers.spelling, parsing: .unconditional, help: Flags.workers.help) var workers:
    String?
  @Option(name: Flags.control.spelling, help: Flags.control.help) var control: String?
  @Option(name: Flags.http.spelling, help: Flags.http.help) var http: String?
  @Flag(name: Flags.httpPublic.spelling, help: Flags.httpPublic.help) var httpPublic = false
  @Option(name: Flags.tlsCertificate.spelling, help: Flags.tlsCertificate.help) var tlsCertificate: String?
  @Option(name: Flags.tlsKey.spelling, help: Flags.tlsKey.help) var tlsKey: String?
  @Option(name: Flags.tlsCA.spelling, help: Flags.tlsCA.help) var tlsCA: String?
  @Flag(name: Flags.tlsRequireClientCertificate.spelling, help: Flags.tlsRequireClientCertificate.help)
  var tlsRequireClientCertificate = false
  @Option(name: Flags.udpMTU.spelling, parsing: .unconditional, help: Flags.udpMTU.help) var udpMTU: String?
  @Option(name: Flags.secretFile.spelling, help: Flags.secretFile.help) var secretFile: String?
  @Option(name: Flags.t1.spelling, parsing: .unconditional, help: Flags.t1.help) var t1: String?
  @Option(name: Flags.logLevel.spelling, help: Flags.logLevel.help) var logLevel: String?
  @Option(name: Flags.logFormat.spelling, help: Flags.logFormat.help) var logFormat: String?
  @Option(name: Flags.config.spelling, help: Flags.config.help) var config: String?

  /// What was given, by the flag's name.
  var given: [String: [String]] {
    let lists: [(FlagDefinition, [String])] = [
      (Flags.listen, listen), (Flags.advertise, advertise), (Flags.alias, alias), (Flags.allow, allow),
      (Flags.dnsServer, dnsServer),
    ]
    let values: [(FlagDefinition, String?)] = [
      (Flags.sessionExpires, sessionExpires), (Flags.minSE, minSE), (Flags.nextHop, nextHop),
      (Flags.untimedLifetime, untimedLifetime), (Flags.maxSession, maxSession),
      (Flags.maxDialogs, maxDialogs),
      (Flags.maxTransactions, maxTransactions), (Flags.maxConnections, maxConnections),
      (Flags.workers, workers), (Flags.control, control),
      (Flags.http, http), (Flags.tlsCertificate, tlsCertificate), (Flags.tlsKey, tlsKey),
      (Flags.tlsCA, tlsCA),
      (Flags.udpMTU, udpMTU), (Flags.secretFile, secretFile), (Flags.t1, t1), (Flags.logLevel, logLevel),
      (Flags.logFormat, logFormat), (Flags.config, config),
    ]
    let switches: [(FlagDefinition, Bool)] = [
      (Flags.honorRefresherUAS, honorRefresherUAS), (Flags.httpPublic, httpPublic),
      (Flags.tlsRequireClientCertificate, tlsRequireClientCertificate),
    ]
    var given: [String: [String]] = [:]
    for (flag, list) in lists where !list.isEmpty { given[flag.name] = list }
    for (flag, value) in values { given[flag.name] = value.map { [$0] } }
    for (flag, isOn) in switches where isOn { given[flag.name] = ["true"] }
    return given
  }
}
