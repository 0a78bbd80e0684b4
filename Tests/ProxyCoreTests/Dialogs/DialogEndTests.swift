import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

/// Which final response ends a dialog.
@Suite("RFC 3261 §15, RFC 5057: dialogs end")
struct DialogEndTests {
  /// F22, A96: 2xx and 481 that are forwarded, a 408 that arrives; a challenge ends nothing.
  @Test(
    "BYE ends the dialog with its final response, unless that is a challenge or a refusal",
    arguments: [
      (200, true), (202, true), (481, true), (408, true), (401, false), (407, false), (403, false),
      (500, false),
      (503, false), (404, false),
    ], [Person.alice, .bob])
  func bye(answer: (status: Int, ends: Bool), party: Person) throws {
    try withStage { stage in
      let call = try stage.establish()
      let bye = try #require(
        stage.send(call.request("BYE", by: party, branch: "z9hG4bKbye", cSeq: 9), by: party).first)
      #expect(bye.destination == party.other.address)
      #expect(stage.counts.active == 1)
      let back = stage.send(.answer(answer.status, to: bye), by: party.other)
      #expect(
        back.map(\.status) == (answer.status == 408 ? [] : [answer.status == 503 ? 500 : answer.status]))
      #expect(stage.counts.active == (answer.ends ? 0 : 1))
      #expect(stage.counts.ended[.bye] == (answer.ends ? 1 : 0))
    }
  }

  /// F22, C39: nobody is there any more.
  @Test("BYE that nobody answers ends the dialog when its transaction times out")
  func byeTimeout() throws {
    try withStage { stage in
      let call = try stage.establish()
      stage.alice(call.request("BYE", branch: "z9hG4bKbye", cSeq: 2))
      stage.wait(.seconds(31))
      #expect(stage.counts.active == 1)
      #expect(!stage.wait(.seconds(2)).contains { $0.status != nil })
      #expect(stage.counts.active == 0)
    }
  }

  /// F23, F38: RFC 5407 §3.1.4 among others.
  @Test("Crossing BYEs are both forwarded and answered, and counted once")
  func crossingByes() throws {
    try withStage { stage in
      let call = try stage.establish()
      let byAlice = try #require(stage.alice(call.request("BYE", branch: "z9hG4bKx", cSeq: 2)).first)
      let byBob = try #require(stage.bob(call.request("BYE", by: .bob, branch: "z9hG4bKy", cSeq: 1)).first)
      #expect(byAlice.destination == Place.bob)
      #expect(byBob.destination == Place.alice)
      #expect(stage.bob(.answer(200, to: byAlice)).map(\.destination) == [Place.alice])
      #expect(stage.alice(.answer(200, to: byBob)).map(\.destination) == [Place.bob])
      #expect(stage.counts.active == 0)
      #expect(stage.counts.ended.total == 1)
    }
  }

  /// F23: late ones are forwarded like any other; retransmissions do not count either.
  @Test("BYE for a dialog that is gone is forwarded and counts for nothing")
  func lateBye() throws {
    try withStage { stage in
      let call = try stage.establish()
      for (number, status) in [(2, 200), (3, 200), (4, 481)] {
        let bye = call.request("BYE", branch: "z9hG4bKbye\(number)", cSeq: number)
        let sent = try #require(stage.alice(bye).first)
        #expect(stage.alice(bye).isEmpty)
        #expect(stage.bob(.answer(status, to: sent)).map(\.status) == [status])
        #expect(stage.alice(bye).map(\.status) == [status])
      }
      #expect(stage.counts.active == 0)
      #expect(stage.counts.ended.total == 1)
    }
  }

  /// F24, F25, F26, A79, F18, F20: of all failures of a refresh only 481 ends the dialog.
  @Test(
    "A refresh that fails leaves the dialog and its expiration, unless it fails with 481",
    arguments: [
      302, 400, 404, 405, 408, 410, 416, 422, 480, 481, 482, 483, 484, 485, 488, 489, 491, 500, 501, 502, 604,
    ],
    ["INVITE", "UPDATE"])
  func failedRefresh(status: Int, method: String) throws {
    try withStage(sessionExpires: 1800) { stage in
      let call = try stage.establish(answer: { $0.with("Session-Expires: 1800;refresher=uac") })
      stage.wait(.seconds(100))
      let before = try #require(stage.dialogs.first)
      let refresh = call.request(method, branch: "z9hG4bKre", cSeq: 2).setting(
        "Contact", "<sip:alice@203.0.113.77>")
      let sent = try #require(stage.alice(refresh).first)
      let back = stage.bob(.answer(status, to: sent))
      if method == "INVITE" { stage.alice(call.request("ACK", branch: "z9hG4bKre", cSeq: 2)) }
      if method == "INVITE" || status != 408 { #expect(back.last?.status == status) }
      #expect(stage.counts.timed == (status == 481 ? 0 : 1))
      #expect(stage.counts.ended[.notFound481] == (status == 481 ? 1 : 0))
      if let after = stage.dialogs.first {
        #expect(after.expiresIn == before.expiresIn)
        #expect(after.callerContact == before.callerContact)
      }
    }
  }

  /// F25: silence.
  @Test("A refresh that nobody answers leaves the dialog", arguments: ["INVITE", "UPDATE"])
  func silentRefresh(method: String) throws {
    try withStage(sessionExpires: 1800) { stage in
      let call = try stage.establish()
      stage.alice(call.request(method, branch: "z9hG4bKre", cSeq: 2))
      let upstream = stage.wait(.seconds(40)).filter { $0.destination == Place.alice }.compactMap(\.status)
      #expect(upstream.contains(408) == (method == "INVITE"))
      #expect(stage.counts.active == 1)
    }
  }

  /// F27, F30: usages that share the dialog come and go without it.
  @Test(
    "Other usages of the dialog pass, are not counted and end nothing",
    arguments: ["SUBSCRIBE", "REFER", "NOTIFY", "INFO", "PRACK", "MESSAGE", "OPTIONS", "WHATEVER"],
    [200, 481, 408, 489])
  func otherUsages(method: String, status: Int) throws {
    try withStage { stage in
      let call = try stage.establish()
      let sent = try #require(stage.bob(call.request(method, by: .bob, branch: "z9hG4bKu", cSeq: 5)).first)
      #expect(sent.destination == Place.alice)
      #expect(sent.values("Route").isEmpty)
      #expect(sent.value("Max-Forwards") == "69")
      stage.alice(.answer(status, to: sent))
      #expect(stage.counts.active == 1)
      #expect(stage.counts.created == 1)
      let bye = try #require(stage.alice(call.request("BYE", branch: "z9hG4bKbye", cSeq: 2)).first)
      stage.bob(.answer(200, to: bye))
      #expect(stage.counts.active == 0)
      // The usage lives on after the call: what belongs to it still passes.
      #expect(
        stage.alice(call.request("NOTIFY", branch: "z9hG4bKn", cSeq: 3)).map(\.destination) == [Place.bob])
    }
  }

  /// F32, A87, A86: when the session expires the record goes, and nothing is sent.
  @Test("An expired session is forgotten in silence")
  func expiry() throws {
    try withStage(sessionExpires: 1800) { stage in
      try stage.establish(answer: { $0.with("Session-Expires: 300;refresher=uas") })
      stage.wait(.seconds(32))
      #expect(stage.wait(.seconds(267)).isEmpty)
      #expect(stage.counts.timed == 1)
      #expect(stage.wait(.seconds(3)).isEmpty)
      #expect(stage.counts.total == 0)
      #expect(stage.counts.ended[.sessionExpired] == 1)
    }
  }
}
