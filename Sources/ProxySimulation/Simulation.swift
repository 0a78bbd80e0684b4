import ProxyCore
import SIPSyntax
import Timekeeping

/// Something with an address on the simulated network.
protocol SimulatedEndpoint: AnyObject {
  var address: SocketAddress { get }
  /// Whether a program is there that reads what arrives.
  var isListening: Bool { get }
  /// A datagram arrived.
  func receive(_ message: WireMessage, from source: SocketAddress)
  /// A message arrived over a connection.
  func receive(_ message: WireMessage, from source: SocketAddress, over connection: ConnectionID)
}

extension SimulatedEndpoint {
  var isListening: Bool { true }

  func receive(_ message: WireMessage, from source: SocketAddress, over connection: ConnectionID) {
    receive(message, from: source)
  }
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
  var tally = SimulationTally()
  private(set) var violation: Violation?
  var ladder = Ladder(proxy: Simulation.proxyAddress)
  var proxy: Proxy
  var outbox = Outbox()
  private var queue = EventQueue()
  var network: LossyNetwork
  var names: SimulatedDNS
  private(set) var endpoints: [SocketAddress: any SimulatedEndpoint] = [:]
  var invariants: Invariants
  var connections = ConnectionRegistry()
  /// Connections that the proxy was told are gone.
  var knownBroken: Set<ConnectionID> = []
  private var standstill: Standstill?

  /// The proxy gets no processor: datagrams wait, timers wait.
  private struct Standstill {
    let end: MonotonicInstant
    /// Whether its timers come before the datagrams when it goes on.
    let timersFirst: Bool
    var waiting: [() -> Void] = []
  }

  init(configuration: ProxyConfiguration, network: LossyNetwork, names: SimulatedDNS) {
    proxy = Proxy(
      configuration: configuration, environment: ProxyDriver.environment(), startingAt: Self.start)
    invariants = Invariants(configuration: configuration, start: Self.start)
    self.network = network
    self.names = names
  }

  /// An address written in this module; a bad one is our bug.
  static func address(_ text: String) -> SocketAddress {
    guard let address = SocketAddress(text) else { preconditionFailure("no address: \(text)") }
    return address
  }

  /// The address in a Route value or a URI in angle brackets; nil when its host is a name.
  static func address(inRoute value: String) -> SocketAddress? {
    hostPort(inRoute: value).flatMap(SocketAddress.init)
  }

  /// The host, with its port if it has one, in a Route value or a URI in angle brackets.
  static func hostPort(inRoute value: String) -> String? {
    let uri = value.utf8.drop { $0 == 60 }.prefix { $0 != 62 && $0 != 59 }
    guard let colon = uri.firstIndex(of: 58) else { return nil }
    let rest = uri[uri.index(after: colon)...]
    let hostPort = rest.lastIndex(of: 64).map { rest[rest.index(after: $0)...] } ?? rest
    return String(Substring(hostPort))
  }

  /// What the proxy has counted.
  var counters: Counters { proxy.counters }

  // MARK: For endpoints

  /// Connects an endpoint to the network.
  func add(_ endpoint: any SimulatedEndpoint) { endpoints[endpoint.address] = endpoint }

  /// Lets something happen later.
  func after(_ span: TimeSpan, _ action: @escaping () -> Void) { queue.add(at: now + span, action) }

  /// Cuts an address off for a while.
  func unplug(_ address: SocketAddress, for span: TimeSpan) {
    network.unplug(address, until: now + span)
    ladder.remark("\(address) is cut off for \(span.wholeSeconds) s", at: now)
  }

  /// Says that a Contact which leads nowhere belongs to an address (a client behind NAT).
  func expect(_ contact: String, at address: SocketAddress) { invariants.expect(contact, at: [address]) }

  // MARK: Time out of joint

  /// Moves everybody's clock far ahead: all that was to happen meanwhile happens now.
  func jump(by span: TimeSpan) {
    now = now + span
    invariants.clockJumped(at: now)
    ladder.remark("the clock jumps ahead by \(span.wholeSeconds) s", at: now)
  }

  /// Stops the proxy for a while, as a debugger or a busy machine does.
  func stopProxy(for span: TimeSpan, timersFirst: Bool) {
    guard standstill == nil else { return }
    standstill = Standstill(end: now + span, timersFirst: timersFirst)
    invariants.clockJumped(at: now)
    ladder.remark("the proxy stands still for \(span.wholeSeconds) s", at: now)
  }

  /// What waited in the socket and the timers that are due, in either order.
  private func resumeProxy() {
    guard let ended = standstill else { return }
    standstill = nil
    invariants.clockJumped(at: now)
    if ended.timersFirst { catchUp() }
    for event in ended.waiting { event() }
    catchUp()
  }

  private func catchUp() {
    while let deadline = proxy.nextDeadline, deadline <= now, violation == nil {
      advanceProxy()
      fail(invariants.check(proxy, isBehind: true, at: now))
    }
  }

  /// Puts a datagram on the network.
  func send(_ bytes: [UInt8], from sender: SocketAddress, to receiver: SocketAddress) {
    send(WireMessage(bytes), from: sender, to: receiver)
  }

  private func send(_ message: WireMessage, from sender: SocketAddress, to receiver: SocketAddress) {
    let journeys = network.journeys(from: sender, to: receiver, at: now)
    note(
      message, from: sender, to: receiver,
      fate: journeys.isEmpty ? .isLost : journeys.count > 1 ? .arrivesTwice : .arrives)
    for journey in journeys {
      after(journey) { [unowned self] in arrive(message, from: sender, at: receiver) }
    }
  }

  /// Remembers what was sent, for the fingerprint and the ladder.
  func note(_ message: WireMessage, from sender: SocketAddress, to receiver: SocketAddress, fate: Ladder.Fate)
  {
    tally.add(message.bytes, at: now)
    ladder.note(message, from: sender, to: receiver, fate: fate, at: now)
  }

  // MARK: Running

  /// Runs until nothing is left to happen, or an invariant fails, or `limit` events have passed.
  func run(limit: Int = 2_000_000) {
    while violation == nil {
      let mine = queue.nextInstant ?? .distantFuture
      let proxys = standstill?.end ?? proxy.nextDeadline ?? .distantFuture
      guard min(mine, proxys) != .distantFuture else { break }
      tally.events += 1
      if tally.events > limit { return fail(Violation("no end after \(limit) events")) }
      if mine <= proxys {
        now = max(now, mine)
        queue.popFirst()?()
      } else {
        now = max(now, proxys)
        if standstill == nil { advanceProxy() } else { resumeProxy() }
      }
      let isBehind = standstill != nil || (proxy.nextDeadline ?? .distantFuture) <= now
      if violation == nil { fail(invariants.check(proxy, isBehind: isBehind, at: now)) }
    }
    tally.end = now
    if violation == nil { fail(invariants.checkEnd(proxy, at: now)) }
  }

  private func arrive(_ message: WireMessage, from sender: SocketAddress, at receiver: SocketAddress) {
    guard receiver == Self.proxyAddress else {
      endpoints[receiver]?.receive(message, from: sender)
      return
    }
    // The socket's buffer is long full of what came earlier.
    if let pause = standstill, pause.end.duration(since: now) >= .seconds(2) { return }
    let flow = Flow(listener: 0, remote: sender, local: Self.proxyAddress.ip)
    atProxy { [unowned self] in give(message, over: flow) }
  }

  /// Lets something happen at the proxy: now, or when it has a processor again.
  func atProxy(_ event: @escaping () -> Void) {
    if standstill == nil { event() } else { standstill?.waiting.append(event) }
  }

  /// Gives a message to the proxy.
  func give(_ message: WireMessage, over flow: Flow) {
    tally.arrivals += 1
    invariants.entered(message, from: flow.remote, at: now)
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

  /// Examines what the proxy sent and puts it on the network, or refuses to.
  func dispatch() {
    let all = outbox.bytes.bytes
    var refused: [SendTicket] = []
    for sent in outbox.sends {
      let message = WireMessage(Array(all[sent.bytes.lowerBound..<sent.bytes.upperBound]))
      let receiver = sent.flow.remote
      if sent.flow.listener == Self.streamListener {
        fail(invariants.left(message, to: receiver, isStream: true, at: now))
        if sent.ticket != nil, sent.flow.isExclusive, knownBroken.contains(sent.flow.connection) {
          return fail(Violation("a request left over a connection that is gone (430)", call: message.callID))
        }
        if sent.ticket != nil, !sent.flow.isExclusive, endpoints[receiver] == nil {
          return fail(Violation("a request left for \(receiver), where nobody listens", call: message.callID))
        }
        if !sendStream(message, over: sent.flow, ticket: sent.ticket) {
          note(message, from: Self.proxyAddress, to: receiver, fate: .isRefused)
          if let ticket = sent.ticket {
            invariants.refused(message, at: now)
            refused.append(ticket)
          }
        }
        continue
      }
      guard let endpoint = endpoints[receiver] else {
        return fail(Violation("a datagram left for \(receiver), where nobody is", call: message.callID))
      }
      fail(invariants.left(message, to: receiver, isStream: false, at: now))
      if let ticket = sent.ticket, network.refuses(toTheDead: !endpoint.isListening) {
        note(message, from: Self.proxyAddress, to: receiver, fate: .isRefused)
        invariants.refused(message, at: now)
        refused.append(ticket)
      } else {
        send(message, from: Self.proxyAddress, to: receiver)
      }
    }
    let questions = outbox.questions
    outbox.removeAll()
    ask(questions)
    for ticket in refused {
      proxy.sendFailed(ticket, at: now, into: &outbox)
      dispatch()
    }
  }

  func fail(_ found: Violation?) {
    if violation == nil { violation = found }
  }
}
