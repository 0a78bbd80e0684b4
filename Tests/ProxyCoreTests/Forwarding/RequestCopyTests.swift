import PagedStorage
import ProxyCore
import ProxySimulation
import Testing

/// The forwarded copy of a request: what changes, and that nothing else does.
@Suite("RFC 3261 §16.6: the forwarded copy of a request")
struct RequestCopyTests {
  /// B43, B66, B10, B25, B8, E15, E16, A100: every row that the list of changes does not name keeps its octets and
  /// its place, whatever it holds, and so does the body.
  @Test("Nothing changes but Via, Max-Forwards, Max-Breadth, Record-Route and the session timer")
  func onlyTheNamedChanges() throws {
    try withStage(sessionExpires: 1800) { stage in
      let odd = [
        "Date: the day before yesterday", "x-UNKNOWN :\tsome;;thing,,\"odd\" ",
        "SUBJECT:   two\r\n\tfolded  lines",
        "Require: nothing-we-know", "Warning: 999 nobody \"what?\"", "Warning: 399 somebody \"that\"",
        "Identity: \"abc==\"", "Accept:", "e: gzip",
      ]
      var invite = Draft.request()
      invite.rows += odd
      invite = invite.with(body: [0, 255, 13, 10, 0, 10, 1])
      let sent = try #require(stage.alice(invite).first)
      let added = [
        "Via: SIP/2.0/UDP 192.0.2.10:5060", "Record-Route: ", "Max-Breadth: 60", "Session-Expires: 1800",
      ]
      var kept = String(decoding: sent.bytes.dropLast(7), as: UTF8.self).split(
        separator: "\r\n", omittingEmptySubsequences: false
      ).map(String.init)
      for prefix in added {
        let place = try #require(kept.firstIndex { $0.hasPrefix(prefix) }, "\(prefix)")
        kept.remove(at: place)
      }
      let expected = String(decoding: invite.bytes.dropLast(7), as: UTF8.self).split(
        separator: "\r\n", omittingEmptySubsequences: false
      ).map { $0 == "Max-Forwards: 70" ? "Max-Forwards: 69" : String($0) }
      #expect(kept == expected)
      #expect(sent.body == [0, 255, 13, 10, 0, 10, 1])
    }
  }

  /// B1, B7, F30: an unknown method takes the same way as a known one.
  @Test(
    "Every method is forwarded, known or not",
    arguments: [
      "INVITE", "OPTIONS", "MESSAGE", "INFO", "REGISTER", "SUBSCRIBE", "PUBLISH", "UPDATE", "REFER",
      "A.b-c!%*_+`'~9",
    ])
  func everyMethod(method: String) throws {
    try withStage { stage in
      let sent = stage.alice(.request(method))
      #expect(sent.count == 1)
      #expect(sent.first?.startLine == "\(method) sip:bob@198.51.100.2:5070 SIP/2.0")
      #expect(sent.first?.destination == Place.bob)
      #expect(stage.driver.proxy.serverTransactionCount == 1)  // B2
      #expect(stage.driver.proxy.clientTransactionCount == 1)
    }
  }

  /// B13, B16, B45, E28.
  @Test(
    "Max-Forwards loses one; absent or beyond 255 it becomes 70",
    arguments: [
      ("70", "69"), ("1", "0"), ("255", "254"), ("0070", "69"), ("256", "70"), ("99999999999999999999", "70"),
      (nil, "70"),
    ] as [(String?, String)])
  func maxForwards(received: String?, forwarded: String) throws {
    try withStage { stage in
      let sent = stage.alice(.request("OPTIONS").setting("Max-Forwards", received))
      #expect(sent.first?.values("Max-Forwards") == [forwarded])
    }
  }

  /// B46: RFC 5393 §5.3.3; a hop never takes one off.
  @Test(
    "Max-Breadth is there exactly once: 60 when absent, too large or unreadable, else as it came",
    arguments: [
      ([], "60"), (["Max-Breadth: 60"], "60"), (["Max-Breadth: 1"], "1"), (["max-breadth:   7 "], "7"),
      (["Max-Breadth: 61"], "60"), (["Max-Breadth: 99999999999999999999"], "60"),
      (["Max-Breadth: many"], "60"),
      (["Max-Breadth: 5", "Max-Breadth: 9"], "5"),
    ] as [([String], String)])
  func maxBreadth(received: [String], forwarded: String) throws {
    try withStage { stage in
      for method in ["INVITE", "MESSAGE"] {
        var request = Draft.request(method, branch: "z9hG4bK\(method)")
        request.rows += received
        let sent = try #require(stage.alice(request).first)
        #expect(sent.values("Max-Breadth").map { $0.filter { $0 != " " } } == [forwarded])
      }
    }
  }

  /// B62, B2: each branch of ours starts with the cookie, is made of token characters and is never written twice.
  @Test("Our Via goes on top, with a branch of its own for each transaction")
  func ownVia() throws {
    try withStage { stage in
      var branches: Set<String> = []
      for number in 0..<50 {
        let sent = try #require(stage.alice(.request("OPTIONS", branch: "z9hG4bKn\(number)")).first)
        let vias = sent.values("Via")
        #expect(vias.count == 2)
        #expect(vias[0].hasPrefix("SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK"))  // D8, D27
        #expect(vias[1] == "SIP/2.0/UDP 203.0.113.5:5062;branch=z9hG4bKn\(number)")  // B63
        #expect(sent.branch.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
        branches.insert(sent.branch)
      }
      #expect(branches.count == 50)
    }
  }

  /// B62: a restarted proxy does not repeat the branches of its predecessor.
  @Test("Another process writes other branches")
  func branchesAcrossRestarts() throws {
    var branches: Set<String> = []
    for key: UInt64 in 1...4 {
      let driver = ProxyDriver(
        try ProxyDriver.configuration(), environment: ProxyDriver.environment(processKey: .init(key, 9)))
      let sent = driver.deliver(Draft.request().bytes, from: Place.alice)
      branches.insert(try #require(sent.first).branch)
    }
    #expect(branches.count == 4)
  }

  /// B63, B22: Via rows of others keep their octets, folding and all, however odd their parameters.
  @Test("Via values below ours stay as they are")
  func foreignVias() throws {
    try withStage { stage in
      let below = [
        "v: SIP/2.0/FUTURE proxy.example.net:5060;branch=z9hG4bKx;flag;note=\"a;b,c\\\"\"",
        "VIA : SIP / 2.0 / TCP\r\n [2001:db8::7] ;branch=old;received=[2001:db8::8], SIP/2.0/UDP 10.0.0.1",
      ]
      var request = Draft.request()
      request.rows.insert(contentsOf: below, at: 1)
      let sent = try #require(stage.alice(request).first)
      for row in below { #expect(sent.text.contains(row + "\r\n")) }
      #expect(sent.text.contains("branch=z9hG4bKa1\r\n" + below.joined(separator: "\r\n") + "\r\n"))
    }
  }

  /// B66: over a stream it would be.
  @Test("Over UDP no Content-Length is added")
  func noContentLengthAdded() throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request().setting("Content-Length", nil)).first)
      #expect(sent.values("Content-Length").isEmpty)
    }
  }
}
