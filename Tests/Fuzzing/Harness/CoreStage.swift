import CallState
import Glibc
import PagedStorage
import ProxyCore
import SIPSyntax
import ServerLocation
import SessionTimers
import Timekeeping

/// A message that the proxy sent.
struct Sent {
  let bytes: Octets
  let flow: Flow
  let ticket: SendTicket?
  let isRequest: Bool
}

/// One proxy between a few peers, on a virtual clock; everything that leaves it is judged.
final class CoreStage {
  private var proxy: Proxy
  private var outbox = Outbox(capacity: 4096)
  private var now = MonotonicInstant(nanoseconds: 1_000_000_000)
  private var judge = CoreJudge()
  /// Connections by listener and place, while they are open.
  private var connections: [Int: ConnectionID] = [:]
  private var generation: UInt32 = 41
  /// The last messages sent, youngest last.
  private var requests: [Sent] = []
  private var answers: [Sent] = []
  /// What the DNS was asked and has not answered.
  private var questions: [DNSQuestion] = []
  private var sequence = 100

  var digest: UInt64 { judge.digest }

  init(_ setup: UInt8) {
    proxy = Proxy(
      configuration: Self.configuration(setup), environment: Self.environment,
      startingAt: MonotonicInstant(nanoseconds: 1_000_000_000))
    proxy.begin(at: now, into: &outbox)
    collect(causedBy: [])
    if setup & 0xC0 == 0xC0 { proxy.beginDraining() }
  }

  // MARK: - Events

  func wait(_ pause: UInt8) {
    guard pause > 0 else { return }
    // 0.1 s to 25 s, or minutes.
    advance(by: pause < 250 ? .milliseconds(Int64(pause) * 100) : .seconds(Int64(pause - 249) * 600))
  }

  func perform(_ event: CoreEvent) {
    switch event.kind {
    case .octets: deliver(event.text, from: event.place)
    case .answer:
      guard let request = pick(requests, event.place) else { return }
      deliver(
        CoreText.answer(to: request.bytes, variant: event.variant, rows: event.text), over: request.flow)
    case .inDialog:
      guard let answer = pick(answers, event.place) else { return }
      sequence += 1
      let text = CoreText.inDialog(
        like: answer.bytes, variant: event.variant, sequence: sequence, rows: event.text)
      deliver(text, over: event.variant & 0x80 == 0 ? answer.flow : flow(from: event.place))
    case .refuse:
      guard let ticket = pick(requests, event.place)?.ticket else { return }
      proxy.sendFailed(ticket, at: now, into: &outbox)
      collect(causedBy: [])
    case .connection: toggleConnection(event.place)
    case .wait: break
    case .resolve: resolve(event)
    }
  }

  /// The DNS answers a question: with nothing, not at all, or with records that lead to the peers.
  private func resolve(_ event: CoreEvent) {
    guard !questions.isEmpty else { return }
    let question = questions.remove(at: Int(event.place) % questions.count)
    let answer = CoreNames.answer(to: question, variant: event.variant, text: event.text)
    proxy.answered(question, with: answer, at: now, into: &outbox)
    collect(causedBy: [])
  }

  /// Lets everything run out: nothing may be left (C55, F36).
  func finish() {
    // Every question gets its answer, however late.
    while let question = questions.popLast() {
      proxy.answered(question, with: .failure, at: now, into: &outbox)
      collect(causedBy: [])
    }
    advance(by: .seconds(600))
    require(proxy.serverTransactionCount == 0, "no server transaction is left")
    require(proxy.clientTransactionCount == 0, "no client transaction is left")
    require(proxy.openTransactionCount == 0, "no open transaction is left")
    require(proxy.storedTransactionBytes == 0, "no octet of a transaction is left")
    require(proxy.auditDialogs() == nil, "counters equal a walk over the table")
    advance(by: .seconds(26 * 3600))
    require(proxy.isDialogTableEmpty, "no dialog is left after the longest lifetime")
    require(proxy.dialogCounts.total == 0, "no dialog is counted")
  }

  // MARK: - Input

  private func deliver(_ text: Octets, from place: UInt8) { deliver(text, over: flow(from: place)) }

  private func deliver(_ text: Octets, over flow: Flow) {
    let flow = reply(flow)
    judge.heard(text, from: flow.remote)
    proxy.receive(text.span, over: flow, at: now, into: &outbox)
    collect(causedBy: text)
  }

  /// What comes back on a flow that we sent on: for a stream, over the connection that is open there.
  private func reply(_ flow: Flow) -> Flow {
    guard flow.listener >= 2, flow.connection.isNone else { return flow }
    var flow = flow
    generation += 1
    flow.connection = ConnectionID(slot: 9, generation: generation)
    proxy.connectionOpened(flow, byPeer: false)
    return flow
  }

  /// Sixteen peers: eight places over UDP, IPv6, TCP and once more UDP with other ports.
  private func flow(from place: UInt8) -> Flow {
    let number = Int(place % 16)
    let isSix = number / 4 == 1
    let isStream = number / 4 == 2
    let listener = isSix ? 1 : isStream ? 2 : 0
    let remote =
      isSix
      ? IPAddress(v6High: 0x2001_0DB8_0000_0000, v6Low: UInt64(number))
      : IPAddress(v4: 0xC633_6400 + UInt32(number % 4))
    let local = isSix ? IPAddress(v6High: 0x2001_0DB8_0000_0000, v6Low: 0x10) : IPAddress(v4: 0xC000_020A)
    var flow = Flow(
      listener: UInt16(listener), remote: SocketAddress(ip: remote, port: number / 4 == 3 ? 5070 : 5060),
      local: local)
    if isStream {
      if connections[number] == nil { toggleConnection(place) }
      flow.connection = connections[number] ?? .none
    }
    return flow
  }

  private func toggleConnection(_ place: UInt8) {
    let number = Int(place % 4) + 8
    if let open = connections.removeValue(forKey: number) {
      proxy.connectionClosed(open)
    } else {
      generation += 1
      connections[number] = ConnectionID(slot: UInt32(number), generation: generation)
      proxy.connectionOpened(flow(from: UInt8(number)), byPeer: true)
    }
  }

  private func advance(by span: TimeSpan) {
    let target = now + span
    while let deadline = proxy.nextDeadline, deadline <= target {
      now = max(now + TimeSpan(nanoseconds: 1), deadline)
      proxy.advance(to: now, into: &outbox)
      collect(causedBy: [])
    }
    now = max(now, target)
  }

  // MARK: - Output

  private func collect(causedBy input: Octets) {
    judge.judge(outbox, causedBy: input)
    questions += outbox.questions
    for send in outbox.sends {
      let bytes = outbox.bytes.bytes.span.octets(send.bytes)
      let isRequest = !bytes.starts(with: Array("SIP/2.0 ".utf8))
      let sent = Sent(bytes: bytes, flow: send.flow, ticket: send.ticket, isRequest: isRequest)
      if isRequest { requests.append(sent) } else { answers.append(sent) }
    }
    requests.removeFirst(max(0, requests.count - 16))
    answers.removeFirst(max(0, answers.count - 16))
    outbox.removeAll()
  }

  private func pick(_ list: [Sent], _ place: UInt8) -> Sent? {
    list.isEmpty ? nil : list[list.count - 1 - Int(place) % list.count]
  }
}

extension CoreStage {
  /// Two UDP listeners and a TCP one; `setup` chooses limits, next hop and session timer.
  fileprivate static func configuration(_ setup: UInt8) -> ProxyConfiguration {
    let interval = setup & 1 == 0 ? DeltaSeconds(1800) : nil
    guard
      let policy = try? SessionTimerPolicy(
        sessionExpires: interval, minSE: DeltaSeconds(setup & 2 == 0 ? 90 : 1800),
        honorsRefresherUAS: setup & 4 != 0)
    else { violated("the policy is legal", #fileID, #line) }
    let addresses = ["192.0.2.10:5060", "[2001:db8::10]:5060", "192.0.2.10:5060"].compactMap {
      SocketAddress($0)
    }
    let listeners = addresses.enumerated().map { index, address in
      Listener(transport: index == 2 ? .tcp : .udp, bound: address)
    }
    var configuration = ProxyConfiguration(
      listeners: listeners, sessionTimers: policy,
      allowed: (setup & 8 == 0 ? ["0.0.0.0/0", "::/0"] : ["198.51.100.0/31"]).compactMap { AddressBlock($0) })
    configuration.ownNames = [OwnName(host: Array("proxy.example.com".utf8), port: nil)]
    if setup & 16 != 0 {
      configuration.nextHop = NextHop(
        uri: Array("sip:198.51.100.2;lr".utf8),
        addresses: [SocketAddress("198.51.100.2:5060")].compactMap { $0 })
    }
    if setup & 32 != 0 {
      configuration.maxDialogs = 2
      configuration.maxTransactions = 4
      configuration.maxForks = 2
    }
    if setup & 64 != 0, setup & 128 == 0 { configuration.udpMTU = 65_535 }
    return configuration
  }

  fileprivate static var environment: ProxyEnvironment {
    // Anonymous mappings: only the pages that a run touches cost anything.
    let pages = unsafe PageSource(
      map: { count in
        let memory = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        return unsafe memory == MAP_FAILED ? nil : memory
      },
      release: { memory, count in unsafe munmap(memory, count) })
    return ProxyEnvironment(
      processKey: HashKey(1, 2), tokenKey: HashKey(3, 4), pages: pages,
      sourceAddress: { _ in IPAddress("192.0.2.10") })
  }
}
