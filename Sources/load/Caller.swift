import SIPSyntax
import Timekeeping

/// The user agent that calls: sets calls up, holds, refreshes and ends them, and measures how long that takes.
final class Caller {
  /// A request that waits for its answer.
  private struct Pending {
    var call: UInt32
    var sequence: UInt8
  }

  /// What was counted so far.
  private(set) var tally = CallerTally()
  /// INVITE to 180, for idle and load calls.
  private(set) var ringing = LatencyRecord()
  /// INVITE to 200, for idle and load calls.
  private(set) var answered = LatencyRecord()
  /// INVITE to 180, for probes.
  private(set) var probesRinging = LatencyRecord()
  /// INVITE to 200, for probes.
  private(set) var probesAnswered = LatencyRecord()
  /// UPDATE to its answer.
  private(set) var refreshed = LatencyRecord()
  /// Microseconds from INVITE to 200 of the probes since ``takeRecentProbes()``; kept only when somebody asks.
  private var recentProbes: [UInt32] = []
  /// Whether the set-up time of each probe is kept.
  var keepsRecentProbes = false

  private let ports: [DatagramPort]
  private let proxy: SocketAddress
  private let run: RunName
  private let started: MonotonicInstant
  private let refreshes: Int
  private var messages: [CallerMessages]
  private var calls: [Call] = []
  private var routes = RouteStore()
  private var routeSet = RouteSet()
  private var message = SIPMessage(rowLimit: 64)
  private var repetitions = Repetitions<Pending>()
  private var pauses: DelayQueue<UInt32>

  /// A caller that sends from `ports` in turn through `proxy`. A load call waits `pause` before each of its
  /// refreshes, and before it hangs up.
  init(
    from ports: [DatagramPort], through proxy: SocketAddress, to callee: SocketAddress, run: RunName,
    pause: TimeSpan, refreshes: Int, expecting capacity: Int, at now: MonotonicInstant
  ) {
    self.ports = ports
    self.proxy = proxy
    self.run = run
    self.refreshes = refreshes
    started = now
    messages = ports.map { CallerMessages(from: $0.address, to: callee, run: run) }
    pauses = DelayQueue(delay: pause)
    calls.reserveCapacity(capacity)
  }

  /// The probes' set-up times since the last call.
  func takeRecentProbes() -> [UInt32] {
    defer { recentProbes.removeAll(keepingCapacity: true) }
    return recentProbes
  }

  /// Starts a call.
  func start(_ purpose: Purpose, interval: UInt32, at now: MonotonicInstant) {
    let number = UInt32(calls.count)
    var call = Call(purpose, interval: interval, refreshes: purpose == .load ? refreshes : 0)
    call.sentAt = microseconds(now)
    calls.append(call)
    tally[purpose].started += 1
    sendInvite(number)
    repetitions.begin(Pending(call: number, sequence: 1), .invite, at: now)
  }

  /// Takes in one datagram that came to the port of that index.
  func receive(_ bytes: Span<UInt8>, at now: MonotonicInstant) {
    guard case .wellFormed = message.parse(bytes) else {
      tally.unknown += 1
      return
    }
    guard !message.isRequest else {
      tally.requestsToCaller += 1
      return
    }
    guard let number = run.call(in: bytes, message.callID), number < calls.count else {
      tally.unknown += 1
      return
    }
    if message.cSeq.method == .invite {
      receiveInviteAnswer(number, bytes, now)
    } else if message.status >= 200 {
      receiveAnswer(number, now)
    }
  }

  /// Goes on with the calls whose pause is over, and repeats what got no answer.
  func runDue(at now: MonotonicInstant) {
    while let number = pauses.takeDue(at: now) {
      if calls[Int(number)].refreshesLeft > 0 {
        calls[Int(number)].refreshesLeft -= 1
        sendNext(number, .refreshing, at: now)
      } else {
        sendNext(number, .leaving, at: now)
      }
    }
    var repeats = 0
    while repeats < Repetitions<Pending>.burst, let due = repetitions.takeDue(at: now) {
      let call = calls[Int(due.element.call)]
      guard call.sequence == due.element.sequence else { continue }
      switch call.phase {
      case .up, .over: continue
      case .inviting, .proceeding, .refreshing, .leaving: break
      }
      if due.isLast {
        giveUp(due.element.call, at: now)
        continue
      }
      switch call.phase {
      case .inviting:
        tally.repeatedInvites += 1
        sendInvite(due.element.call)
      case .refreshing:
        tally.repeatedUpdates += 1
        send(.update, due.element.call)
      case .leaving:
        tally.repeatedByes += 1
        send(.bye, due.element.call)
      case .proceeding, .up, .over: break
      }
      repetitions.repeated(due, at: now)
      repeats += 1
    }
  }

  private func microseconds(_ now: MonotonicInstant) -> UInt32 {
    UInt32(truncatingIfNeeded: now.duration(since: started).nanoseconds / 1_000)
  }

  private func port(of number: UInt32) -> Int { Int(number) % ports.count }

  private func sendInvite(_ number: UInt32) {
    let source = port(of: number)
    let interval = calls[Int(number)].interval
    ports[source].send(to: proxy) { messages[source].writeInvite(number, interval: interval, to: &$0) }
  }

  /// Sends UPDATE or BYE for the first time.
  private func sendNext(_ number: UInt32, _ phase: Call.Phase, at now: MonotonicInstant) {
    calls[Int(number)].phase = phase
    calls[Int(number)].sequence += 1
    calls[Int(number)].sentAt = microseconds(now)
    send(phase == .leaving ? .bye : .update, number)
    repetitions.begin(Pending(call: number, sequence: calls[Int(number)].sequence), .other, at: now)
  }

  private func send(_ method: CallerMessages.Method, _ number: UInt32) {
    let source = port(of: number)
    let call = calls[Int(number)]
    ports[source].send(to: proxy) { output in
      messages[source].write(
        method, number, sequence: call.sequence, interval: call.interval, to: &output,
        target: { routes.writeTarget(call.route, to: &$0) },
        routes: { routes.writeRoutes(call.route, to: &$0) })
    }
  }

  private func giveUp(_ number: UInt32, at now: MonotonicInstant) {
    tally.refusals[0, default: 0] += 1
    calls[Int(number)].isFlawed = true
    if calls[Int(number)].phase == .refreshing {
      calls[Int(number)].phase = .up
      pauses.append(number, at: now)
    } else {
      end(number)
    }
  }

  private func end(_ number: UInt32) {
    let call = calls[Int(number)]
    if call.isFlawed { tally[call.purpose].failed += 1 } else { tally[call.purpose].completed += 1 }
    if call.route != Call.noRoute { routes.remove(call.route) }
    calls[Int(number)].route = Call.noRoute
    calls[Int(number)].phase = .over
  }
}

// MARK: - Answers

extension Caller {
  private func receiveInviteAnswer(_ number: UInt32, _ bytes: Span<UInt8>, _ now: MonotonicInstant) {
    let call = calls[Int(number)]
    let isFirst = call.phase == .inviting || call.phase == .proceeding
    if message.status < 200 {
      guard isFirst else { return }
      calls[Int(number)].phase = .proceeding
      if message.status == 180, !call.isRinging {
        calls[Int(number)].isRinging = true
        let elapsed = microseconds(now) &- call.sentAt
        if call.purpose == .probe {
          probesRinging.add(microseconds: elapsed)
        } else {
          ringing.add(microseconds: elapsed)
        }
      }
      return
    }
    if !isFirst { tally.duplicateAnswers += 1 }
    if message.status >= 300 {
      let source = port(of: number)
      ports[source].send(to: proxy) {
        messages[source].writeRefusalAck(number, to: message.to.value, of: bytes, into: &$0)
      }
      if isFirst { refuse(number) }
    } else if routeSet.read(message, bytes) {
      acknowledge(number)
      if isFirst { confirm(number, bytes, now) }
    } else {
      tally.faultyAnswers += 1
    }
  }

  private func refuse(_ number: UInt32) {
    tally.refusals[Int(message.status), default: 0] += 1
    calls[Int(number)].isFlawed = true
    end(number)
  }

  /// The ACK is made from the answer at hand, since an idle call keeps no route set (RFC 3261 §13.2.2.4).
  private func acknowledge(_ number: UInt32) {
    let source = port(of: number)
    let interval = calls[Int(number)].interval
    ports[source].send(to: proxy) { output in
      messages[source].write(
        .ack, number, sequence: 1, interval: interval, to: &output,
        target: { routeSet.writeTarget(to: &$0) }, routes: { routeSet.writeRoutes(to: &$0) })
    }
  }

  private func confirm(_ number: UInt32, _ bytes: Span<UInt8>, _ now: MonotonicInstant) {
    let call = calls[Int(number)]
    let elapsed = microseconds(now) &- call.sentAt
    tally[call.purpose].answered += 1
    if message.count(.via) != 1 { tally.faultyAnswers += 1 }
    if case .present(let field) = readSessionExpires(message, bytes), field.interval.seconds == call.interval
    {
    } else {
      tally.changedIntervals += 1
    }
    if call.purpose == .probe {
      probesAnswered.add(microseconds: elapsed)
      if keepsRecentProbes { recentProbes.append(elapsed) }
    } else {
      answered.add(microseconds: elapsed)
    }
    guard call.purpose != .idle else { return end(number) }
    guard let slot = routes.insert(routeSet) else {
      tally.faultyAnswers += 1
      calls[Int(number)].isFlawed = true
      return end(number)
    }
    calls[Int(number)].route = slot
    calls[Int(number)].phase = .up
    if call.purpose == .probe { sendNext(number, .leaving, at: now) } else { pauses.append(number, at: now) }
  }

  /// A final answer to UPDATE or BYE.
  private func receiveAnswer(_ number: UInt32, _ now: MonotonicInstant) {
    let call = calls[Int(number)]
    guard call.phase == .refreshing || call.phase == .leaving,
      message.cSeq.number == UInt32(call.sequence)
    else {
      tally.duplicateAnswers += 1
      return
    }
    if message.status >= 300 {
      tally.refusals[Int(message.status), default: 0] += 1
      calls[Int(number)].isFlawed = true
    }
    if call.phase == .leaving { return end(number) }
    if message.status < 300 { tally.refreshes += 1 }
    refreshed.add(microseconds: microseconds(now) &- call.sentAt)
    calls[Int(number)].phase = .up
    pauses.append(number, at: now)
  }
}
