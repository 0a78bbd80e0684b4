import CallState
import PagedStorage
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

/// Requests inside a dialog: routed by what they say, never by what we remember.
@Suite("RFC 3261 §12.2, §16.12: requests inside a dialog")
struct InDialogTests {
  /// F16: the record says one thing, the request another: the request wins.
  @Test("An in-dialog request goes where its Route and Request-URI lead, not where the record points")
  func recordDoesNotRoute() throws {
    try withStage { stage in
      let call = try stage.establish()
      let elsewhere = stage.alice(call.request("INFO", "sip:x@198.51.100.3", branch: "z9hG4bK1", cSeq: 2))
      #expect(elsewhere.first?.destination == Place.carol)
      var routed = call.request("INFO", branch: "z9hG4bK2", cSeq: 3)
      routed.rows.insert("Route: <sip:198.51.100.3:5060;lr>", at: 2)
      #expect(stage.alice(routed).first?.destination == Place.carol)
    }
  }

  /// F17: re-INVITE and UPDATE, answered 2xx, move the target; nothing else does, and the route set stays.
  @Test(
    "Only a target refresh that succeeds updates the recorded Contact",
    arguments: [
      ("INVITE", 200, true), ("UPDATE", 200, true), ("INVITE", 488, false), ("UPDATE", 500, false),
      ("INFO", 200, false), ("BYE", 401, false),
    ])
  func targetRefresh(method: String, status: Int, moves: Bool) throws {
    try withStage { stage in
      let call = try stage.establish()
      let request = call.request(method, branch: "z9hG4bKre", cSeq: 2).setting(
        "Contact", "<sip:alice@203.0.113.77:5>")
      let sent = try #require(stage.alice(request).first)
      stage.bob(Draft.answer(status, to: sent).setting("Contact", "<sip:bob@198.51.100.77>"))
      let dialog = try #require(stage.dialogs.first)
      #expect(dialog.callerContact == (moves ? "sip:alice@203.0.113.77:5" : Person.alice.target))
      #expect(dialog.calleeContact == (moves ? "sip:bob@198.51.100.77" : Person.bob.target))
      if status == 488 { stage.alice(call.request("ACK", branch: "z9hG4bKre", cSeq: 2)) }
    }
  }

  /// F18: what an UPDATE inside it did is not undone when the re-INVITE fails.
  @Test("A failed re-INVITE does not roll back an UPDATE that succeeded meanwhile")
  func noRollBack() throws {
    try withStage { stage in
      let call = try stage.establish()
      let again = try #require(stage.alice(call.request("INVITE", branch: "z9hG4bKre", cSeq: 2)).first)
      let update = call.request("UPDATE", by: .bob, branch: "z9hG4bKup", cSeq: 1).setting(
        "Contact", "<sip:bob@198.51.100.77>")
      let sent = try #require(stage.bob(update).first)
      stage.alice(.answer(200, to: sent))
      stage.bob(.answer(500, to: again))
      stage.alice(call.request("ACK", branch: "z9hG4bKre", cSeq: 2))
      #expect(stage.dialogs.first?.calleeContact == "sip:bob@198.51.100.77")
    }
  }

  /// F20, F38: RFC 5407 §3.1.5 and others; both requests pass, both 491 pass, the dialog stays.
  @Test("Glare is for the user agents", arguments: [491, 500])
  func glare(status: Int) throws {
    try withStage { stage in
      let call = try stage.establish()
      let byAlice = try #require(stage.alice(call.request("INVITE", branch: "z9hG4bKx", cSeq: 2)).first)
      let byBob = try #require(stage.bob(call.request("INVITE", by: .bob, branch: "z9hG4bKy", cSeq: 1)).first)
      #expect(stage.bob(.answer(status, to: byAlice)).last?.status == status)
      #expect(stage.alice(.answer(status, to: byBob)).last?.status == status)
      stage.alice(call.request("ACK", branch: "z9hG4bKx", cSeq: 2))
      stage.bob(call.request("ACK", by: .bob, branch: "z9hG4bKy", cSeq: 1))
      #expect(stage.counts.active == 1)
    }
  }

  /// F21: the user agent server judges CSeq.
  @Test("CSeq may jump and go backwards", arguments: [0, 1, 2, 900, 4_294_967_295])
  func cSeqOrder(number: Int) throws {
    try withStage { stage in
      let call = try stage.establish(.request(cSeq: 500))
      let sent = stage.alice(call.request("INFO", branch: "z9hG4bKi", cSeq: number))
      #expect(sent.map(\.destination) == [Place.bob])
    }
  }

  /// F28, F31, A92, B28, F37: a proxy that knows nothing of the call routes it by its Route, and learns it from the next
  /// refresh; nothing is answered 481.
  @Test("After a restart calls go on and are adopted by their next refresh", arguments: [Person.alice, .bob])
  func restart(party: Person) throws {
    let configuration = try ProxyDriver.configuration()
    let call = try Stage(ProxyDriver(configuration)).establish()
    let stage = Stage(
      ProxyDriver(configuration, environment: ProxyDriver.environment(processKey: HashKey(99, 98))))
    for method in ["ACK", "INFO", "PRACK", "UPDATE"] {
      let sent = stage.send(call.request(method, by: party, branch: "z9hG4bK\(method)", cSeq: 3), by: party)
      #expect(sent.map(\.destination) == [party.other.address])
      #expect(sent.first?.values("Route").isEmpty == true)
      #expect(stage.counts.total == 0)
      if method == "UPDATE", let update = sent.first {
        #expect(update.values("Session-Expires") == ["1800"])  // A52
        stage.send(.answer(200, to: update), by: party.other)
      }
    }
    #expect(stage.counts.active == 1)
    #expect(stage.counts.adopted == 1)
    #expect(stage.counts.created == 0)
    let bye = try #require(
      stage.send(call.request("BYE", by: party.other, branch: "z9hG4bKbye", cSeq: 9), by: party.other).first)
    stage.send(.answer(200, to: bye), by: party)
    #expect(stage.counts.active == 0)
    stage.expectEmptyTables(#_sourceLocation)
  }

  /// F33: an expired call that lives on is not cut, and its late refresh brings it back.
  @Test("A refresh that comes after the expiration passes and brings the dialog back")
  func lateRefresh() throws {
    try withStage(sessionExpires: 1800) { stage in
      let call = try stage.establish(answer: { $0.with("Session-Expires: 90;refresher=uac") })
      stage.wait(.seconds(100))
      #expect(stage.counts.total == 0)
      let update = try #require(stage.alice(call.request("UPDATE", branch: "z9hG4bKup", cSeq: 2)).first)
      stage.bob(Draft.answer(200, to: update).with("Session-Expires: 1800;refresher=uac"))
      #expect(stage.counts.timed == 1)
      #expect(stage.counts.adopted == 1)
    }
  }

  /// F35, A95: the numbers are right at every step.
  @Test("Counters follow each step of a hundred calls")
  func counters() throws {
    try withStage(sessionExpires: 1800) { stage in
      for number in 0..<100 {
        let invite = Draft.request(branch: "z9hG4bKi\(number)", callID: "call-\(number)")
        let sent = try #require(stage.alice(invite).first)
        stage.bob(.answer(180, to: sent))
        #expect(stage.counts.early == 1)
        let interval = number % 2 == 0 ? ["Session-Expires: 1800;refresher=uas"] : []
        var ok = Draft.answer(200, to: sent)
        ok.rows += interval
        stage.bob(ok)
        #expect(stage.counts.timed == number / 2 + 1)
        #expect(stage.counts.untimed == (number + 1) / 2)
        #expect(stage.driver.proxy.auditDialogs() == nil)
      }
      #expect(stage.dialogs.count == 100)
    }
  }
}
