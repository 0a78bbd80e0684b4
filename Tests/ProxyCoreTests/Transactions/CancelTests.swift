import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

/// CANCEL received and CANCEL sent, and every race it can lose.
@Suite("RFC 3261 §9, §16.10: CANCEL")
struct CancelTests {
  private let alertingTag = "b"

  /// B95, B97, B98, B101, B104, B69: the plain case, octet for octet.
  @Test("CANCEL of a ringing call: 200 at once, our own CANCEL downstream, its 487 upstream")
  func ringing() throws {
    try withStage(sessionExpires: 1800) { stage in
      let request = Draft.request().with(
        "Require: foo", "Proxy-Require: timer", "Supported: timer", "Route: <sip:198.51.100.2:5070;lr>")
      let invite = try #require(stage.alice(request).first)
      stage.bob(.answer(180, to: invite))
      let reaction = stage.alice(.request("CANCEL").with("Reason: SIP;cause=200;text=\"elsewhere\""))
      #expect(reaction.map(\.status) == [200, nil])
      #expect(reaction[0].value("CSeq") == "1 CANCEL")
      #expect(reaction[0].value("To")?.contains(";tag=") == true)
      let cancel = reaction[1]
      #expect(cancel.destination == Place.bob)
      #expect(cancel.flow == invite.flow)
      #expect(cancel.startLine == "CANCEL sip:bob@198.51.100.2:5070 SIP/2.0")
      #expect(
        cancel.lines.dropFirst().sorted() == [
          "CSeq: 1 CANCEL", "Call-ID: call@203.0.113.5", "Content-Length: 0",
          "From: <sip:alice@example.com>;tag=a",
          "Max-Forwards: 70", "Reason: SIP;cause=200;text=\"elsewhere\"", "Route: <sip:198.51.100.2:5070;lr>",
          "To: <sip:bob@example.com>", "Via: \(invite.values("Via")[0])",
        ])
      #expect(stage.bob(.answer(200, to: cancel, tag: "x")).isEmpty)
      #expect(stage.counts.early == 1)  // F12: the CANCEL alone ends nothing.
      let end = stage.bob(.answer(487, to: invite))
      #expect(end.map(\.status) == [nil, 487])
      #expect(end[0].method == "ACK")
      #expect(stage.counts.total == 0)
      #expect(stage.alice(.request("ACK", toTag: "b")).isEmpty)
      #expect(stage.wait(.seconds(60)).isEmpty)
    }
  }

  /// B96: remembered until the first provisional response, a 100 being good enough.
  @Test(
    "Before any provisional response nothing is cancelled; the first one releases the CANCEL",
    arguments: [100, 183])
  func beforeProvisional(status: Int) throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      #expect(stage.alice(.request("CANCEL")).map(\.status) == [200])
      let repeated = stage.wait(.milliseconds(600))
      #expect(repeated.filter { $0.destination == Place.bob }.map(\.bytes) == [invite.bytes])
      let out = stage.bob(.answer(status, to: invite))
      #expect(out.filter { $0.method == "CANCEL" }.map(\.destination) == [Place.bob])
      #expect(stage.bob(.answer(182, to: invite)).map(\.status) == [182])
      stage.bob(.answer(487, to: invite))
      stage.alice(.request("ACK", toTag: "b"))
    }
  }

  /// B96: the final response came first; B101: a 2xx passes although the caller gave up.
  @Test("A final response that overtakes the CANCEL stops it", arguments: [200, 404, 603])
  func finalFirst(status: Int) throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.alice(.request("CANCEL"))
      let out = stage.bob(.answer(status, to: invite))
      #expect(out.last?.status == status)
      #expect(!out.contains { $0.method == "CANCEL" })
      #expect(stage.counts.active == (status == 200 ? 1 : 0))
      if status > 299 { stage.alice(.request("ACK", toTag: "b")) }
      #expect(!stage.wait(.seconds(70)).contains { $0.method == "CANCEL" })
    }
  }

  /// B101, F12, F38: CANCEL sent, 200 won. The dialog is confirmed.
  @Test("A 2xx that crosses our CANCEL is forwarded and confirms the dialog")
  func successCrosses() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: invite))
      let cancel = try #require(stage.alice(.request("CANCEL")).last)
      #expect(stage.bob(.answer(200, to: invite)).map(\.status) == [200])
      #expect(stage.bob(.answer(481, to: cancel)).isEmpty)
      #expect(stage.counts.active == 1)
      #expect(stage.counts.early == 0)
      #expect(stage.wait(.seconds(70)).isEmpty)
    }
  }

  /// B102: too late; the CANCEL is answered and that is all.
  @Test("CANCEL after our final response is answered 200 and has no effect", arguments: [200, 486])
  func afterFinal(status: Int) throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: invite))
      stage.bob(.answer(status, to: invite))
      #expect(stage.alice(.request("CANCEL")).map(\.status) == [200])
      #expect(stage.counts.active == (status == 200 ? 1 : 0))
      if status > 299 { stage.alice(.request("ACK", toTag: "b")) }
      #expect(!stage.wait(.seconds(70)).contains { $0.method == "CANCEL" })
    }
  }

  /// C40, C52, B95: a CANCEL has a server transaction of its own.
  @Test("A retransmitted CANCEL gets the same 200 and causes no second CANCEL")
  func retransmitted() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: invite))
      let first = stage.alice(.request("CANCEL"))
      let second = stage.alice(.request("CANCEL"))
      #expect(second.map(\.bytes) == [first[0].bytes])
      stage.bob(.answer(200, to: first[1]))
      stage.bob(.answer(487, to: invite))
      #expect(stage.alice(.request("CANCEL")).map(\.bytes) == [first[0].bytes])
      stage.alice(.request("ACK", toTag: "b"))
    }
  }

  /// C5, C6, B97: our CANCEL is a client transaction like any other.
  @Test("Our CANCEL is repeated until it is answered")
  func ownRetransmission() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: invite))
      let cancel = try #require(stage.alice(.request("CANCEL")).last)
      let again = stage.wait(.milliseconds(1600)).filter { $0.method == "CANCEL" }
      #expect(again.map(\.bytes) == [cancel.bytes, cancel.bytes])
      stage.bob(.answer(200, to: cancel))
      #expect(!stage.wait(.seconds(20)).contains { $0.method == "CANCEL" })
      stage.bob(.answer(487, to: invite))
      stage.alice(.request("ACK", toTag: "b"))
    }
  }

  /// B92: a callee that confirms the CANCEL and then says nothing holds nobody up.
  @Test("64*T1 after our CANCEL a silent branch counts as cancelled: 487")
  func silentAfterCancel() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: invite))
      let cancel = try #require(stage.alice(.request("CANCEL")).last)
      stage.bob(.answer(200, to: cancel))
      #expect(stage.wait(.milliseconds(31_900)).isEmpty)
      #expect(stage.counts.early == 1)
      let end = stage.wait(.milliseconds(200))
      #expect(end.map(\.status) == [487])
      #expect(end.first?.destination == Place.alice)
      #expect(stage.counts.total == 0)
      #expect(stage.bob(.answer(200, to: invite)).isEmpty)  // B67: too late.
      stage.acknowledge(end.first)
    }
  }

  /// B99, B107, B109, B110, A4: no context: passed on without a transaction, never 481, never an answer of ours.
  @Test("CANCEL that matches nothing is forwarded without state, the same way each time")
  func unknown() throws {
    try withStage(sessionExpires: 1800) { stage in
      let cancel = Draft.request("CANCEL", branch: "z9hG4bKnothing").with("Supported: timer")
      let first = stage.alice(cancel)
      #expect(first.map(\.method) == ["CANCEL"])
      #expect(first.first?.destination == Place.bob)
      #expect(first.first?.values("Session-Expires").isEmpty == true)
      #expect(stage.alice(cancel).map(\.bytes) == first.map(\.bytes))
      #expect(stage.driver.proxy.serverTransactionCount == 0)
      let passed = try #require(first.first)
      #expect(stage.bob(.answer(481, to: passed)).isEmpty)
      #expect(stage.wait(.seconds(40)).isEmpty)
    }
  }

  /// B100: never challenged, never passed on for anything but INVITE.
  @Test("CANCEL of a request other than INVITE is answered and goes no further")
  func nonInvite() throws {
    try withStage { stage in
      let message = try #require(stage.alice(.request("MESSAGE")).first)
      #expect(stage.alice(.request("CANCEL")).map(\.status) == [200])
      #expect(stage.bob(.answer(200, to: message)).map(\.status) == [200])
      #expect(stage.wait(.seconds(40)).isEmpty)
    }
  }

  /// C52, C54: the sent-by tells two transactions with one branch apart.
  @Test("CANCEL from another sent-by cancels nothing")
  func foreignSentBy() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: invite))
      let foreign = Draft.request("CANCEL").setting("Via", "SIP/2.0/UDP 203.0.113.6:5062;branch=z9hG4bKa1")
      let out = stage.send(foreign, from: "203.0.113.6:5062")
      #expect(out.count == 1)
      #expect(out.first?.branch != invite.branch)
      #expect(stage.bob(.answer(200, to: invite)).map(\.status) == [200])
    }
  }

  /// B103: decided: the caller's Expires is for user agents.
  @Test("An elapsed Expires cancels nothing")
  func expires() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request().with("Expires: 1")).first)
      stage.bob(.answer(180, to: invite))
      #expect(stage.wait(.seconds(10)).isEmpty)
      #expect(stage.bob(.answer(200, to: invite)).map(\.status) == [200])
    }
  }

  /// F19: whatever a target refresh in between changed, CANCEL follows its re-INVITE.
  @Test("CANCEL of a re-INVITE goes where the re-INVITE went")
  func reInvite() throws {
    try withStage { stage in
      let call = try stage.establish()
      let again = try #require(stage.alice(call.request("INVITE", branch: "z9hG4bKre", cSeq: 2)).first)
      stage.bob(.answer(183, to: again))
      let update = call.request("UPDATE", by: .bob, branch: "z9hG4bKup", cSeq: 1).setting(
        "Contact", "<sip:bob@198.51.100.77>")
      stage.alice(.answer(200, to: try #require(stage.bob(update).first)))
      let cancel = try #require(stage.alice(call.request("CANCEL", branch: "z9hG4bKre", cSeq: 2)).last)
      #expect(cancel.destination == Place.bob)
      #expect(cancel.value("To") == again.value("To"))
      let end = stage.bob(.answer(487, to: again))
      #expect(end.first?.destination == Place.bob)
      #expect(end.last?.status == 487)
      stage.alice(call.request("ACK", branch: "z9hG4bKre", cSeq: 2))
      #expect(stage.counts.active == 1)
    }
  }
}
