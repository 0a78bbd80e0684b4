import CallState
import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing
import Timekeeping

@Suite("Peers that lie: forged answers, endless forks, crowded branches, messages at the limits")
struct HostilePeerTests {
  /// G10: one INVITE cannot fill the table with answers, early or not; every 2xx passes all the same (B74).
  @Test("Answered forks of one INVITE are bounded")
  func endlessForks() throws {
    try withStage {
      $0.maxForks = 5
    } _: { stage in
      let invite = try #require(stage.alice(.request()).first)
      for number in 0..<40 {
        #expect(stage.bob(.answer(200, to: invite, tag: "t\(number)")).map(\.status) == [200])
      }
      #expect(stage.counts.active == 5)
      #expect(stage.count(.earlyDialogLimitReached) == 35)
    }
  }

  /// B67, F1: the branch alone does not make a response ours; it must name the call it answers.
  @Test(
    "An answer in the name of another call is dropped",
    arguments: [
      ("Call-ID", "other@example.com"), ("From", "<sip:alice@example.com>;tag=zz"), ("CSeq", "9 INVITE"),
    ])
  func answerForAnotherCall(name: String, value: String) throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      #expect(stage.bob(Draft.answer(200, to: invite).setting(name, value)).isEmpty)
      #expect(stage.count(.droppedStrayResponse) == 1)
      #expect(stage.counts.active == 0)
      #expect(stage.bob(.answer(486, to: invite)).count == 2)
      stage.alice(.request("ACK", toTag: "b"))
    }
  }

  /// C56, G10: requests that differ in nothing but their method share one place in the index.
  @Test("A branch used for many methods is refused")
  func crowdedBranch() throws {
    try withStage { stage in
      let statuses = (0..<20).map { stage.alice(.request("M\($0)", "sip:192.0.2.10")).first?.status }
      #expect(statuses.prefix(8).allSatisfy { $0 == 404 })
      #expect(statuses.dropFirst(8).allSatisfy { $0 == 503 })
    }
  }

  /// G9: a request that would come straight back to us.
  @Test("A request whose next hop is ourselves is refused")
  func nextHopIsUs() throws {
    try withStage { stage in
      var request = Draft.request("INFO", toTag: "b")
      request.rows.insert("Route: <sip:192.0.2.10;lr>, <sip:192.0.2.10;lr>", at: 1)
      #expect(stage.alice(request).map(\.status) == [482])
    }
  }

  /// E42, B95, C22: what we add to a request at the limits does not keep us from cancelling it.
  @Test("A request with as many rows as are allowed can be cancelled and its failure acknowledged")
  func requestAtTheRowLimit() throws {
    try withStage { stage in
      var draft = Draft.request()
      while draft.rows.count < 511 { draft.rows.append("X-Row: \(draft.rows.count)") }
      let invite = try #require(stage.alice(draft).first)
      #expect(invite.method == "INVITE")
      #expect(stage.bob(.answer(180, to: invite)).map(\.status) == [180])
      #expect(stage.alice(.request("CANCEL")).map { $0.method ?? "\($0.status ?? 0)" } == ["200", "CANCEL"])
      let failure = stage.bob(.answer(487, to: invite))
      #expect(failure.map { $0.method ?? "\($0.status ?? 0)" } == ["ACK", "487"])
      stage.alice(.request("ACK", toTag: "b"))
    }
  }

  /// B23, E23: a field that cannot be read might ask for anything.
  @Test("A malformed Proxy-Require is answered 400", arguments: ["timer,,foo", ",foo"])
  func malformedProxyRequire(value: String) throws {
    try withStage { stage in
      #expect(stage.alice(.request("OPTIONS").with("Proxy-Require: \(value)")).map(\.status) == [400])
    }
  }

  /// E8: a NUL does not belong to a name, and reads as no known field.
  @Test("A field name with a NUL is not the field without it")
  func nulInAName() throws {
    try withStage { stage in
      let text = String(decoding: Draft.request("OPTIONS").bytes, as: UTF8.self)
      let damaged = text.replacing("Call-ID:", with: "Call-ID\u{0}:")
      #expect(stage.driver.deliver(Array(damaged.utf8), from: Place.alice).map(\.status) == [400])
    }
  }
}
