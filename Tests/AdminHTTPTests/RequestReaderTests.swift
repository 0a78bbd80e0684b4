import Testing

@testable import AdminHTTP

@Suite("HTTP requests, byte by byte (RFC 9112)")
struct RequestReaderTests {
  /// What becomes of a request: its method and path, or the status of the refusal, or "..." for more to come.
  private func outcome(_ progress: RequestReader.Progress) -> String {
    switch progress {
    case .incomplete: "..."
    case .request(let request):
      ([request.method] + request.segments.map { String(decoding: $0, as: UTF8.self) }).joined(separator: " ")
    case .malformed(let response): "\(response.status)"
    }
  }

  static let requests: [(text: String, outcome: String)] = [
    ("GET /dialogs/count HTTP/1.0\r\n\r\n", "GET dialogs count"),
    ("HEAD /stats HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n", "HEAD stats"),
    ("\r\n\r\nGET /a HTTP/1.1\r\n\r\n", "GET a"), ("GET /a HTTP/1.1\n\n", "GET a"),
    ("GET http://localhost:9/dialogs HTTP/1.1\r\n\r\n", "GET dialogs"),
    ("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "POST a"), ("GET / HTTP/1.1\r\n\r\n", "GET"),
    ("GET / HTTP/1.1\r\n", "..."), ("", "..."), ("\r\n\r\n", "..."), ("GET /\r\n\r\n", "400"),
    ("GET /a b HTTP/1.1\r\n\r\n", "400"), ("GET /\u{7F} HTTP/1.1\r\n\r\n", "400"),
    ("GET /a\rb HTTP/1.1\r\n\r\n", "400"), ("PRI * HTTP/2.0\r\n\r\n", "505"), (" / HTTP/1.1\r\n\r\n", "400"),
    ("GET /" + String(repeating: "x", count: 17_000), "431"),
    ("GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 4_000), "431"),
  ]

  @Test("A request is read the same whole and in single bytes", arguments: requests)
  func reads(_ row: (text: String, outcome: String)) {
    var whole = RequestReader()
    #expect(outcome(whole.append(row.text.utf8)) == row.outcome)
    var pieces = RequestReader()
    var last = "..."
    for byte in row.text.utf8 where last == "..." { last = outcome(pieces.append([byte])) }
    #expect(last == row.outcome)
  }

  @Test("An answer to HEAD has the length of the body and not the body (RFC 9110 §9.3.2)")
  func head() {
    let response = AdminResponse(status: 200, contentType: "text/plain", body: Array("seven".utf8))
    let get = String(decoding: response.bytes(date: "now"), as: UTF8.self)
    let head = String(decoding: response.bytes(date: "now", isForHEAD: true), as: UTF8.self)
    #expect(get == head + "seven")
    #expect(head.hasPrefix("HTTP/1.1 200 OK\r\nDate: now\r\n") && head.hasSuffix("\r\n\r\n"))
    #expect(head.contains("\r\nContent-Length: 5\r\n"))
  }

  @Test("A refused method is told which are served (RFC 9110 §15.5.6)")
  func allowed() {
    let text = String(decoding: AdminResponse.refusal(405, "no").bytes(date: ""), as: UTF8.self)
    #expect(text.contains("\r\nAllow: GET, HEAD\r\n"))
  }
}
