import EventIO
import PagedStorage
import ProxyCore

/// How what all workers may hold is shared out among them.
///
/// Every worker has an equal part: the hash of the Call-ID gives each as many calls as the others, so that all reach
/// their part at about the same time. Parts are rounded up.
enum WorkerShares {
  /// One worker's part of a limit; 0, which stands for none, stays so.
  static func part(_ limit: Int, of workers: Int) -> Int { (limit + workers - 1) / workers }

  /// One worker's part of what connections may take.
  static func part(_ limits: ConnectionLimits, of workers: Int) -> ConnectionLimits {
    var part = limits
    part.connections = WorkerShares.part(limits.connections, of: workers)
    part.partialBytes = WorkerShares.part(limits.partialBytes, of: workers)
    part.allQueueBytes = WorkerShares.part(limits.allQueueBytes, of: workers)
    return part
  }

  /// One worker's part of what the core may hold.
  static func part(_ configuration: ProxyConfiguration, of workers: Int) -> ProxyConfiguration {
    var part = configuration
    part.maxDialogs = WorkerShares.part(configuration.maxDialogs, of: workers)
    part.maxTransactions = WorkerShares.part(configuration.maxTransactions, of: workers)
    return part
  }
}

extension Preparation {
  /// What each worker is made from. The first has the sockets that were opened, every other opens its own.
  func workerParts(_ run: RunConfiguration, _ sockets: ListenerSockets) throws(EventIOError) -> [WorkerParts]
  {
    let configuration = WorkerShares.part(
      proxyConfiguration(run, bound: sockets.listeners, localAddresses: OperatingSystem.localAddresses()),
      of: run.workers)
    let limits = WorkerShares.part(ConnectionLimits(connections: maxConnections), of: run.workers)
    let tokenKey = if let tokenKey { tokenKey } else { try OperatingSystem.randomKey() }
    var parts: [WorkerParts] = []
    for index in 0..<run.workers {
      let probe = try SourceAddressProbe()
      // A branch of one worker is nothing to another, wherever a response with it comes in.
      let environment = ProxyEnvironment(
        processKey: try OperatingSystem.randomKey(), tokenKey: tokenKey, pages: OperatingSystem.pages,
        sourceAddress: { probe.source(toward: $0) })
      parts.append(
        WorkerParts(
          loop: try EventLoop(), transports: index == 0 ? sockets.transports : try sockets.moreTransports(),
          limits: limits, dnsServers: run.dnsServers, configuration: configuration, environment: environment))
    }
    return parts
  }
}
