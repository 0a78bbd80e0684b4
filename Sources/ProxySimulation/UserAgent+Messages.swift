/// Writing messages: ordinary ones, with some legal oddities that a proxy has to leave alone.
extension SimulatedUserAgent {
  /// The Contact URI: behind NAT a private address that leads nowhere.
  var contactURI: String {
    "sip:\(name)@\(viaHost)\(profile.usesTCP ? ";transport=tcp" : "")"
  }

  private var viaHost: String { profile.hidesBehindNAT ? "192.168.7.7:5062" : "\(address)" }

  /// What differs from one request to another.
  struct RequestHead {
    var method: String
    var uri: String
    var routes: [String] = []
    var callID: String
    var localTag: String
    var remoteTag: String?
    var cSeq: Int
    var branch: String
  }

  /// A request; `extra` are whole rows, among them those of the session timer.
  func request(_ head: RequestHead, extra: [String] = [], body: [UInt8] = []) -> [UInt8] {
    let names = profile.usesCompactForms
    var rows = ["\(head.method) \(head.uri) SIP/2.0"]
    rows.append(
      "\(names ? "v" : "Via"): SIP/2.0/\(profile.usesTCP ? "TCP" : "UDP") \(viaHost);branch=\(head.branch);rport"
    )
    rows += head.routes.map { "Route: \($0)" }
    rows.append("Max-Forwards: 70")
    rows.append("\(names ? "f" : "From"): \"\(name), or who\" <sip:\(name)@example.com>;tag=\(head.localTag)")
    let remoteTag = head.remoteTag.map { ";tag=\($0)" } ?? ""
    rows.append("\(names ? "t" : "To"): <sip:callee@example.com>\(remoteTag)")
    rows.append("\(names ? "i" : "Call-ID"): \(head.callID)")
    rows.append("CSeq: \(head.cSeq) \(head.method)")
    if head.method != "ACK" && head.method != "CANCEL" && head.method != "BYE" {
      rows.append("\(names ? "m" : "Contact"): <\(contactURI)>;q=0.7")
    }
    rows += extra
    return finished(rows, body)
  }

  /// A response to a request, with the rows RFC 3261 §8.2.6 and §12.1.1 want copied.
  func response(
    _ status: Int, _ reason: String, to request: WireMessage, tag: String?, extra: [String] = [],
    body: [UInt8] = []
  ) -> [UInt8] {
    var rows = ["SIP/2.0 \(status) \(reason)"]
    rows += request.rows("via").map(\.text)
    if status > 100 && status < 300 { rows += request.rows("record-route").map(\.text) }
    rows += request.rows("from").map(\.text)
    let addsTag = request.toTag.isEmpty ? tag : nil
    rows += request.rows("to").map { $0.text + (addsTag.map { ";tag=\($0)" } ?? "") }
    rows += request.rows("call-id").map(\.text)
    rows += request.rows("cseq").map(\.text)
    if status > 100 && status < 300 && request.method != "BYE" && request.method != "CANCEL" {
      rows.append("\(profile.usesCompactForms ? "m" : "Contact"): <\(contactURI)>")
    }
    rows += extra
    return finished(rows, body)
  }

  /// A body of any octets, as long as chance says.
  func anyBody() -> [UInt8] {
    var body: [UInt8] = []
    for _ in 0..<random.number(0...60) { body.append(UInt8(random.number(0...255))) }
    return body
  }

  private func finished(_ rows: [String], _ body: [UInt8]) -> [UInt8] {
    var rows = rows
    if profile.usesCompactForms {
      rows.append("Subject :\t folded,\r\n  twice\r\n\tover")
      rows.append("X-Nonsense:\"quo\\\"te\" , <sip:a@b>;c=d ;; e")
    }
    rows.append("\(profile.usesCompactForms ? "l" : "Content-Length"): \(body.count)")
    return WireMessage.octets(rows, body)
  }
}
