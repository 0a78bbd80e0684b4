import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

/// What happens to the responses of the next hop.
@Suite("RFC 3261 §16.7 as changed by RFC 6026 and RFC 4320: responses")
struct ResponseTests {
  /// B69, B82, B84, B8: our Via leaves, alone in its row or sharing one; the To tag and every other octet stay.
  @Test("A response is forwarded without our Via and otherwise unchanged", arguments: [true, false])
  func onlyOurViaLeaves(sharesRow: Bool) throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request()).first)
      for (status, tag) in [(180, nil), (183, "b"), (200, "b")] as [(Int, String?)] {
        var answer = Draft.answer(status, to: sent, tag: tag).with(
          "x-Odd :  value;;", "Server:", "Route: <sip:ignored.example>", "Warning: 399 x \"y\""
        ).with(body: [1, 13, 10, 0])
        if sharesRow {
          answer.rows.removeSubrange(0..<2)
          answer.rows.insert("v: \(sent.values("Via")[0]) ,\(sent.values("Via")[1])", at: 0)
        }
        let back = try #require(stage.bob(answer).first)
        var expected = answer
        if sharesRow { expected.rows[0] = "v: \(sent.values("Via")[1])" } else { expected.rows.removeFirst() }
        #expect(back.text == String(decoding: expected.bytes, as: UTF8.self))
      }
    }
  }

  /// B72, B73, B75, B74, F14: in the order in which they come, as long as they may.
  @Test("Provisional responses and every 2xx pass at once; 100, late ones and failures after a 2xx do not")
  func whichPass() throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request()).first)
      let script: [(Int, String, Bool)] = [
        (100, "b", false), (180, "b", true), (181, "c", true), (199, "d", true), (183, "b", true),
        (200, "b", true),
        (200, "b", true), (180, "e", false), (200, "c", true), (299, "d", true), (486, "e", false),
        (603, "f", false),
        (100, "b", false),
      ]
      for (status, tag, passes) in script {
        let back = stage.bob(.answer(status, to: sent, tag: tag))
        #expect(back.map(\.status) == (passes ? [status] : []), "\(status) \(tag)")
      }
      #expect(stage.counts.active == 3)
    }
  }

  /// B77, C18, C22, C32: the only branch's final is the best response; it is acknowledged hop by hop.
  @Test(
    "A final response above 299 is acknowledged toward the callee and forwarded",
    arguments: [
      300, 302, 401, 403, 404, 407, 408, 415, 420, 422, 480, 481, 484, 486, 487, 488, 491, 500, 502, 504, 580,
      600, 603, 699,
    ])
  func failures(status: Int) throws {
    try withStage { stage in
      let sent = try #require(
        stage.alice(.request("INVITE", Person.bob.target).with("Authorization: x")).first)
      let out = stage.bob(.answer(status, to: sent).with("Retry-After: 5"))
      let ack = try #require(out.first)
      #expect(ack.method == "ACK")
      #expect(ack.destination == Place.bob)
      #expect(ack.startLine == "ACK \(Person.bob.target) SIP/2.0")
      #expect(ack.values("Via") == [sent.values("Via")[0]])
      #expect(ack.value("To") == "<sip:bob@example.com>;tag=b")
      #expect(ack.value("From") == sent.value("From"))
      #expect(ack.value("Call-ID") == sent.value("Call-ID"))
      #expect(ack.value("CSeq") == "1 ACK")
      #expect(ack.value("Max-Forwards") == "70")  // C23
      #expect(ack.values("Authorization").isEmpty)
      #expect(out.count == 2)
      #expect(out.last?.status == status)
      #expect(out.last?.values("Retry-After") == ["5"])
      #expect(stage.alice(.request("ACK", toTag: "b")).isEmpty)  // B105
    }
  }

  /// B80, B4: what is down is one next hop, not this proxy.
  @Test("A lone 503 goes upstream as 500, without its Retry-After", arguments: ["INVITE", "MESSAGE"])
  func serviceUnavailable(method: String) throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request(method)).first)
      let answer = try #require(stage.bob(.answer(503, to: sent).with("Retry-After: 3600")).last)
      #expect(answer.status == 500)
      #expect(answer.values("Retry-After").isEmpty)
      #expect(answer.value("To")?.contains(";tag=") == true)
      #expect(answer.value("To")?.contains(";tag=b") == false)
      #expect(answer.values("Via") == ["SIP/2.0/UDP 203.0.113.5:5062;branch=z9hG4bKa1"])
      if method == "INVITE" { stage.acknowledge(answer) }
    }
  }

  /// B81, G27, E13: with one branch the challenges are those of the response, row by row.
  @Test("Challenges pass untouched and in order", arguments: [401, 407])
  func challenges(status: Int) throws {
    try withStage { stage in
      let rows = [
        "WWW-Authenticate: Digest realm=\"a, b\", nonce=\"1\", algorithm=SHA-256, Basic realm=\"x\"",
        "Proxy-Authenticate: Digest realm=\"p\", nonce=\"2\"",
        "WWW-Authenticate: Digest realm=\"a\", nonce=\"3\"",
      ]
      let sent = try #require(stage.alice(.request("MESSAGE")).first)
      var answer = Draft.answer(status, to: sent)
      answer.rows += rows
      let back = try #require(stage.bob(answer).first)
      #expect(back.lines.filter { $0.contains("-Authenticate") } == rows)
    }
  }

  /// B67, B70, B68, B85, D25, D26, C48, G3, E24.
  @Test("A response that is not to a request of ours is dropped")
  func strayResponses() throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request()).first)
      let answer = Draft.answer(200, to: sent)
      let via = sent.values("Via")[0]
      func changed(_ old: String, _ new: String) -> Draft {
        var draft = answer
        draft.rows[0] = "Via: " + via.replacing(old, with: new)
        return draft
      }
      let last = try #require(sent.branch.dropLast(9).last)
      let forged = sent.branch.dropLast(9) + (last == "0" ? "1" : "0") + sent.branch.suffix(8)
      let strays = [
        changed("192.0.2.10:5060", "192.0.2.11:5060"), changed("192.0.2.10:5060", "192.0.2.10:5061"),
        changed(sent.branch, "z9hG4bKunknown"), changed(sent.branch, String(forged)),
        changed(";branch=\(sent.branch)", ""), answer.setting("CSeq", "1 BYE"),
        answer.setting("CSeq", "1 CANCEL"),
        answer.setting("Via", sent.values("Via")[1]),
      ]
      for stray in strays {
        for status in [180, 200, 486] {
          var stray = stray
          stray.startLine = "SIP/2.0 \(status) Stray"
          #expect(stage.bob(stray).isEmpty)
        }
      }
      #expect(stage.count(.droppedStrayResponse) + stage.count(.droppedForeignVia) == 24)
      #expect(stage.counts.active == 0)
      #expect(stage.bob(answer).map(\.status) == [200])
    }
  }

  /// B69, B89: a response that cannot be sent upstream is dropped before it counts for anything, so that nothing waits
  /// for ever; its request ends by its own timers.
  @Test(
    "A response without a second Via, or with a forbidden one, is as if it had never come",
    arguments: ["INVITE", "MESSAGE"], [nil, "255.255.255.255", "224.0.1.75", "0.0.0.0", "[::]", "[ff02::1]"])
  func unsendable(method: String, host: String?) throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request(method)).first)
      for status in method == "INVITE" ? [180, 200, 486, 503] : [200, 404, 503] {
        var answer = Draft.answer(status, to: sent)
        answer.rows.remove(at: 1)
        if let host { answer.rows.insert("Via: SIP/2.0/UDP \(host);branch=z9hG4bKa1", at: 1) }
        #expect(stage.bob(answer).isEmpty)
      }
      #expect(stage.counts.total == 0)
      let end = stage.wait(.seconds(40)).filter { $0.destination == Place.alice && $0.status != 100 }
      #expect(end.first?.status == (method == "INVITE" ? 408 : nil))
    }
  }

  /// B89, G9: the sender's own Via must not keep its transaction alive for ever.
  @Test(
    "A client whose Via names a broadcast address cannot make us keep its request",
    arguments: [180, 200, 404])
  func broadcastVia(status: Int) throws {
    try withStage { stage in
      for method in ["INVITE", "MESSAGE"] {
        let request = Draft.request(method).setting(
          "Via", "SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK\(method)")
        let sent = try #require(stage.alice(request).first { $0.method == method })
        stage.bob(.answer(180, to: sent))
        stage.bob(.answer(status, to: sent))
      }
    }
  }

  /// B83: no provisional response but 100 is ever made here, however long the callee rings.
  @Test("The proxy makes no provisional response but 100")
  func noOwnProvisional() throws {
    try withStage { stage in
      stage.alice(.request())
      stage.alice(.request("MESSAGE", branch: "z9hG4bKm", cSeq: 2))
      let made = stage.wait(.seconds(60)).compactMap(\.status).filter { $0 < 200 }
      #expect(Set(made) == [100])
    }
  }
}
