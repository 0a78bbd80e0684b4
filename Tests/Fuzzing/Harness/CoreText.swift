import SIPSyntax

/// Messages that peers make out of what the proxy sent them; only so much of a user agent that calls come about.
enum CoreText {
  private static let methods = ["ACK", "BYE", "UPDATE", "INVITE", "CANCEL", "INFO", "PRACK", "ODD"]
  private static let statuses = [
    100, 180, 183, 199, 200, 202, 299, 302, 400, 408, 422, 481, 486, 487, 491, 500, 503, 600, 603, 699,
  ]

  /// The answer of a user agent to a request: Via, Record-Route, From, To, Call-ID and CSeq are copied.
  static func answer(to request: Octets, variant: UInt8, rows: Octets) -> Octets {
    var message = SIPMessage()
    _ = message.parse(request.span)
    let status = statuses[Int(variant & 0x1F) % statuses.count]
    var text = Array("SIP/2.0 \(status) Said\r\n".utf8)
    for name in [FieldName.via, .recordRoute, .from] { copy(name, message, request, into: &text) }
    if let row = message.first(.to) {
      text += "To: ".utf8
      text += request.span.octets(message[field: row].value)
      if !message.to.hasTag { text += ";tag=b\(variant >> 5)".utf8 }
      text += "\r\n".utf8
    }
    for name in [FieldName.callID, .cSeq] { copy(name, message, request, into: &text) }
    if (101..<300).contains(status) { text += "Contact: <sip:b@198.51.100.2:5070>\r\n".utf8 }
    return text + rows + Array("Content-Length: 0\r\n\r\n".utf8)
  }

  /// A request in the dialog of a response that went to the caller.
  static func inDialog(like answer: Octets, variant: UInt8, sequence: Int, rows: Octets) -> Octets {
    var message = SIPMessage()
    _ = message.parse(answer.span)
    let method = methods[Int(variant & 7)]
    // The ACK of a failure and a CANCEL carry the number of their INVITE.
    let isSameTransaction = variant & 0x10 != 0
    let number = isSameTransaction ? Int(message.cSeq.number) : sequence
    var text = Array("\(method) sip:b@198.51.100.2:5070 SIP/2.0\r\n".utf8)
    if isSameTransaction {
      copy(.via, message, answer, into: &text)
    } else {
      text += "Via: SIP/2.0/UDP 198.51.100.1;rport;branch=z9hG4bKd\(sequence)\r\n".utf8
    }
    var routes: [Octets] = []
    var cursor = ListCursor(.recordRoute, in: message)
    while let element = cursor.next(message, answer.span) { routes.append(answer.span.octets(element.value)) }
    for route in variant & 0x20 == 0 ? routes.reversed() : routes {
      text += "Route: ".utf8
      text += route
      text += "\r\n".utf8
    }
    if variant & 0x40 == 0 {
      for name in [FieldName.from, .to, .callID] { copy(name, message, answer, into: &text) }
    } else {
      for (label, name) in [("From: ", FieldName.to), ("To: ", .from)] {
        guard let row = message.first(name) else { continue }
        text += label.utf8
        text += answer.span.octets(message[field: row].value)
        text += "\r\n".utf8
      }
      copy(.callID, message, answer, into: &text)
    }
    text += "CSeq: \(number) \(method)\r\nMax-Forwards: 70\r\n".utf8
    return text + rows + Array("Content-Length: 0\r\n\r\n".utf8)
  }

  private static func copy(
    _ name: FieldName, _ message: borrowing SIPMessage, _ bytes: Octets, into text: inout Octets
  ) {
    var row = message.first(name)
    while let index = row {
      text += bytes.span.octets(message[field: index].row)
      row = message.next(after: index)
    }
  }
}
