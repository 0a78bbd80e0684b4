// RFC 3261 section 16.6 item 4, RFC 5658 sections 5 and 6.2, RFC 5626 section 5.3, RFC 5630 section 5.3: staying on
// the path (A5, B49–B57, G15, G35).
//
// Left open: which requests, and what the URI says. Every request that can form or refresh a dialog gets our
// value, unknown methods included; ACK, BYE, CANCEL, PRACK, REGISTER and requests that only pass do not. The
// side that speaks TLS is a sips URI, for `transport=tls` may not be written (B53); the side that speaks TCP
// says so. Two values are written when the two sides see different addresses, transports or schemes, or when the
// clients on both sides are reached by flows, so that each value leads to its own.

import SIPSyntax

extension SIPMethod {
  /// Whether a request with this method is record-routed.
  var isRecordRouted: Bool {
    switch self {
    case .invite, .update, .subscribe, .notify, .refer, .other: true
    case .ack, .bye, .cancel, .options, .register, .prack, .message, .info, .publish: false
    }
  }

  /// Whether a value would be wrong in any request with this method.
  fileprivate var isNeverRecordRouted: Bool { self == .ack || self == .cancel || self == .register }
}

/// What one value says besides the proxy's address.
private struct RecordedClient {
  var flow: Flow?
  var end = FlowEnd.tagged
}

extension ProxyEngine {
  /// Puts our Record-Route value, or two, before all existing ones: the outgoing side on top (B54).
  func addRecordRoute(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ plan: RoutePlan,
    _ target: ForwardingTarget, defaultPosition: Int, to edits: inout MessageEdits
  ) {
    let isSecure = plan.target.scheme == .sips
    let becomesSecure = isSecure && own.transport(of: arrival.flow.listener) != .tls
    guard message.method.isRecordRouted || becomesSecure && !message.method.isNeverRecordRouted else {
      return
    }
    let outgoing = recordedFlow(of: target)
    var incoming = arrival.flow
    var caller = RecordedClient()
    if becomesSecure {
      // B52: a sips Request-URI makes every value a sips URI, and no request may come back without TLS.
      incoming = secureFlow(toward: arrival.flow) ?? outgoing
    } else {
      caller.flow = clientFlow(of: message, bytes, arrival)
    }
    let callee = RecordedClient(flow: clientFlow(in: plan, arrival), end: .untagged)
    let position = message.first(.recordRoute).map { message[field: $0].row.lowerBound } ?? defaultPosition
    edits.begin(insertingAt: position)
    if own.showSameAddress(outgoing, incoming), caller.flow == nil || callee.flow == nil {
      let client = callee.flow == nil ? caller : callee
      writeRecordRoute(message, bytes, by: outgoing, client, namesUDP: false, to: &edits.text)
    } else {  // B54, D64
      let namesUDP = own.transport(of: outgoing.listener) != own.transport(of: incoming.listener)
      writeRecordRoute(message, bytes, by: outgoing, callee, namesUDP: namesUDP, to: &edits.text)
      writeRecordRoute(message, bytes, by: incoming, caller, namesUDP: namesUDP, to: &edits.text)
    }
    edits.end()
  }

  private func writeRecordRoute(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, by flow: Flow, _ client: RecordedClient,
    namesUDP: Bool, to output: inout OutputBuffer
  ) {
    output.append("Record-Route: <")
    writeOwnURI(of: flow, namesUDP: namesUDP, to: &output)
    output.append(";ck=")
    tokens.write(
      callID: message.callID, tag: message.from.tag, in: bytes, flow: client.flow, end: client.end,
      to: &output)
    output.append(">\r\n")
  }

  /// Appends the URI by which peers on a flow reach us again, up to and with `lr` (B51, B53).
  func writeOwnURI(of flow: Flow, namesUDP: Bool, to output: inout OutputBuffer) {
    let transport = own.transport(of: flow.listener)
    output.append(transport == .tls ? "sips:" : "sip:")
    own.writeRouteHost(of: flow, to: &output)
    if transport == .tcp { output.append(";transport=tcp") }
    if transport == .udp, namesUDP { output.append(";transport=udp") }
    output.append(";lr")
  }

  /// The flow of the outgoing side as later requests will use it: TCP that was taken for the size of this one request
  /// does not count (B54).
  func recordedFlow(of target: ForwardingTarget) -> Flow {
    guard target.switchedForSize,
      let listener = own.listener(for: target.flow.remote.ip, over: .udp, preferring: target.flow.listener)
    else { return target.flow }
    return Flow(listener: listener, remote: target.flow.remote, local: target.flow.local)
  }

  /// The TLS listener that stands for us on the side where a sips request came in without TLS.
  private func secureFlow(toward flow: Flow) -> Flow? {
    own.listener(for: flow.remote.ip, over: .tls, preferring: flow.listener)
      .map { Flow(listener: $0, remote: flow.remote, local: flow.local) }
  }

  /// The first Contact of a message as an octet range; empty when there is none that parses.
  func contact(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) -> ByteRange {
    var contacts = ListCursor(.contact, in: message)
    guard let element = contacts.next(message, bytes), let contact = parseNameAddress(bytes, element.value)
    else { return .none }
    return contact.uri
  }

  /// Where the Contact stands in the forwarded copy.
  func contactAfterEdits(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ edits: borrowing MessageEdits
  ) -> ByteRange {
    let range = contact(message, bytes)
    guard !range.isEmpty else { return .none }
    let shift = edits.shift(before: range.lowerBound) - message.startLine.lowerBound
    return ByteRange(range.lowerBound + shift, range.upperBound + shift)
  }
}
