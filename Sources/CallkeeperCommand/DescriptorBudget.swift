import EventIO

/// How the descriptors of this process are shared out: connections may not take those that calls over UDP, DNS and
/// queries need (G10, D47).
struct DescriptorBudget: Sendable {
  /// Kept for everything but listeners and connections: 64 queries over each of two ways, and as many for the
  /// loop, DNS, files that are read, and connections that are refused once they were accepted.
  static let reserve = 3 * 64

  /// Kept for the loop, the mailbox, DNS and the probes of every further worker.
  static let reserveOfWorker = 32

  /// Connections that may be held.
  let connections: Int
  /// What to tell people when that is less than they asked for.
  let warning: String?

  /// Asks `allow` for as many descriptors as so many connections and listeners need, and gets by with fewer. Every
  /// worker has a socket of its own for each listener.
  init(
    connections asked: Int, listeners: Int, workers: Int = 1,
    allow: (Int) -> Int = OperatingSystem.allowDescriptors
  ) {
    let others =
      DescriptorBudget.reserve + (workers - 1) * DescriptorBudget.reserveOfWorker + workers * listeners
    let allowed = allow(asked + others)
    connections = min(asked, max(allowed - others, allowed / 4, 1))
    warning =
      connections == asked
      ? nil
      : """
      --\(Flags.maxConnections.name) \(asked): the system allows \(allowed) open files, room for \(connections) \
      connections; raise ulimit -Hn (LimitNOFILE= of a service), or ask for fewer
      """
  }
}
