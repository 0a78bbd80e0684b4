import SIPSyntax

/// The requests of the caller from one source address, rendered once.
struct CallerMessages {
  /// A request inside a dialog.
  enum Method: Int {
    case ack, update, bye
  }

  /// What of a request inside a dialog stands before the Route rows, and what behind them.
  private struct InDialog {
    let method: StaticString
    var head: MessageTemplate
    var tail: MessageTemplate
  }

  private var invite: MessageTemplate
  private var refusal: InDialog
  private var inDialog: [InDialog]
  private let callee: SocketAddress

  /// Renders the requests of `caller` to `callee`.
  init(from caller: SocketAddress, to callee: SocketAddress, run: RunName) {
    self.callee = callee
    let body = sessionDescription(at: caller)
    let from: MessageTemplate = "From: \"Caller\" <sip:caller\(.call)@example.org>;tag=c\(run)\(.call)"
    let callID: MessageTemplate = "Call-ID: \(.call)-\(run)@load"
    let contact: MessageTemplate = "Contact: <sip:caller@\(caller)>"
    let inviteVia: MessageTemplate = "Via: SIP/2.0/UDP \(caller);branch=z9hG4bK\(run)\(.call)i001"
    invite = """
      INVITE sip:callee@\(callee) SIP/2.0
      \(inviteVia)
      Max-Forwards: 70
      \(from)
      To: "Callee" <sip:callee@example.org>
      \(callID)
      CSeq: 1 INVITE
      \(contact)
      Allow: INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS, INFO
      Supported: timer, replaces
      Session-Expires: \(.interval)
      Min-SE: 90
      User-Agent: callkeeper-load
      Content-Type: application/sdp
      Content-Length: \(body.length)

      \(body.text)
      """
    refusal = InDialog(
      method: "ACK", head: "\(inviteVia)\nMax-Forwards: 70\n\(from)\n",
      tail: "\(callID)\nCSeq: 1 ACK\nContent-Length: 0\n\n")
    let timer: MessageTemplate = """
      Supported: timer
      Session-Expires: \(.interval);refresher=uac
      Min-SE: 90

      """
    let methods: [(StaticString, String, MessageTemplate)] = [
      ("ACK", "a", ""), ("UPDATE", "u", timer), ("BYE", "b", ""),
    ]
    inDialog = methods.map { method, letter, more in
      InDialog(
        method: method,
        head: """
          Via: SIP/2.0/UDP \(caller);branch=z9hG4bK\(run)\(.call)\(letter)\(.sequence)
          Max-Forwards: 70

          """,
        tail: """
          \(from)
          To: "Callee" <sip:callee@example.org>;tag=s\(run)\(.call)
          \(callID)
          CSeq: \(.cSeq) \(method)
          \(contact)
          \(more)Content-Length: 0


          """)
    }
  }

  /// Appends the INVITE of a call.
  mutating func writeInvite(_ call: UInt32, interval: UInt32, to output: inout OutputBuffer) {
    invite.write(call: call, interval: interval, to: &output)
  }

  /// Appends a request inside the dialog of a call; `target` and `routes` append what the dialog's route set says.
  mutating func write(
    _ method: Method, _ call: UInt32, sequence: UInt8, interval: UInt32, to output: inout OutputBuffer,
    target: (inout OutputBuffer) -> Void, routes: (inout OutputBuffer) -> Void
  ) {
    let index = method.rawValue
    output.append(inDialog[index].method)
    output.append(" ")
    target(&output)
    output.append(" SIP/2.0\r\n")
    inDialog[index].head.write(call: call, sequence: sequence, to: &output)
    routes(&output)
    inDialog[index].tail.write(call: call, sequence: sequence, interval: interval, to: &output)
  }

  /// Appends the ACK to a failure answer, whose To value is in `bytes` (RFC 3261 §17.1.1.3).
  mutating func writeRefusalAck(
    _ call: UInt32, to value: ByteRange, of bytes: Span<UInt8>, into output: inout OutputBuffer
  ) {
    output.append("ACK sip:callee@")
    callee.write(to: &output)
    output.append(" SIP/2.0\r\n")
    refusal.head.write(call: call, to: &output)
    output.append("To: ")
    output.append(bytes, value)
    output.append("\r\n")
    refusal.tail.write(call: call, to: &output)
  }
}

/// An audio session as SDP describes it, with the length it has in a message.
func sessionDescription(at address: SocketAddress) -> (text: String, length: Int) {
  var ip = OutputBuffer(capacity: 48)
  address.ip.write(to: &ip, bracketed: false)
  let host = "\(address.ip.family == .v4 ? "IP4" : "IP6") \(String(decoding: ip.bytes, as: UTF8.self))"
  let text = """
    v=0
    o=- 2890844526 2890844526 IN \(host)
    s=-
    c=IN \(host)
    t=0 0
    m=audio 16384 RTP/AVP 0 8 101
    a=rtpmap:0 PCMU/8000
    a=rtpmap:8 PCMA/8000
    a=rtpmap:101 telephone-event/8000
    a=sendrecv

    """
  // Line breaks are CRLF in the message.
  return (text, text.utf8.count + text.utf8.count { $0 == 0x0A })
}
