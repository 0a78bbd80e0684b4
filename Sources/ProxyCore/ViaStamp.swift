// RFC 3261 sections 18.2.1 and 18.2.2, RFC 3581 section 4: what the server transport adds to the top Via,
// and where a response goes (D11–D13, D17, D18, D20–D22, G4).
//
// Left open: a `received` or `rport=` value that the sender wrote itself. We overwrite both with what the
// transport observed (D13), so that no response can be led to a third party.

import SIPSyntax

/// What must be written into the topmost Via of a received request.
struct ViaStamp {
  /// The `received` parameter to replace, empty at the insertion point when there is none.
  var received: ByteRange?
  /// The `rport` parameter to replace.
  var rport: ByteRange?
  let source: SocketAddress

  init(_ via: ViaValue, source: SocketAddress) {
    self.source = source
    let claimsSource = via.hostAddress?.canonical == source.ip.canonical
    if via.rport != .absent { rport = via.rportParameter }
    if !via.receivedParameter.isEmpty {
      received = via.receivedParameter
    } else if !claimsSource || rport != nil {
      received = ByteRange(via.end, via.end)
    }
  }

  /// Adds the changes to an edit list.
  func add(to edits: inout MessageEdits) {
    if let received {
      edits.begin(replacing: received)
      writeReceived(to: &edits.text)
      edits.end()
    }
    if let rport {
      edits.begin(replacing: rport)
      writeRport(to: &edits.text)
      edits.end()
    }
  }

  private func writeReceived(to output: inout OutputBuffer) {
    output.append(";received=")
    source.ip.canonical.write(to: &output, bracketed: false)
  }

  private func writeRport(to output: inout OutputBuffer) {
    output.append(";rport=")
    output.append(decimal: UInt64(source.port))
  }

  /// Where responses go: over UDP the observed address, at the observed port when `rport` asked for it; over a
  /// stream the connection, and without it the observed address at the port of sent-by (D17, D18).
  static func replies(to via: ViaValue, over flow: Flow, _ transport: TransportProtocol) -> Flow {
    var replies = flow
    if via.rport == .absent || transport.isReliable {
      replies.remote.port = via.port ?? transport.defaultPort
    }
    return replies
  }
}
