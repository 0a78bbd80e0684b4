import ProxyCore
import SIPSyntax
import Timekeeping

/// All connections of one worker, over every listener: who they are, how many, and what they hold.
///
/// What concerns the proxy is collected in ``notices`` and taken from there when nothing is being sent, so that
/// sending never calls back into the proxy.
final class ConnectionTable {
  /// Connections looked at in one turn of the loop when time passes.
  private static let sweptAtOnce = 4_096
  /// Connections that are asked, from the one longest unused on, to make room.
  private static let askedForRoom = 64
  /// Connections that are asked after those, wherever the last search ended.
  private static let askedFurther = 256

  /// The loop all of them wait in.
  let loop: EventLoop
  /// The place of their worker among others; nil without others.
  let station: Station?
  /// Accepted connections of TLS that have something to say.
  let handshakes: HandshakeQueue
  /// What they may take.
  let limits: ConnectionLimits
  /// What is counted of them.
  let counters: Counters
  /// Called from the loop when a connection may have messages: reads them.
  var whenReadable: (StreamConnection) -> Void = { _ in }
  /// Called from the loop when there may be notices.
  var whenChanged: () -> Void = {}
  /// Called from the loop when TLS refused a connection; may not call back.
  var whenHandshakeFails: (HandshakeFailure) -> Void = { _ in }

  private var slots: [StreamConnection?] = []
  private var freeSlots: [Int] = []
  private var routes: [ConnectionRoute: StreamConnection] = [:]
  private var sources: [ConnectionSource: Int] = [:]
  /// Connections of ours that are not there yet.
  private var openingCount = 0
  private var recency = RecencyList()
  private var notices: [ConnectionNotice] = []
  private var finishing: [StreamConnection] = []
  private var generation: UInt32
  private var sweeper: LoopEvent?
  private var sweepCursor = 0
  /// The slot at which the next search for room goes on.
  private var roomCursor = 0
  /// Octets of incomplete messages.
  private var partialBytes = 0
  /// Octets that wait to be sent.
  private(set) var queuedBytes = 0

  /// An empty table; `firstGeneration` is random, so that names of an earlier process's connections name none.
  init(
    loop: EventLoop, limits: ConnectionLimits, counting counters: Counters, firstGeneration: UInt32,
    station: Station? = nil
  ) throws(EventIOError) {
    self.loop = loop
    self.station = station
    self.limits = limits
    self.counters = counters
    generation = firstGeneration
    handshakes = try HandshakeQueue(loop: loop)
    sweeper = try loop.timer { [unowned self] in
      sweep(ConnectionTable.sweptAtOnce, at: MonotonicClock.now)
      whenChanged()
    }
  }

  /// Connections that there are.
  var count: Int { slots.count - freeSlots.count }

  // MARK: Finding

  /// The connection of that name.
  func connection(_ id: ConnectionID) -> StreamConnection? {
    let place = place(of: id)
    guard !id.isNone, place < slots.count, let found = slots[place] else { return nil }
    return found.flow.connection == id ? found : nil
  }

  /// Where a connection of this worker stands: names of several workers' connections take turns.
  private func place(of id: ConnectionID) -> Int {
    guard let station else { return Int(id.slot) }
    return Int(id.slot) / station.count
  }

  /// The connection of ours that leads there (D41). The latest that was opened to the same place for another domain
  /// will do, if its certificate names this one too (G29).
  func connection(along route: ConnectionRoute) -> StreamConnection? {
    if let found = routes[route] { return found }
    guard let other = routes[route.place], other.proves(route.peer) else { return nil }
    return other
  }

  // MARK: Coming and going

  /// Whether there may be one more; makes room if it can (D47).
  ///
  /// One address gets a part of all connections, whichever side opens them, and so do those that are not there
  /// yet: requests to places that never answer must not take the room of everybody else.
  func admits(_ source: ConnectionSource, at now: MonotonicInstant) -> Bool {
    if sources[source, default: 0] >= limits.connectionsOfSource, !reclaim(from: source, at: now) {
      counters.add(to: .connectionsRefusedBySourceLimit)
      return false
    }
    let isTooMany = source.isOurs && openingCount >= limits.connectionsOpening
    if isTooMany || count >= limits.connections && !reclaim(at: now) {
      counters.add(to: .connectionsRefusedByLimit)
      return false
    }
    return true
  }

  /// Closes the connection that was longest unused, if nobody will miss it, or another that nobody will.
  ///
  /// Each search costs the same, and searches that follow one another come past every connection.
  @discardableResult
  func reclaim(from source: ConnectionSource? = nil, at now: MonotonicInstant) -> Bool {
    for slot in recency.oldest(ConnectionTable.askedForRoom) {
      if makesRoom(slot, from: source, at: now) { return true }
    }
    for _ in 0..<min(ConnectionTable.askedFurther, slots.count) {
      roomCursor = roomCursor + 1 < slots.count ? roomCursor + 1 : 0
      if makesRoom(roomCursor, from: source, at: now) { return true }
    }
    return false
  }

  /// Closes the connection of a slot if it is of `source` and nobody will miss it.
  private func makesRoom(_ slot: Int, from source: ConnectionSource?, at now: MonotonicInstant) -> Bool {
    guard let candidate = slots[slot], source == nil || candidate.source == source,
      candidate.isReclaimable(at: now)
    else {
      return false
    }
    candidate.close(because: .reclaimed)
    return true
  }

  /// Takes in a connection; `flow` gets its name here.
  @discardableResult
  func add(
    _ start: StreamConnection.Start, tls: TLSContext?, _ flow: Flow, route: ConnectionRoute?
  ) -> StreamConnection {
    let slot = freeSlots.popLast() ?? slots.count
    if slot == slots.count { slots.append(nil) }
    generation = generation == .max ? 1 : generation + 1
    var flow = flow
    flow.connection =
      station?.connection(at: slot, generation: generation)
      ?? ConnectionID(slot: UInt32(slot), generation: generation)
    let connection = StreamConnection(start, tls: tls, flow: flow, route: route, in: self)
    slots[slot] = connection
    recency.append(slot)
    if let route { routes[route] = connection }
    sources[connection.source, default: 0] += 1
    if route != nil { openingCount += 1 }
    if connection.state == .open { established(connection) }
    counters.set(.connections, to: count)
    if count == 1 { sweeper?.arm(after: .seconds(1)) }
    return connection
  }

  /// Tells the proxy of a connection it can use.
  func established(_ connection: StreamConnection) {
    counters.add(to: connection.route == nil ? .connectionsAccepted : .connectionsEstablished)
    if let route = connection.route { routes[route.place] = connection }
    notices.append(.opened(connection.flow, byPeer: connection.route == nil))
  }

  /// Notes that a connection is there, or will never be.
  func leavesEstablishing(_ connection: StreamConnection) {
    if connection.route != nil { openingCount -= 1 }
  }

  /// Tells the proxy that a connection and the requests on it are lost.
  func ended(_ connection: StreamConnection, because end: ConnectionEnd?, requests: [SendTicket]) {
    if let end { counters.add(to: end.counter) }
    notices.append(.closed(connection.flow.connection))
    for ticket in requests { notices.append(.failed(ticket)) }
    guard let route = connection.route else { return }
    for key in [route, route.place] where routes[key] === connection { routes[key] = nil }
  }

  /// Frees the place of a connection that has closed.
  func remove(_ connection: StreamConnection) {
    let slot = place(of: connection.flow.connection)
    slots[slot] = nil
    freeSlots.append(slot)
    recency.remove(slot)
    let source = connection.source
    let left = sources[source, default: 1] - 1
    sources[source] = left > 0 ? left : nil
    counters.set(.connections, to: count)
  }

  // MARK: For the worker

  /// What happened since the last call.
  func takeNotices() -> [ConnectionNotice] {
    guard !notices.isEmpty else { return [] }
    defer { notices.removeAll() }
    return notices
  }

  /// A connection that closes once the answer to what it sent has left.
  func closeSoon(_ connection: StreamConnection) { finishing.append(connection) }

  /// Everything the proxy had to say has been queued.
  func closeFinished() {
    guard !finishing.isEmpty else { return }
    let last = finishing
    finishing.removeAll()
    for connection in last { connection.closeWhenDrained() }
  }

  /// Says farewell on all connections; nothing waits to be sent, and nothing will be.
  func part() {
    for case .some(let connection) in slots { connection.part() }
  }

  // MARK: Limits

  /// Notes that a connection was used.
  func touch(_ connection: StreamConnection) { recency.touch(place(of: connection.flow.connection)) }

  /// Whether so many octets may wait behind those that wait on a connection already.
  func hasRoom(for octets: Int, behind waiting: Int) -> Bool {
    waiting + octets <= limits.queueBytes && queuedBytes + octets <= limits.allQueueBytes
  }

  /// Takes in how much more or less a connection holds.
  func account(input: Int, output: Int) {
    partialBytes += input
    queuedBytes += output
    counters.set(.partialMessageBytes, to: partialBytes)
    counters.set(.writeQueueBytes, to: queuedBytes)
  }

  /// Gives up the longest incomplete message when all of them are too many octets (D35).
  ///
  /// Each read brings less than the longest of so many has, so that the sum stays near its limit.
  func boundPartialMessages() {
    guard partialBytes > limits.partialBytes else { return }
    var longest: (octets: Int, connection: StreamConnection)?
    for case .some(let connection) in slots where connection.partialBytes > longest?.octets ?? 0 {
      longest = (connection.partialBytes, connection)
    }
    longest?.connection.giveUpMessage(because: .partialMemory)
  }

  /// Lets every connection do what is due by `now`, or the next `most` of them.
  func sweep(_ most: Int = .max, at now: MonotonicInstant) {
    let end = min(slots.count, sweepCursor + min(most, slots.count))
    while sweepCursor < end {
      slots[sweepCursor]?.advance(to: now)
      sweepCursor += 1
    }
    if sweepCursor >= slots.count { sweepCursor = 0 }
    if count > 0 { sweeper?.arm(after: sweepCursor == 0 ? .seconds(1) : .zero) }
  }
}

extension StreamConnection {
  /// Whom it counts for.
  var source: ConnectionSource { ConnectionSource(flow.remote.ip, isOurs: route != nil) }
}
