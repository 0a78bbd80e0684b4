/// The messages of a call as two user agents write them.
enum CallText {
  static func invite(_ number: Int, _ caller: String, _ callee: String) -> String {
    let body = """
      v=0
      o=caller 53655765 2353687637 IN IP4 127.0.0.2
      s=-
      c=IN IP4 127.0.0.2
      t=0 0
      m=audio 16384 RTP/AVP 0 8 101
      a=rtpmap:0 PCMU/8000
      a=rtpmap:8 PCMA/8000
      a=rtpmap:101 telephone-event/8000
      a=sendrecv

      """.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    return """
      INVITE sip:callee@\(callee) SIP/2.0
      Via: SIP/2.0/UDP \(caller);branch=z9hG4bK-\(number)-1-0
      Max-Forwards: 70
      Route: <sip:127.0.0.1:5060;lr>
      From: "Caller" <sip:caller\(number)@example.org>;tag=4711c\(number)
      To: "Callee" <sip:callee@example.org>
      Call-ID: \(number)-4711@127.0.0.2
      CSeq: 1 INVITE
      Contact: <sip:caller@\(caller)>
      Allow: INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS, INFO
      Supported: timer, replaces
      Session-Expires: 1800
      User-Agent: instructions/1.0
      Content-Type: application/sdp
      Content-Length: \(body.utf8.count)


      """.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n") + body
  }

  /// The answer of a user agent to a request that reached it.
  static func answer(_ status: String, to request: String, _ callee: String) -> String {
    var text = "SIP/2.0 \(status)\r\n"
    let isInvite = request.hasPrefix("INVITE")
    for line in request.split(separator: "\r\n").dropFirst() {
      guard let name = line.split(separator: ":").first else { continue }
      switch name {
      case "Via", "From", "Call-ID", "CSeq": text += line + "\r\n"
      case "Record-Route": if isInvite { text += line + "\r\n" }
      case "To": text += line + (line.contains("tag=") ? "" : ";tag=uas\(request.count)") + "\r\n"
      default: break
      }
    }
    if isInvite { text += "Contact: <sip:callee@\(callee)>\r\n" }
    if isInvite, status.hasPrefix("2") {
      text += "Require: timer\r\nSession-Expires: 1800;refresher=uac\r\n"
    }
    return text + "Content-Length: 0\r\n\r\n"
  }

  /// A request of the caller inside the dialog that a 2xx made.
  static func request(
    _ method: String, after answer: String, _ number: Int, _ caller: String, _ callee: String
  ) -> String {
    let lines = answer.split(separator: "\r\n")
    let route = lines.first { $0.hasPrefix("Record-Route") }.map { "Route" + $0.dropFirst(12) } ?? ""
    let to = lines.first { $0.hasPrefix("To:") } ?? ""
    return """
      \(method) sip:callee@\(callee) SIP/2.0
      Via: SIP/2.0/UDP \(caller);branch=z9hG4bK-\(number)-1-\(method)
      Max-Forwards: 70
      \(route)
      From: "Caller" <sip:caller\(number)@example.org>;tag=4711c\(number)
      \(to)
      Call-ID: \(number)-4711@127.0.0.2
      CSeq: \(method == "ACK" ? 1 : 2) \(method)
      Contact: <sip:caller@\(caller)>
      Content-Length: 0


      """.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
  }
}
