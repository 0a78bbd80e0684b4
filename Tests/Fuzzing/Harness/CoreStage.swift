import CallState
import ProxyCore
import SIPSyntax
import ServerLocation
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
  private var peers = CorePeers()
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
      proxy.sendFailed(ticket, isLocal: event.variant & 1 != 0, at: now, into: &outbox)
      collect(causedBy: [])
    case .connection: changeConnection(event)
    case .wait: break
    case .resolve, .reply: resolve(event)
    case .quote: quote(event)
    case .stun:
      deliver(
        CoreStun.message(event.variant, transaction: event.place, attributes: event.text), from: event.place)
    case .drain: proxy.beginDraining()
    }
  }

  /// The DNS answers a question: with nothing, not at all, or with records that lead to the peers or astray.
  private func resolve(_ event: CoreEvent) {
    guard !questions.isEmpty else { return }
    let question = questions.remove(at: Int(event.place) % questions.count)
    let answer =
      event.kind == .reply
      ? CoreNames.reply(to: question, variant: event.variant, text: event.text)
      : CoreNames.answer(to: question, variant: event.variant, text: event.text)
    proxy.answered(question, with: answer, at: now, into: &outbox)
    collect(causedBy: [])
  }

  /// D24: an ICMP error quotes the start of a request that was sent, or what somebody made up.
  private func quote(_ event: CoreEvent) {
    var quotation = Octets()
    if event.place < 128, let request = pick(requests, event.place) {
      quotation = event.variant == 255 ? request.bytes : Array(request.bytes.prefix(Int(event.variant) * 4))
    }
    quotation += event.text
    proxy.destinationUnreachable(quoting: quotation.span, at: now, into: &outbox)
    collect(causedBy: [])
  }

  private func changeConnection(_ event: CoreEvent) {
    if event.variant & 1 == 0 { peers.toggle(event.place) } else { peers.closeOurs(event.place) }
    tellConnections(failing: event.variant & 2 != 0)
  }

  /// Tells the proxy of connections that opened and closed; what was sent over those may have failed.
  private func tellConnections(failing: Bool = false) {
    for notice in peers.takeNotices() {
      switch notice {
      case .opened(let flow, let byPeer): proxy.connectionOpened(flow, byPeer: byPeer)
      case .closed(let connection, let flow):
        proxy.connectionClosed(connection)
        let lost = requests.filter {
          $0.flow.connection == connection
            || $0.flow.connection.isNone && $0.flow.listener == flow.listener && $0.flow.remote == flow.remote
        }
        for ticket in lost.compactMap(\.ticket) where failing {
          proxy.sendFailed(ticket, at: now, into: &outbox)
          collect(causedBy: [])
        }
      }
    }
  }

  /// Lets everything run out: nothing may be left (C55, F36).
  func finish() {
    // Every question gets its answer, however late.
    while let question = questions.popLast() {
      proxy.answered(question, with: .failure, at: now, into: &outbox)
      collect(causedBy: [])
    }
    peers.closeAll()
    tellConnections(failing: true)
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
    let flow = peers.reply(on: flow)
    tellConnections()
    judge.heard(text, over: flow)
    proxy.receive(text.span, over: flow, at: now, into: &outbox)
    collect(causedBy: text)
  }

  private func flow(from place: UInt8) -> Flow {
    defer { tellConnections() }
    return peers.flow(from: place)
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
    judge.judge(outbox, causedBy: input, among: peers)
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
