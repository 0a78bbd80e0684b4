import ProxyCore
import SIPSyntax
public import Timekeeping

/// Something with an address on the simulated network.
protocol SimulatedEndpoint: AnyObject {
  var address: SocketAddress { get }
  /// A datagram arrived.
  func receive(_ message: WireMessage, from source: SocketAddress)
}

/// The real proxy among simulated user agents, on a simulated network, in virtual time.
///
/// Everything that happens is an event: a datagram arrives, a user agent's timer fires, the proxy's next
/// deadline has come. After every event the invariants are checked; the first that fails stops the run.
/// Nothing here reads a clock or draws a number that the seed does not give.
final class Simulation {
  /// The address of the proxy's one listener.
  static let proxyAddress = address("192.0.2.10:5060")
  /// Where the virtual clock starts.
  static let start = MonotonicInstant(nanoseconds: 1_000_000_000)

  private(set) var now = Simulation.start
  private(set) var tally = SimulationTally()
  private(set) var violation: Violation?
  private(set) var ladder = Ladder(proxy: Simulation.proxyAddress)
  private var proxy: Proxy
  private var outbox = Outbox()
  private var queue = EventQueue()
  private var network: LossyNetwork
  private var endpoints: [SocketAddress: any SimulatedEndpoint] = [:]
  private var invariants: Invariants

  init(configuration: ProxyConfiguration, network: LossyNetwork) {
    proxy = Proxy(
      configuration: configuration, environment: ProxyDriver.environment(), startingAt: Self.start)
    invariants = Invariants(configuration: configuration, start: Self.start)
    self.network = network
  }

  /// An address written in this module; a bad one is our bug.
  static func address(_ text: String) -> SocketAddress {
    guard let address = SocketAddress(text) else { preconditionFailure("no address: \(text)") }
    return address
  }

  /// What the proxy has counted.
  var counters: Counters { proxy.counters }

  // MARK: For endpoints

  /// Connects an endpoint to the network.
  func add(_ endpoint: any SimulatedEndpoint) { endpoints[endpoint.address] = endpoint }

  /// Lets something happen later.
  func after(_ span: TimeSpan, _ action: @escaping () -> Void) { queue.add(at: now + span, action) }

  /// Cuts an address off for ever.
  func unplug(_ address: SocketAddress) { network.unplug(address) }

  /// Puts a datagram on the network.
  func send(_ bytes: [UInt8], from sender: SocketAddress, to receiver: SocketAddress) {
    send(WireMessage(bytes), from: sender, to: receiver)
  }

  private func send(_ message: WireMessage, from sender: SocketAddress, to receiver: SocketAddress) {
    tally.add(message.bytes, at: now)
    let journeys = network.journeys(from: sender, to: receiver)
    let fate: Ladder.Fate = journeys.isEmpty ? .isLost : journeys.count > 1 ? .arrivesTwice : .arrives
    ladder.note(message, from: sender, to: receiver, fate: fate, at: now)
    for journey in journeys {
      after(journey) { [unowned self] in arrive(message, from: sender, at: receiver) }
    }
  }

  // MARK: Running

  /// Runs until nothing is left to happen, or an invariant fails, or `limit` events have passed.
  func run(limit: Int = 2_000_000) {
    while violation == nil {
      let mine = queue.nextInstant ?? .distantFuture
      let proxys = proxy.nextDeadline ?? .distantFuture
      guard min(mine, proxys) != .distantFuture else { break }
      tally.events += 1
      if tally.events > limit { return fail(Violation("no end after \(limit) events")) }
      if mine <= proxys {
        now = max(now, mine)
        queue.popFirst()?()
      } else {
        now = max(now, proxys)
        advanceProxy()
      }
      if violation == nil { fail(invariants.check(proxy, at: now)) }
    }
    tally.end = now
    if violation == nil { fail(invariants.checkEnd(proxy, at: now)) }
  }

  private func arrive(_ message: WireMessage, from sender: SocketAddress, at receiver: SocketAddress) {
    guard receiver == Self.proxyAddress else {
      endpoints[receiver]?.receive(message, from: sender)
      return
    }
    tally.arrivals += 1
    invariants.entered(message, at: now)
    let flow = Flow(listener: 0, remote: sender, local: Self.proxyAddress.ip)
    let bytes = message.bytes
    proxy.receive(bytes.span, over: flow, at: now, into: &outbox)
    dispatch()
  }

  private func advanceProxy() {
    proxy.advance(to: now, into: &outbox)
    dispatch()
    // What is left of a slice is done a moment later, as an event loop would.
    if let next = proxy.nextDeadline, next <= now { now = now + TimeSpan(nanoseconds: 1) }
  }

  /// Examines what the proxy sent and puts it on the network.
  private func dispatch() {
    let all = outbox.bytes.bytes
    for sent in outbox.sends {
      let message = WireMessage(Array(all[sent.bytes.lowerBound..<sent.bytes.upperBound]))
      send(message, from: Self.proxyAddress, to: sent.flow.remote)
      fail(invariants.left(message, to: sent.flow.remote, at: now))
    }
    outbox.removeAll()
  }

  private func fail(_ found: Violation?) {
    if violation == nil { violation = found }
  }
}

/// What a run amounted to.
public struct SimulationTally: Sendable, Equatable {
  /// Datagrams sent by anybody.
  public internal(set) var datagrams = 0
  /// Datagrams that reached the proxy.
  public internal(set) var arrivals = 0
  /// Events of any kind.
  public internal(set) var events = 0
  /// The virtual clock at the end.
  public internal(set) var end = MonotonicInstant.origin
  /// FNV-1a over every datagram and its instant: equal for equal runs.
  public internal(set) var fingerprint: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(_ bytes: [UInt8], at now: MonotonicInstant) {
    datagrams += 1
    var hash = (fingerprint ^ now.nanoseconds) &* 0x100_0000_01B3
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    fingerprint = hash
  }
}
