// RFC 3261 section 16.6: forwarding a request (B43–B66). The copy leaves with a named list of changes and
// no other: Request-URI, Via, Max-Forwards, Max-Breadth, Route, Record-Route, Path, Session-Expires, Min-SE (B66).

import CallState
import PagedStorage
import SIPSyntax
import SIPTransactions
import ServerLocation
import SessionTimers
import Timekeeping

/// Where a forwarded request goes.
struct ForwardingTarget {
  var flow: Flow
  /// The configured next hop is pushed as a Route value (B59).
  var pushesNextHop = false
  /// TCP was taken for the size of the request alone (D3), which changes nothing in Record-Route (B54).
  var switchedForSize = false
  /// The request may leave in a datagram that is larger than it should be: TCP was refused (D4), or it takes a
  /// client's flow.
  var ignoresSize = false
}

/// What became of a copy of a request.
enum CopyOutcome {
  case sent(SlabID)
  /// It must go over TCP (D3).
  case tooLargeForDatagram
  /// It does not fit into any datagram, and there is no other transport.
  case tooLarge
  case noMemory
}

extension ProxyEngine {
  /// Forwards a new request statefully: one server transaction, one branch at a time (B2).
  mutating func forward(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ key: TransactionKey,
    _ plan: RoutePlan, _ loop: UInt64, _ bench: inout Workbench, into outbox: inout Outbox
  ) {
    var targets = resolveTargets(message, bytes, arrival, plan, asking: &outbox.questions)
    if case .refused(let answer) = targets {
      answerStatefully(message, bytes, arrival, key, answer, &bench, into: &outbox)
      return
    }
    if case .ours(let name) = targets {
      own.learn(name, at: arrival.now)
      receiveNewRequest(message, bytes, arrival, key, &bench, into: &outbox)
      return
    }
    var refresh: RefreshDecision?
    if message.method.isSessionRefresh {  // A1, A39
      let decision = decideRefresh(message, bytes, arrival)
      if case .reject(let minSE, _) = decision.verdict {
        remember(refused: decision, message, bytes)
        answerStatefully(message, bytes, arrival, key, .intervalTooSmall(minSE: minSE), &bench, into: &outbox)
        return
      }
      countEdits(of: decision)
      refresh = decision
    }
    if case .one(let target) = targets {
      switch sendCopy(
        message, bytes, arrival, key, plan, loop, target, refresh, &bench.edits, into: &outbox)
      {
      case .sent(let client):
        guard
          let server = openServer(
            message, bytes, arrival, key, branch: client, timer: refresh, concluded: false)
        else { return }
        clients.slab[client.index].server = server
        return
      case .tooLarge:
        answerStatefully(message, bytes, arrival, key, .messageTooLarge, &bench, into: &outbox)
        return
      case .noMemory:
        answerStatelessly(message, bytes, arrival, .unavailable(retryAfter: 5), &bench, into: &outbox)
        return
      case .tooLargeForDatagram:
        let only = ServerTarget(transport: .udp, address: target.flow.remote)
        targets = .several([only], pushesNextHop: target.pushesNextHop)
      }
    }
    guard let server = openAttempt(message, bytes, arrival, key, targets, timer: refresh) else {
      answerStatelessly(message, bytes, arrival, .unavailable(retryAfter: 5), &bench, into: &outbox)
      return
    }
    if case .several = targets { takeNextWay(for: server, at: arrival.now, &bench, into: &outbox) }
  }

  /// Writes one copy of a request for one target, keeps it and sends it on a branch of its own.
  mutating func sendCopy(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ key: TransactionKey,
    _ plan: RoutePlan, _ loop: UInt64, _ target: ForwardingTarget, _ refresh: RefreshDecision?,
    _ edits: inout MessageEdits, into outbox: inout Outbox
  ) -> CopyOutcome {
    guard let client = openBranch(message, bytes, arrival, key, target) else {
      counters.add(to: .droppedOutOfMemory)
      return .noMemory
    }
    edits.removeAll()
    if let refresh { addSessionTimerEdits(refresh, message, to: &edits) }
    addForwardingEdits(message, bytes, arrival, plan, target, to: &edits) { [branches] output in
      branches.write(client, loop: loop, to: &output)
    }
    let start = outbox.bytes.count
    copy(message, bytes, edits, into: &outbox)
    if let refusal = sizeRefusal(of: outbox.bytes.count - start, for: target) {
      outbox.bytes.truncate(to: start)
      closeBranch(client.index)
      return refusal
    }
    guard let stored = arena.store(outbox.bytes.bytes.span, from: start, to: outbox.bytes.count) else {
      // Without its copy an INVITE could neither be acknowledged nor cancelled.
      outbox.bytes.truncate(to: start)
      closeBranch(client.index)
      counters.add(to: .droppedOutOfMemory)
      return .noMemory
    }
    outbox.finish(from: start, over: target.flow, branch: client)
    counters.add(to: message.method == .invite ? .inviteClientTransactions : .nonInviteClientTransactions)
    namePeer(of: target, plan, bytes, in: &outbox)
    counters.add(to: .requestsForwarded)
    clients.slab[client.index].sent = stored
    if refresh != nil { clients.slab[client.index].contact = contactAfterEdits(message, bytes, edits) }
    return .sent(client)
  }

  /// D3: a request beyond the path MTU less 200 octets takes TCP, where that is spoken; what no datagram can hold
  /// cannot leave over UDP at all.
  private func sizeRefusal(of size: Int, for target: ForwardingTarget) -> CopyOutcome? {
    guard own.transport(of: target.flow.listener) == .udp else { return nil }
    if isTooLargeForDatagram(size), !target.ignoresSize, sizeSwitch(of: target) != nil {
      return .tooLargeForDatagram
    }
    return size > Self.largestDatagram ? .tooLarge : nil
  }

  private func isTooLargeForDatagram(_ size: Int) -> Bool {
    configuration.udpMTU < 65_535 && size > configuration.udpMTU - 200
  }

  /// The TCP listener that takes over from UDP for a request that is too large, if there is one.
  private func sizeSwitch(of target: ForwardingTarget) -> UInt16? {
    own.listener(for: target.flow.remote.ip, over: .tcp, preferring: target.flow.listener)
  }

  /// The target over TCP, for a request of this size that is about to leave over UDP (D3); nil when it may.
  mutating func sizeSwitched(
    _ target: ForwardingTarget, size: Int, at now: MonotonicInstant
  ) -> ForwardingTarget? {
    guard own.transport(of: target.flow.listener) == .udp, !target.ignoresSize, isTooLargeForDatagram(size),
      let listener = sizeSwitch(of: target)
    else { return nil }
    let overTCP = ServerTarget(transport: .tcp, address: target.flow.remote)
    guard !deadHops.contains(overTCP, at: now) else { return nil }
    var switched = target
    switched.flow.listener = listener
    switched.switchedForSize = true
    return switched
  }

  /// Copies a message with its edits, without the empty lines before its start line.
  func copy(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ edits: borrowing MessageEdits,
    into outbox: inout Outbox
  ) {
    let range = ByteRange(message.startLine.lowerBound, message.messageEnd)
    edits.apply(to: bytes, range: range, into: &outbox.bytes)
  }

  /// Adds what makes the version of the start line upper case, if it is not (E1).
  func addVersion(_ message: borrowing SIPMessage, to edits: inout MessageEdits) {
    guard !message.hasCanonicalVersion else { return }
    edits.begin(replacing: message.version)
    edits.text.append("SIP/2.0")
    edits.end()
  }

  /// What still fits into one datagram over IPv4; IPv6 allows a little more.
  static var largestDatagram: Int { 65_507 }

  /// Adds the changes of section 16.6 to a copy; `writeBranch` appends our branch parameter's value.
  func addForwardingEdits(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ plan: RoutePlan,
    _ target: ForwardingTarget, to edits: inout MessageEdits, writeBranch: (inout OutputBuffer) -> Void
  ) {
    let top = message.first(.via).map { message[field: $0].row.lowerBound } ?? message.startLine.upperBound
    // Rows of other names go below all Via rows, which so stay together.
    let below = end(of: .via, message) ?? top
    edits.begin(insertingAt: top)
    writeOwnVia(target.flow, writeBranch, to: &edits.text)
    edits.end()
    ViaStamp(message.topVia, source: arrival.flow.remote).add(to: &edits)
    addRecordRoute(message, bytes, arrival, plan, target, defaultPosition: below, to: &edits)
    addPath(message, bytes, arrival, target, defaultPosition: below, to: &edits)
    addRouteEdits(message, bytes, plan, target, position: below, to: &edits)
    addMaxForwards(message, position: below, to: &edits)
    addVersion(message, to: &edits)
    addMaxBreadth(message, bytes, position: below, to: &edits)
    addContentLength(message, over: target.flow, to: &edits)
  }

  /// Step 8: our Via goes on top (B62, D8); `rport` asks for answers on the socket we send from (D27).
  private func writeOwnVia(
    _ flow: Flow, _ writeBranch: (inout OutputBuffer) -> Void, to output: inout OutputBuffer
  ) {
    output.append("Via: SIP/2.0/")
    output.append(own.transport(of: flow.listener).viaToken)
    output.append(UInt8(ascii: " "))
    own.writeHostPort(of: flow, to: &output)
    output.append(";rport;branch=")
    writeBranch(&output)
    output.append("\r\n")
  }

  /// Step 9: on a stream Content-Length tells where a message ends; one that came in a datagram may lack it (B64).
  func addContentLength(_ message: borrowing SIPMessage, over flow: Flow, to edits: inout MessageEdits) {
    guard message.first(.contentLength) == nil, own.transport(of: flow.listener).isReliable else { return }
    edits.begin(insertingAt: message.headersEnd)
    edits.text.append("Content-Length: ")
    edits.text.append(decimal: UInt64(message.body.count))
    edits.text.append("\r\n")
    edits.end()
  }

  /// Step 3: one less, 70 when absent or beyond 255 (B45, B16).
  private func addMaxForwards(
    _ message: borrowing SIPMessage, position: Int, to edits: inout MessageEdits
  ) {
    switch message.maxForwards {
    case .absent:
      edits.begin(insertingAt: position)
      edits.text.append("Max-Forwards: 70\r\n")
    case .value(let hops):
      edits.begin(replacing: message.maxForwardsRange)
      edits.text.append(decimal: UInt64(hops > 0 ? hops - 1 : 0))
    case .tooLarge:
      edits.begin(replacing: message.maxForwardsRange)
      edits.text.append("70")
    }
    edits.end()
  }

  /// RFC 5393 §5.3.3: one Max-Breadth in every copy, 60 when absent, larger or unreadable (B46). Our single
  /// branch takes all of it (B47).
  private func addMaxBreadth(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, position: Int, to edits: inout MessageEdits
  ) {
    guard let row = message.first(.maxBreadth) else {
      edits.begin(insertingAt: position)
      edits.text.append("Max-Breadth: 60\r\n")
      edits.end()
      return
    }
    let value = message[field: row].value
    if bytes.number(value).map({ $0 == 0 || $0 > 60 }) ?? true {
      edits.begin(replacing: value)
      edits.text.append("60")
      edits.end()
    }
    var repeated = message.next(after: row)
    while let extra = repeated {
      edits.delete(message[field: extra].row)
      repeated = message.next(after: extra)
    }
  }

  /// Steps 2 and 6: our own Route values leave; the Request-URI may come from a Route, or go to one.
  private func addRouteEdits(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ plan: RoutePlan, _ target: ForwardingTarget,
    position: Int, to edits: inout MessageEdits
  ) {
    for number in 0..<plan.removalCount { edits.delete(plan.removals[number]) }
    if target.pushesNextHop {  // B59
      edits.begin(insertingAt: position)
      edits.text.append("Route: <")
      edits.text.append(nextHop.uri.span)
      edits.text.append(">\r\n")
      edits.end()
    }
    if let next = plan.nextRoute, plan.nextIsStrict {  // B58
      edits.begin(insertingAt: end(of: .route, message) ?? message.headersEnd)
      edits.text.append("Route: <")
      writeTarget(plan, bytes, to: &edits.text)
      edits.text.append(">\r\n")
      edits.end()
      edits.begin(replacing: message.requestURI)
      writeRequestURI(next, bytes, to: &edits.text)
      edits.end()
    } else if plan.targetFromRoute || plan.stripsMaddr || !plan.target.methodParameter.isEmpty {
      // B27, B29, B44
      edits.begin(replacing: message.requestURI)
      writeTarget(plan, bytes, to: &edits.text)
      edits.end()
    }
  }

  private func writeTarget(_ plan: RoutePlan, _ bytes: Span<UInt8>, to output: inout OutputBuffer) {
    if plan.stripsMaddr {
      // Without the maddr that named us, the transport and the port beside it.
      let uri = plan.target
      output.append(bytes, ByteRange(uri.range.lowerBound, uri.host.upperBound))
      writeParameters(of: uri, without: [uri.maddrParameter, uri.transportParameter], bytes, to: &output)
    } else {
      writeRequestURI(plan.target, bytes, to: &output)
    }
  }

  /// Step 2: a URI as Request-URI, without `method` and the headers part (B44).
  private func writeRequestURI(_ uri: SIPURI, _ bytes: Span<UInt8>, to output: inout OutputBuffer) {
    let headers = uri.headers?.lowerBound ?? uri.range.upperBound
    let parameters = uri.parameters.isEmpty ? headers : uri.parameters.lowerBound
    output.append(bytes, ByteRange(uri.range.lowerBound, parameters))
    writeParameters(of: uri, without: [uri.methodParameter, .none], bytes, to: &output)
  }

  private func writeParameters(
    of uri: SIPURI, without cuts: InlineArray<2, ByteRange>, _ bytes: Span<UInt8>,
    to output: inout OutputBuffer
  ) {
    guard !uri.parameters.isEmpty else { return }
    let first = cuts[0].start <= cuts[1].start ? cuts[0] : cuts[1]
    let second = cuts[0].start <= cuts[1].start ? cuts[1] : cuts[0]
    var position = uri.parameters.lowerBound
    if !first.isEmpty {
      output.append(bytes, ByteRange(position, first.lowerBound))
      position = first.upperBound
    }
    if !second.isEmpty {
      output.append(bytes, ByteRange(position, second.lowerBound))
      position = second.upperBound
    }
    output.append(bytes, ByteRange(position, uri.parameters.upperBound))
  }

  /// Behind the last row of a name; nil when there is none.
  private func end(of name: FieldName, _ message: borrowing SIPMessage) -> Int? {
    guard var row = message.first(name) else { return nil }
    while let next = message.next(after: row) { row = next }
    return message[field: row].row.upperBound
  }
}
