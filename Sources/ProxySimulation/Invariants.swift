import CallState
import ProxyCore
import SIPSyntax
import Timekeeping

/// An invariant that failed.
struct Violation: Error {
  let text: String
  /// The call whose messages tell the story.
  var callID: String?

  init(_ text: String, call callID: String? = nil) {
    self.text = text
    self.callID = callID
  }
}

/// Everything that must hold after every event, whatever the network and the user agents do.
///
/// Two witnesses watch the datagrams on both sides of the proxy: ``ForwardingWitness`` what is passed on,
/// ``DialogWitness`` which calls are up and until when. Neither looks into the proxy; here the second one's
/// expectations are compared with the proxy's own table.
struct Invariants {
  private var forwarding: ForwardingWitness
  private var dialogs: DialogWitness
  private var lastCounts = DialogCounts()
  private var eventsSinceWalk = 0
  private var lastArrival: MonotonicInstant
  private var hasJumped = false

  init(configuration: ProxyConfiguration, start: MonotonicInstant) {
    forwarding = ForwardingWitness(configuration: configuration)
    lastArrival = start
    dialogs = DialogWitness(configuration: configuration, start: start)
  }

  /// A datagram is about to be given to the proxy.
  mutating func entered(_ message: WireMessage, from source: SocketAddress, at now: MonotonicInstant) {
    lastArrival = now
    forwarding.entered(message, from: source, at: now)
    dialogs.entered(message, at: now)
  }

  /// A datagram came out of the proxy.
  mutating func left(
    _ message: WireMessage, to destination: SocketAddress, isStream: Bool, at now: MonotonicInstant
  ) -> Violation? {
    let violation = forwarding.left(message, to: destination, isStream: isStream, at: now)
    dialogs.left(message, at: now)
    return violation
  }

  /// The system refused to send a request that just left.
  mutating func refused(_ message: WireMessage, at now: MonotonicInstant) { forwarding.refused(message) }

  /// The connection of a request broke, perhaps after it had arrived.
  mutating func failed(_ message: WireMessage) { forwarding.failed(message) }

  /// A connection of that host broke.
  mutating func broke(_ host: IPAddress) { forwarding.brokenHosts.insert(host) }

  /// The clock jumped ahead, or the proxy stood still.
  mutating func clockJumped(at now: MonotonicInstant) {
    lastArrival = now
    hasJumped = true
    forwarding.clockJumped()
  }

  /// Says where a URI leads that does not say so itself: to one of these.
  mutating func expect(_ uri: String, at places: [SocketAddress]) { forwarding.knownPlaces[uri] = places }

  /// Says for which hosts the DNS had no answer, or none in time.
  mutating func troubled(_ hosts: Set<String>) { forwarding.troubledHosts = hosts }

  /// After so long without any message every transaction is over: the DNS, Timer C, the CANCEL it sends, and Timer H.
  private static let longestTransaction = TimeSpan.seconds(5 + 185 + 32 + 32 + 1)

  /// The event is over. The counters are compared with a walk of the table every time; the dialogs one by one
  /// when the counters moved, when one is overdue, and every now and then.
  mutating func check(
    _ proxy: borrowing Proxy, isBehind: Bool, at now: MonotonicInstant
  ) -> Violation? {
    if let violation = forwarding.check() { return violation }
    dialogs.isProxyBehind = isBehind
    if isBehind { lastArrival = now }
    if lastArrival + Self.longestTransaction < now,
      proxy.clientTransactionCount + proxy.serverTransactionCount > 0
    {
      let counts = "\(proxy.clientTransactionCount) client, \(proxy.serverTransactionCount) server"
      return Violation("transactions outlive everything that could keep them (C55): \(counts)")
    }
    if let difference = proxy.auditDialogs() { return Violation("counters and table differ: \(difference)") }
    let counts = proxy.dialogCounts
    eventsSinceWalk += 1
    let isDue = dialogs.earliestLimit < now && !isBehind || eventsSinceWalk >= 500
    guard counts != lastCounts || isDue || dialogs.hasNews else { return nil }
    lastCounts = counts
    eventsSinceWalk = 0
    return dialogs.compare(with: Self.table(of: proxy, at: now), at: now)
  }

  /// Nothing is left to happen: nothing may be left in the proxy (C55, F36).
  mutating func checkEnd(_ proxy: borrowing Proxy, at now: MonotonicInstant) -> Violation? {
    if let violation = check(proxy, isBehind: false, at: now) ?? forwarding.checkEnd() { return violation }
    let remains = [
      ("dialogs", proxy.dialogCounts.total), ("server transactions", proxy.serverTransactionCount),
      ("client transactions", proxy.clientTransactionCount),
      ("open transactions", proxy.openTransactionCount),
      ("octets of transactions", proxy.storedTransactionBytes),
      ("records of the dialog table", proxy.isDialogTableEmpty ? 0 : 1),
      ("ends without a cause", hasJumped ? 0 : Int(proxy.dialogCounts.ended[.earlyTimeout])),
    ].filter { $0.1 != 0 }
    guard let first = remains.first else { return nil }
    return Violation(
      "left at the end: \(first.1) \(first.0)", call: Self.table(of: proxy, at: now).first?.callID)
  }

  private static func table(of proxy: borrowing Proxy, at now: MonotonicInstant) -> [DialogView] {
    var views: [DialogView] = []
    var cursor: UInt32? = 0
    while let from = cursor {
      let page = proxy.dialogs(from: from, limit: 1000, at: now)
      views += page.dialogs
      cursor = page.next
    }
    return views
  }
}
