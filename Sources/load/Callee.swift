import SIPSyntax
import Timekeeping

/// The user agent that is called: answers every request from what the request says.
///
/// It keeps no state but the 2xx to INVITE that no ACK has come for, which it must repeat (RFC 3261 §13.3.1.4).
final class Callee {
  /// 2xx to INVITE that were sent again.
  private(set) var repeated = 0
  /// 2xx to INVITE whose ACK never came.
  private(set) var neverAcknowledged = 0
  /// Datagrams that are no request of this run.
  private(set) var unknown = 0

  private let port: DatagramPort
  private let run: RunName
  private var message = SIPMessage(rowLimit: 64)
  private var unacknowledged: [UInt32: (answer: [UInt8], destination: SocketAddress)] = [:]
  private var repetitions = Repetitions<UInt32>()
  private let inviteTail: [UInt8]
  private let otherTail: [UInt8]
  /// The rows that every answer to the request has, made once for the 180 and the 200.
  private var middle = OutputBuffer(capacity: 1_024)

  /// A callee that answers on `port`.
  init(on port: DatagramPort, run: RunName) {
    self.port = port
    self.run = run
    let body = sessionDescription(at: port.address)
    let contact = "Contact: <sip:callee@\(port.address)>\r\n"
    var output = OutputBuffer(capacity: 512)
    let tail: MessageTemplate = """
      Allow: INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS, INFO
      Supported: timer
      Content-Type: application/sdp
      Content-Length: \(body.length)

      \(body.text)
      """
    output.append(string: contact)
    tail.write(to: &output)
    inviteTail = output.bytes
    otherTail = Array((contact + "Content-Length: 0\r\n\r\n").utf8)
  }

  /// Whether every 2xx to INVITE was acknowledged or given up.
  var isIdle: Bool { unacknowledged.isEmpty }

  /// Answers one datagram.
  func receive(_ bytes: Span<UInt8>, from sender: SocketAddress, at now: MonotonicInstant) {
    guard case .wellFormed = message.parse(bytes), message.isRequest,
      let call = run.call(in: bytes, message.callID)
    else {
      unknown += 1
      return
    }
    switch message.method {
    case .ack: unacknowledged[call] = nil
    case .invite:
      composeMiddle(bytes, call)
      port.send(to: sender) { output in
        output.append("SIP/2.0 180 Ringing\r\n")
        output.append(middle.bytes)
        output.append(otherTail)
      }
      var answer = OutputBuffer(capacity: 1_024)
      writeSuccess(bytes, inviteTail, to: &answer)
      let kept = answer.bytes
      port.send(to: sender) { $0.append(kept) }
      if unacknowledged.updateValue((kept, sender), forKey: call) == nil {
        repetitions.begin(call, .other, at: now)
      }
    default:
      composeMiddle(bytes, call)
      port.send(to: sender) { writeSuccess(bytes, otherTail, to: &$0) }
    }
  }

  /// Repeats what has not been acknowledged for too long.
  func repeatDue(at now: MonotonicInstant) {
    var repeats = 0
    while repeats < Repetitions<UInt32>.burst, let due = repetitions.takeDue(at: now) {
      guard let kept = unacknowledged[due.element] else { continue }
      if due.isLast {
        neverAcknowledged += 1
        unacknowledged[due.element] = nil
        continue
      }
      repeated += 1
      repeats += 1
      port.send(to: kept.destination) { $0.append(kept.answer) }
      repetitions.repeated(due, at: now)
    }
  }

  /// Collects Via, Record-Route, From, To, Call-ID and CSeq as the request has them (RFC 3261 §8.2.6.2, §12.1.1).
  private func composeMiddle(_ bytes: Span<UInt8>, _ call: UInt32) {
    middle.removeAll()
    appendRows(.via, bytes)
    if message.method == .invite { appendRows(.recordRoute, bytes) }
    appendRows(.from, bytes)
    middle.append("To: ")
    middle.append(bytes, message.to.value)
    if !message.to.hasTag {
      middle.append(";tag=s")
      middle.append(string: run.description)
      middle.append(hexadecimal: UInt64(call), digits: 8)
    }
    middle.append("\r\n")
    appendRows(.callID, bytes)
    appendRows(.cSeq, bytes)
  }

  private func appendRows(_ name: FieldName, _ bytes: Span<UInt8>) {
    var row = message.first(name)
    while let index = row {
      middle.append(bytes, message[field: index].row)
      row = message.next(after: index)
    }
  }

  /// Appends a 200 that agrees to the session interval of the request (RFC 4028 §9).
  private func writeSuccess(_ bytes: Span<UInt8>, _ tail: [UInt8], to output: inout OutputBuffer) {
    output.append("SIP/2.0 200 OK\r\n")
    output.append(middle.bytes)
    if case .present(let field) = readSessionExpires(message, bytes) {
      output.append("Require: timer\r\nSession-Expires: ")
      output.append(decimal: UInt64(field.interval.seconds))
      output.append(field.refresher == .uas ? ";refresher=uas\r\n" : ";refresher=uac\r\n")
    }
    output.append(tail)
  }
}

extension OutputBuffer {
  /// Appends all of `bytes`.
  fileprivate mutating func append(_ bytes: [UInt8]) { append(bytes.span) }
}
