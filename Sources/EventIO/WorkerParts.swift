public import ProxyCore
public import SIPSyntax

/// What one worker is made from.
public struct WorkerParts {
  /// What it waits in.
  public var loop: EventLoop
  /// Its sockets, which are bound.
  public var transports: [ListeningTransport]
  /// What its connections may take.
  public var limits: ConnectionLimits
  /// The DNS servers it asks; none means those of the system.
  public var dnsServers: [SocketAddress]
  /// Describes the sockets in the same order, and all that does not change.
  public var configuration: ProxyConfiguration
  /// Keys and services; workers of one process have keys of their own for all but tokens.
  public var environment: ProxyEnvironment

  /// Gathers them.
  public init(
    loop: EventLoop, transports: [ListeningTransport], limits: ConnectionLimits, dnsServers: [SocketAddress],
    configuration: ProxyConfiguration, environment: ProxyEnvironment
  ) {
    self.loop = loop
    self.transports = transports
    self.limits = limits
    self.dnsServers = dnsServers
    self.configuration = configuration
    self.environment = environment
  }
}
