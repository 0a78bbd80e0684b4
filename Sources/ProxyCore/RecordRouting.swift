// RFC 3261 section 16.6 item 4, RFC 5658 section 5, RFC 5626 section 5: staying on the path (A5, B49–B57).
//
// Left open: which requests, and what the URI says. Every request that can form or refresh a dialog gets our
// value, unknown methods included; ACK, BYE, CANCEL, PRACK, REGISTER and requests that only pass do not.
// The token carries the client's flow when we are its first hop and its Contact is not where it sends
// from, or `ob` asks for it (D72). Two values are written when the two sides see different addresses.

import SIPSyntax

extension SIPMethod {
  /// Whether a request with this method is record-routed.
  var isRecordRouted: Bool {
    switch self {
    case .invite, .update, .subscribe, .notify, .refer, .other: true
    case .ack, .bye, .cancel, .options, .register, .prack, .message, .info, .publish: false
    }
  }
}

extension ProxyEngine {
  /// Puts our Record-Route value, or two, before all existing ones.
  func addRecordRoute(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ target: ForwardingTarget,
    defaultPosition: Int, to edits: inout MessageEdits
  ) {
    guard message.method.isRecordRouted else { return }
    let position = message.first(.recordRoute).map { message[field: $0].row.lowerBound } ?? defaultPosition
    let client = clientFlow(message, bytes, arrival)
    edits.begin(insertingAt: position)
    writeRecordRoute(message, bytes, by: target.flow, client: client, to: &edits.text)
    if !own.sameHostPort(target.flow, arrival.flow) {  // B54, D64
      writeRecordRoute(message, bytes, by: arrival.flow, client: client, to: &edits.text)
    }
    edits.end()
  }

  private func writeRecordRoute(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, by flow: Flow, client: Flow?,
    to output: inout OutputBuffer
  ) {
    output.append("Record-Route: <sip:")
    own.writeHostPort(of: flow, to: &output)
    output.append(";lr;ck=")
    tokens.write(
      callID: message.callID, clientTag: message.from.tag, in: bytes, flow: client, to: &output)
    output.append(">\r\n")
  }

  /// The flow a later request needs to find this client, or nil when its Contact is good enough.
  private func clientFlow(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival
  ) -> Flow? {
    var vias = ListCursor(.via, in: message)
    _ = vias.next(message, bytes)
    if vias.next(message, bytes) != nil { return nil }  // Not the first hop.
    var contacts = ListCursor(.contact, in: message)
    guard let element = contacts.next(message, bytes), let contact = parseNameAddress(bytes, element.value),
      let uri = SIPURI(parsing: bytes, contact.uri)
    else { return nil }
    let source = arrival.flow.remote
    if uri.hasOB { return arrival.flow }
    guard uri.hostAddress?.canonical == source.ip.canonical else { return arrival.flow }
    // A client that sends from a port it does not listen on does not ask for `rport`.
    let listensElsewhere = message.topVia.rport == .absent || uri.port ?? 5060 == source.port
    return listensElsewhere ? nil : arrival.flow
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
