import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

/// The server side of an INVITE as its client sees it.
@Suite("RFC 3261 §17.2.1, RFC 6026 §7.1: INVITE server transactions on the wire")
struct InviteServerTests {
  /// C27: before anything was sent a repeated INVITE gets the 100 at once; then the most recent provisional, also when that
  /// is our own 100.
  @Test("A retransmitted INVITE gets the most recent provisional response and is not forwarded again")
  func retransmissionWhileProceeding() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      #expect(stage.alice(.request()).map(\.status) == [100])
      #expect(stage.alice(.request()).map(\.status) == [100])
      for status in [180, 183] {
        let back = stage.bob(.answer(status, to: invite))
        #expect(stage.alice(.request()).map(\.bytes) == back.map(\.bytes))
      }
      #expect(!stage.wait(.seconds(3)).contains { $0.status == 100 })
      stage.bob(.answer(200, to: invite))
    }
  }

  /// C27 after the delayed 100 of C26.
  @Test("The delayed 100 is repeated for a retransmission that comes after it")
  func retransmissionAfterTrying() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      let trying = stage.wait(.milliseconds(300))
      #expect(trying.map(\.status) == [100])
      #expect(stage.alice(.request()).map(\.bytes) == trying.map(\.bytes))
      stage.bob(.answer(200, to: invite))
    }
  }

  /// C28, C29, C30, C21, C12, C13: the transaction repeats no 2xx; the callee's repetitions pass for 64*T1.
  @Test("After a 2xx a retransmitted INVITE is absorbed and every 2xx of the callee passes, for 32 seconds")
  func accepted() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      let first = stage.bob(.answer(200, to: invite))
      #expect(stage.alice(.request()).isEmpty)
      #expect(stage.wait(.seconds(20)).isEmpty)
      #expect(stage.bob(.answer(200, to: invite)).map(\.bytes) == first.map(\.bytes))  // A75
      #expect(stage.alice(.request()).isEmpty)
      #expect(stage.wait(.milliseconds(11_900)).isEmpty)
      #expect(stage.bob(.answer(200, to: invite, tag: "late")).map(\.status) == [200])
      stage.wait(.milliseconds(200))
      #expect(stage.bob(.answer(200, to: invite)).isEmpty)  // B85: nothing stateless after that.
      #expect(stage.driver.proxy.serverTransactionCount == 0)  // C55
      #expect(stage.counts.active == 2)
    }
  }

  /// C32, C33, C7, C8, C4: repeated until the ACK, for 64*T1, doubling up to T2.
  @Test("A failure is repeated until it is acknowledged, at most for 32 seconds")
  func unacknowledged() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      let failure = try #require(stage.bob(.answer(486, to: invite)).last)
      var gaps: [Int64] = []
      var since: Int64 = 0
      for _ in 0..<3300 {
        since += 10
        let sent = stage.wait(.milliseconds(10))
        #expect(sent.allSatisfy { $0.bytes == failure.bytes })
        if !sent.isEmpty {
          gaps.append((since + 250) / 500 * 500)
          since = 0
        }
      }
      #expect(gaps == [500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000])
      #expect(stage.count(.timerHFired) == 1)
      #expect(stage.driver.proxy.serverTransactionCount == 0)
    }
  }

  /// C33, C34, C9, B105: the ACK ends here; then a late INVITE is absorbed, and nothing is sent.
  @Test("The ACK of a failure silences the transaction and goes no further")
  func acknowledged() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      let failure = try #require(stage.bob(.answer(404, to: invite)).last)
      #expect(stage.alice(.request()).map(\.bytes) == [failure.bytes])
      #expect(stage.acknowledge(failure).isEmpty)
      #expect(stage.acknowledge(failure).isEmpty)
      #expect(stage.alice(.request()).isEmpty)
      #expect(stage.wait(.milliseconds(4900)).isEmpty)
      #expect(stage.driver.proxy.serverTransactionCount == 1)
      stage.wait(.milliseconds(100 + 256))
      #expect(stage.driver.proxy.serverTransactionCount == 0)
    }
  }

  /// C31, B106, B107, F31: every ACK of a 2xx is a request of its own, repeated ACKs travel alike.
  @Test("The ACK of a 2xx is forwarded by its Route, each time the same way")
  func acknowledgedSuccess() throws {
    try withStage { stage in
      let call = try stage.establish()
      let ack = call.request("ACK", branch: "z9hG4bKown", cSeq: 1).with(
        "Supported: timer", "Proxy-Authorization: x")
      let first = try #require(stage.alice(ack).first)
      #expect(first.destination == Place.bob)
      #expect(first.value("Max-Forwards") == "69")
      #expect(first.values("Route").isEmpty)
      #expect(first.values("Record-Route").isEmpty)
      #expect(first.values("Session-Expires").isEmpty)
      #expect(stage.alice(ack).map(\.bytes) == [first.bytes])
      let other = try #require(stage.alice(call.request("ACK", branch: "z9hG4bKother", cSeq: 1)).first)
      #expect(other.branch != first.branch)
      // C31: a caller that reuses the INVITE's branch is understood too.
      let reused = stage.alice(call.request("ACK", branch: "z9hG4bKa1", cSeq: 1))
      #expect(reused.map(\.destination) == [Place.bob])
    }
  }

  /// B107: without a cookie the branch is a function of the other fields.
  @Test("The ACK of a client without branches gets the same branch each time")
  func acknowledgedWithoutBranch() throws {
    try withStage { stage in
      let call = try stage.establish()
      let ack = call.request("ACK", branch: "x", cSeq: 1).setting("Via", "SIP/2.0/UDP \(Place.alice)")
      let sent = [stage.alice(ack), stage.alice(ack)].flatMap { $0 }
      #expect(sent.count == 2)
      #expect(sent[0].bytes == sent[1].bytes)
      #expect(sent[0].branch.hasPrefix("z9hG4bK"))
    }
  }

  /// B108, G6: the ACK to a stateless answer of ours is recognised without memory and ends here.
  @Test("An ACK to a stateless 403 or 503 is absorbed")
  func acknowledgedStatelessAnswer() throws {
    try withStage {
      $0.allowed = []
    } _: { stage in
      let refusal = stage.alice(.request())
      #expect(refusal.map(\.status) == [403])
      #expect(stage.acknowledge(refusal.first).isEmpty)
      #expect(stage.count(.droppedAckNotAllowed) == 0)
      #expect(stage.driver.proxy.serverTransactionCount == 0)
    }
  }

  /// C18, C19, C4: our client side acknowledges each repetition of the callee's failure, and passes it up once.
  @Test("A repeated failure of the callee is acknowledged again and forwarded once")
  func repeatedFailure() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      let first = stage.bob(.answer(500, to: invite))
      stage.acknowledge(first.last)
      for _ in 0..<3 {
        stage.wait(.seconds(4))
        #expect(stage.bob(.answer(500, to: invite)).map(\.bytes) == [first[0].bytes])
      }
      #expect(stage.bob(.answer(200, to: invite)).isEmpty)
      #expect(stage.bob(.answer(180, to: invite)).isEmpty)
      stage.wait(.seconds(21))
      #expect(stage.bob(.answer(500, to: invite)).isEmpty)
    }
  }
}
