// RFC 3327 section 5.2, RFC 5626 section 5.1: a REGISTER that passes gets our Path, so that requests for the client
// come back through us, on the flow it registered over (D70, D71).
//
// Left open: whom to do it for. Every client whose first hop we are and that says `Supported: path`; `ob` says that
// we are the first hop, and is written only where `reg-id` asks for it. Path rows in a response are never touched.

import SIPSyntax

extension ProxyEngine {
  /// Puts our Path value before all others.
  func addPath(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ target: ForwardingTarget,
    defaultPosition: Int, to edits: inout MessageEdits
  ) {
    guard message.method == .register, supportsPath(message, bytes), isFirstHop(message, bytes),
      let contact = firstContact(message, bytes),
      let flow = registeredFlow(message, bytes, arrival, contact.uri)
    else { return }
    let position = message.first(.path).map { message[field: $0].row.lowerBound } ?? defaultPosition
    edits.begin(insertingAt: position)
    edits.text.append("Path: <")
    writeOwnURI(of: recordedFlow(of: target), namesUDP: false, to: &edits.text)
    if contact.value.hasParameter("reg-id", in: bytes) { edits.text.append(";ob") }
    edits.text.append(";ck=")
    tokens.write(addressOfRecord: message.to.uri, in: bytes, flow: flow, to: &edits.text)
    edits.text.append(">\r\n")
    edits.end()
  }

  /// The flow that leads back to a client that registers.
  private func registeredFlow(
    _ message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ arrival: Arrival, _ contact: SIPURI
  ) -> Flow? {
    if let flow = clientFlow(of: message, bytes, arrival) { return flow }
    var flow = arrival.flow
    // A peer that registers over a connection which we opened asks for this one (D70).
    guard receivesDatagrams(flow.listener) else { return flow.connection.isNone ? nil : flow }
    // It listens where its Contact says, though it may send from another port.
    flow.remote.port = contact.port ?? 5060
    return flow
  }

  /// D71: only a client that knows Path gets one.
  private func supportsPath(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) -> Bool {
    var cursor = ListCursor(.supported, in: message)
    while let element = cursor.next(message, bytes) {
      if bytes.equalsIgnoringCase(element.value, "path") { return true }
    }
    return false
  }
}
