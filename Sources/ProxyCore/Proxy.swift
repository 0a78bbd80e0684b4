public import CallState
import PagedStorage
import SIPSyntax
public import ServerLocation
public import Timekeeping

/// A call-stateful, record-routing SIP proxy without any input or output of its own.
///
/// One call per event: a datagram arrived, or time passed. All effects are in the outbox when the call
/// returns. The proxy reads no clock, no randomness and no socket, so the same events give the same
/// octets. A proxy belongs to one thread; only ``counters`` may be read from others.
///
/// Cost of an event: independent of the number of dialogs and transactions; no heap allocation in steady
/// state.
public struct Proxy: ~Copyable {
  /// What has been counted; readable from any thread.
  public let counters: Counters
  private var engine: ProxyEngine
  private var message = SIPMessage()
  private var bench = Workbench()

  /// A proxy with empty tables.
  public init(
    configuration: ProxyConfiguration, environment: ProxyEnvironment, startingAt now: MonotonicInstant
  ) {
    engine = ProxyEngine(configuration: configuration, environment: environment, startingAt: now)
    counters = engine.counters
  }

  /// Takes one datagram, or one message that was framed on a stream, and appends to `outbox` what must be sent
  /// because of it.
  ///
  /// Never throws and never traps, whatever the octets: a bad request gets the right SIP error, everything
  /// else that is not forwarded is counted.
  public mutating func receive(
    _ datagram: Span<UInt8>, over flow: Flow, at now: MonotonicInstant, into outbox: inout Outbox
  ) {
    if !datagram.isEmpty, datagram[0] <= 1, engine.receivesDatagrams(flow.listener) {
      return engine.receiveStun(datagram, over: flow, into: &outbox)
    }
    let arrival = Arrival(flow: flow, now: now)
    switch message.parse(datagram, datagram: !engine.own.transport(of: flow.listener).isReliable) {
    case .wellFormed:
      if message.isRequest {
        engine.receiveRequest(message, datagram, arrival, &bench, into: &outbox)
      } else {
        engine.receiveResponse(message, datagram, arrival, &bench, into: &outbox)
      }
    case .malformed(let defect):
      if message.isRequest {
        engine.receiveMalformedRequest(message, datagram, defect, arrival, &bench, into: &outbox)
      } else {
        counters.add(to: .droppedMalformedResponse)
      }
    case .keepAlive:
      counters.add(to: .keepAlivesReceived)
    case .unrecognisable:
      counters.add(to: .droppedUnrecognisable)
    }
    engine.publish()
  }

  /// Fires the timers that are due, a bounded number of them; `nextDeadline` says whether more wait.
  public mutating func advance(to now: MonotonicInstant, into outbox: inout Outbox) {
    engine.advance(to: now, &bench, into: &outbox)
    engine.publish()
  }

  /// Asks the DNS what the configuration needs; call it once, when the edge can send and ask.
  public mutating func begin(at now: MonotonicInstant, into outbox: inout Outbox) {
    engine.begin(at: now, into: &outbox)
  }

  /// Takes the answer to one of ``Outbox/questions``; requests that waited for it go on.
  public mutating func answered(
    _ question: DNSQuestion, with answer: DNSAnswer, at now: MonotonicInstant, into outbox: inout Outbox
  ) {
    engine.receiveAnswer(answer, to: question, at: now, &bench, into: &outbox)
    engine.publish()
  }

  /// Tells that the system refused to send a request, or that its connection failed: its branch ends as if the next
  /// hop had answered 503 (B93, C25). Safe for a ticket whose branch is long gone. `isLocal` says that the next hop is
  /// not to blame: there was no descriptor, no room in a queue, no memory.
  public mutating func sendFailed(
    _ ticket: SendTicket, isLocal: Bool = false, at now: MonotonicInstant, into outbox: inout Outbox
  ) {
    engine.sendFailed(ticket, isLocal: isLocal, now, &bench, into: &outbox)
    engine.publish()
  }

  /// Tells that an ICMP error came back for a datagram of ours that begins with these octets (D24).
  ///
  /// The request is failed like one that could not be sent if its top Via, which names its branch and proves that
  /// it is ours, is among them; any other octets change nothing.
  public mutating func destinationUnreachable(
    quoting datagram: Span<UInt8>, at now: MonotonicInstant, into outbox: inout Outbox
  ) {
    engine.destinationUnreachable(quoting: datagram, now, &bench, into: &outbox)
    engine.publish()
  }

  /// Tells that a connection was accepted from its peer, or one of ours established; `flow` is what messages on it
  /// arrive over. Only a connection that its peer opened is a client's flow (RFC 5626 §5.3).
  public mutating func connectionOpened(_ flow: Flow, byPeer: Bool) {
    engine.connections.open(flow.connection, byPeer: byPeer)
  }

  /// Tells that a connection is gone; flow tokens that name it lead nowhere from now on (430).
  public mutating func connectionClosed(_ connection: ConnectionID) {
    engine.connections.close(connection)
  }

  /// When ``advance(to:into:)`` has something to do next; nil when nothing is pending.
  public var nextDeadline: MonotonicInstant? { engine.nextDeadline }

  /// From now on new out-of-dialog requests get 503; what exists is served to its end.
  public mutating func beginDraining() { engine.isDraining = true }

  /// Whether ``beginDraining()`` was called.
  public var isDraining: Bool { engine.isDraining }

  /// Server transactions that have no final response yet.
  public var openTransactionCount: Int { engine.openServers }

  /// Server transactions until they are destroyed.
  public var serverTransactionCount: Int { engine.servers.count }

  /// Client transactions until they are destroyed.
  public var clientTransactionCount: Int { engine.clients.count }

  /// Octets that transactions keep at the moment.
  public var storedTransactionBytes: Int { engine.arena.storedBytes }
}

// MARK: - Queries

extension Proxy {
  /// How many dialogs there are, by kind; O(1).
  public var dialogCounts: DialogCounts { engine.dialogs.counts }

  /// A difference between the counts and a walk over the table, or nil; O(dialogs), for tests.
  public func auditDialogs() -> String? { engine.dialogs.auditCounts() }

  /// Whether the dialog table holds nothing at all, not even records kept for a transaction; for tests.
  public var isDialogTableEmpty: Bool { engine.dialogs.isEmpty }

  /// Up to `limit` dialogs from a cursor on; 0 starts. Looks at a bounded number of records.
  public func dialogs(from cursor: UInt32, limit: Int, at now: MonotonicInstant) -> DialogPage {
    engine.dialogs.page(from: cursor, limit: limit, at: now)
  }

  /// One dialog by its identifier; nil when it is gone.
  public func dialog(_ id: UInt64, at now: MonotonicInstant) -> DialogView? {
    engine.dialogs.view(of: DialogView.slabID(of: id), at: now)
  }

  /// Session-timer decisions of a call: those of its dialogs found from `cursor` on, and on the first page
  /// those that made no dialog.
  public func decisions(callID: [UInt8], from cursor: UInt32, at now: MonotonicInstant) -> DecisionPage {
    let page = engine.dialogs.page(ofCallID: callID.span, from: cursor, limit: 100, at: now)
    let second = engine.dialogs.second(of: now)
    var reports: [DecisionReport] = []
    for dialog in page.dialogs {
      reports += dialog.decisions.map { DecisionReport($0, dialog: dialog.publicID, now: second) }
    }
    if cursor == 0 {
      let hash = engine.callIDHash(callID.span, ByteRange(0, callID.count))
      reports += engine.refusals.reasons(callID: hash).map { DecisionReport($0, now: second) }
    }
    return DecisionPage(reports: reports, next: page.next)
  }
}
