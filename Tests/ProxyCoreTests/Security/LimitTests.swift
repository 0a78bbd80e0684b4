import CallState
import ProxyCore
import ProxySimulation
import SIPSyntax
import ServerLocation
import Testing
import Timekeeping

/// Limits, and what a hostile peer gets out of the proxy: nothing.
@Suite("Limits, draining and amplification")
struct LimitTests {
  /// F36, G10: new calls are refused, running ones are not touched, and room is made when one ends.
  @Test("Beyond the dialog limit a new INVITE gets 503 with Retry-After; calls that run go on")
  func dialogLimit() throws {
    try withStage {
      $0.maxDialogs = 2
    } _: { stage in
      let call = try stage.establish()
      let ringing = try #require(stage.alice(.request(branch: "z9hG4bK2", callID: "two")).first)
      stage.bob(.answer(180, to: ringing))
      let refused = try #require(stage.alice(.request(branch: "z9hG4bK3", callID: "three")).first)
      #expect(refused.status == 503)
      #expect(refused.value("Retry-After") != nil)
      #expect(stage.count(.dialogLimitReached) == 1)
      #expect(stage.alice(.request("MESSAGE", branch: "z9hG4bKm")).map(\.method) == ["MESSAGE"])
      #expect(stage.alice(call.request("INVITE", branch: "z9hG4bKre", cSeq: 2)).map(\.method) == ["INVITE"])
      let bye = try #require(stage.alice(call.request("BYE", branch: "z9hG4bKbye", cSeq: 3)).first)
      stage.bob(.answer(200, to: bye))
      #expect(stage.alice(.request(branch: "z9hG4bK4", callID: "four")).map(\.method) == ["INVITE"])
    }
  }

  /// F36: the table filled up while it rang: the call passes without a record.
  @Test("A 2xx beyond the dialog limit passes without a record")
  func fullTableAtAnswer() throws {
    try withStage {
      $0.maxDialogs = 1
    } _: { stage in
      let calls = try (1...3).map {
        try #require(stage.alice(.request(branch: "z9hG4bK\($0)", callID: "c\($0)")).first)
      }
      for call in calls { #expect(stage.bob(.answer(200, to: call)).map(\.status) == [200]) }
      #expect(stage.counts.active == 1)
    }
  }

  /// G10: a request that needs no DNS, or comes from elsewhere, does not notice; `--next-hop` has no share.
  @Test("A source that asks for ever more names is refused alone")
  func lookupShares() throws {
    try withStage({
      $0.nextHop = NextHop(uri: Array("sip:trunk.example.net:5060;lr".utf8), addresses: [])
    }) { stage in
      func named(_ number: Int) -> Draft {
        var draft = Draft.request("OPTIONS", branch: "z9hG4bKn\(number)", callID: "n\(number)")
        draft.rows.insert("Route: <sip:h\(number).example.net:5060;lr>", at: 1)
        return draft
      }
      let flooded = (0..<1_200).flatMap { stage.alice(named($0)) }
      #expect(stage.count(.lookupsRefusedBySourceLimit) > 0)
      #expect(flooded.allSatisfy { $0.status == 500 })
      #expect(UInt64(flooded.count) == stage.count(.lookupsRefusedBySourceLimit))
      let open = stage.driver.questions.count
      #expect(stage.alice(.request("OPTIONS", branch: "z9hG4bKtrunk", callID: "trunk")).isEmpty)
      #expect(stage.send(named(5_000), from: Place.carol).isEmpty)
      #expect(stage.driver.questions.count > open + 1)
      // Over five seconds the silent names are given up.
      stage.wait(.seconds(6))
      for question in stage.driver.questions { stage.driver.answer(question, with: .none(timeToLive: 5)) }
    }
  }

  /// C56, G10: never for ACK, and not for what belongs to a transaction that exists.
  @Test("Beyond the transaction limit new requests get a stateless 503; ACK and retransmissions do not")
  func transactionLimit() throws {
    try withStage {
      $0.maxTransactions = 2
    } _: { stage in
      let first = try #require(stage.alice(.request(branch: "z9hG4bK1")).first)
      #expect(stage.alice(.request("MESSAGE", branch: "z9hG4bK2")).count == 1)
      let refused = try #require(stage.alice(.request("MESSAGE", branch: "z9hG4bK3")).first)
      #expect(refused.status == 503)
      #expect(refused.value("Retry-After") != nil)
      #expect(stage.driver.proxy.serverTransactionCount == 2)
      #expect(stage.alice(.request(branch: "z9hG4bK1")).map(\.status) == [100])
      stage.bob(.answer(200, to: first))
      #expect(stage.alice(.request("ACK", branch: "z9hG4bKack", toTag: "b")).map(\.method) == ["ACK"])
      stage.wait(.seconds(40))
      #expect(stage.alice(.request("MESSAGE", branch: "z9hG4bK4")).map(\.method) == ["MESSAGE"])
    }
  }

  /// A graceful stop (B14, C56): what exists is served, new work goes elsewhere.
  @Test("While draining new requests get 503 with Retry-After and calls go on")
  func draining() throws {
    try withStage { stage in
      let call = try stage.establish()
      let ringing = try #require(stage.alice(.request(branch: "z9hG4bK2", callID: "two")).first)
      stage.driver.proxy.beginDraining()
      for (number, request) in [
        Draft.request("INVITE", branch: "z9hG4bKd1"), .request("MESSAGE", branch: "z9hG4bKd2"),
        .request("OPTIONS", "sip:192.0.2.10", branch: "z9hG4bKd3"),
      ].enumerated() {
        let answer = stage.alice(request)
        #expect(answer.map(\.status) == [503], "\(number)")
        #expect(answer.first?.value("Retry-After") != nil)
      }
      #expect(stage.bob(.answer(200, to: ringing)).map(\.status) == [200])
      #expect(stage.alice(call.request("INFO", branch: "z9hG4bKi", cSeq: 2)).map(\.method) == ["INFO"])
      let bye = try #require(stage.bob(call.request("BYE", by: .bob, branch: "z9hG4bKbye", cSeq: 3)).first)
      #expect(stage.alice(.answer(200, to: bye)).map(\.status) == [200])
      #expect(stage.driver.proxy.isDraining == true)
    }
  }

  /// G10: one INVITE cannot fill the table with early dialogs.
  @Test("Early dialogs of one INVITE are bounded; the responses pass all the same")
  func earlyDialogLimit() throws {
    try withStage {
      $0.maxForks = 3
    } _: { stage in
      let invite = try #require(stage.alice(.request()).first)
      for number in 0..<50 {
        #expect(stage.bob(.answer(180, to: invite, tag: "t\(number)")).map(\.status) == [180])
      }
      #expect(stage.counts.early == 3)
      #expect(stage.bob(.answer(200, to: invite, tag: "t49")).count == 1)
      #expect(stage.counts.active == 1)
    }
  }

  /// G8, A99: a packet is answered with at most one packet, little larger than it.
  @Test("One packet of a stranger makes at most one packet, and not a much larger one")
  func amplification() throws {
    try withStage(minSE: 90) {
      $0.allowed = []
    } _: { stage in
      let requests = [
        Draft.request(), .request("REGISTER"), .request("BYE", toTag: "x"), .request("ACK"),
        .request("CANCEL"),
        .request("INVITE").setting("CSeq", nil), .request("OPTIONS", "sip:192.0.2.10"),
        Draft.request().with("Session-Expires: 1", "Supported: timer"),
      ]
      for request in requests {
        let sent = stage.alice(request)
        #expect(sent.count <= 1)
        for answer in sent {
          #expect(answer.destination == Place.alice)
          #expect(answer.bytes.count <= request.bytes.count + 100)
        }
      }
      #expect(stage.driver.proxy.serverTransactionCount == 0)
      #expect(stage.wait(.seconds(60)).isEmpty)
    }
  }

  /// G12 as far as the wire goes: what a sender writes comes back as it was, in its own row and no other.
  @Test("Control octets of a sender stay inside their row")
  func controlOctets() throws {
    try withStage { stage in
      let request = Draft.request("MESSAGE").with("Subject: a\u{0}b\u{1B}[31m")
      let sent = try #require(stage.alice(request).first)
      #expect(sent.lines.filter { $0.contains("\u{0}") } == ["Subject: a\u{0}b\u{1B}[31m"])
      let folded = Draft.request("MESSAGE", branch: "z9hG4bKf").setting("Max-Forwards", "0\r\n ")
      #expect(stage.alice(folded).map(\.status) == [483])
    }
  }
}
