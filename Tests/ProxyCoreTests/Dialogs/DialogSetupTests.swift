import CallState
import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing
import Timekeeping

/// Which messages make a dialog, and which is which.
@Suite("RFC 3261 §12.1, §13.2.2.4: dialogs come into being")
struct DialogSetupTests {
  /// F2, F4: 100, and 101-199 without a To tag, make none; early dialogs are counted apart.
  @Test("A provisional response with a To tag opens an early dialog, a 2xx confirms it")
  func earlyThenConfirmed() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(100, to: invite))
      stage.bob(.answer(180, to: invite, tag: nil))
      #expect(stage.counts.total == 0)
      stage.bob(.answer(180, to: invite))
      stage.bob(.answer(183, to: invite))
      #expect(stage.counts.early == 1)
      #expect(stage.counts.active == 0)
      stage.bob(.answer(200, to: invite))
      #expect(stage.counts.early == 0)
      #expect(stage.counts.active == 1)
      #expect(stage.counts.created == 1)
    }
  }

  /// F3, F11, F7: one INVITE, many To tags; a repeated 2xx is no further dialog.
  @Test("Each To tag of a forked INVITE is a dialog of its own; repetitions are none")
  func forks() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      for tag in ["b", "c", "d"] { stage.bob(.answer(180, to: invite, tag: tag)) }
      #expect(stage.counts.early == 3)
      for tag in ["c", "c", "e"] { #expect(stage.bob(.answer(200, to: invite, tag: tag)).count == 1) }
      #expect(stage.counts.active == 2)
      #expect(stage.counts.early == 2)
      #expect(Set(stage.dialogs.filter { $0.state == .confirmed }.map(\.calleeTag)) == ["c", "e"])
      stage.wait(.seconds(33))  // F11: at the latest when the INVITE's transaction ends.
      #expect(stage.counts.early == 0)
      #expect(stage.counts.active == 2)
      #expect(stage.counts.ended[.setupFailed] == 2)
    }
  }

  /// F7: merged by two paths through us, one dialog in the end.
  @Test("The same To tag by another branch is the same dialog")
  func mergedBranches() throws {
    try withStage { stage in
      let first = try #require(stage.alice(.request(branch: "z9hG4bKone")).first)
      let second = try #require(stage.alice(.request(branch: "z9hG4bKtwo")).first)
      stage.bob(.answer(180, to: first))
      stage.bob(.answer(180, to: second))
      #expect(stage.counts.early == 1)
      stage.bob(.answer(200, to: first))
      stage.bob(.answer(200, to: second))
      #expect(stage.counts.active == 1)
      #expect(stage.counts.created == 1)
    }
  }

  /// F1, F5, F27: only INVITE makes a call. The tags of a request from the callee are swapped.
  @Test(
    "Other methods make no dialog",
    arguments: ["SUBSCRIBE", "REFER", "NOTIFY", "MESSAGE", "OPTIONS", "REGISTER"])
  func otherMethods(method: String) throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request(method)).first)
      stage.bob(.answer(200, to: sent))
      #expect(stage.counts.total == 0)
      #expect(stage.counts.created == 0)
    }
  }

  /// F9, F17: what a record holds.
  @Test("A dialog's record says who, from where and since when")
  func record() throws {
    try withStage { stage in
      let call = try stage.establish(.request(cSeq: 7))
      stage.wait(.seconds(5))
      stage.bob(call.request("BYE", by: .bob, branch: "z9hG4bKb", cSeq: 22))
      let dialog = try #require(stage.dialogs.first)
      #expect(dialog.callID == "call@203.0.113.5")
      #expect(dialog.callerTag == "a")
      #expect(dialog.calleeTag == "b")
      #expect(dialog.callerContact == "sip:alice@203.0.113.5:5062")
      #expect(dialog.calleeContact == "sip:bob@198.51.100.2:5070")
      #expect(dialog.state == .confirmed)
      #expect(dialog.confirmedAge == 5)
      #expect(dialog.callerCSeq == 7)
      #expect(dialog.calleeCSeq == 22)
      #expect(dialog.callerTransport == TransportProtocol.udp.rawValue)
    }
  }

  /// F6: peers of RFC 2543 have no tags; the call counts and ends like any other.
  @Test("Dialogs with a null tag are counted and ended", arguments: [true, false])
  func nullTags(callerHasTag: Bool) throws {
    try withStage { stage in
      var request = Draft.request()
      if !callerHasTag { request = request.setting("From", "<sip:alice@example.com>") }
      let invite = try #require(stage.alice(request).first)
      stage.bob(.answer(200, to: invite, tag: callerHasTag ? nil : "b"))
      #expect(stage.counts.active == 1)
      var bye = Draft.request("BYE", branch: "z9hG4bKbye", cSeq: 2, toTag: callerHasTag ? nil : "b")
      if !callerHasTag { bye = bye.setting("From", "<sip:alice@example.com>") }
      let sent = try #require(stage.alice(bye).first)
      stage.bob(.answer(200, to: sent, tag: nil))
      #expect(stage.counts.active == 0)
    }
  }

  /// F8: the caller's route set is the reverse of the callee's; both lead through us (INFO for our peers).
  @Test("Both route sets lead through the proxy")
  func routeSets() throws {
    try withStage { stage in
      let below = Draft.request().with("Record-Route: <sip:203.0.113.9;lr>")
      let call = try stage.establish(below)
      #expect(call.recordRoutes.count == 2)
      #expect(call.routes(of: .bob).last == "Route: <sip:203.0.113.9;lr>")
      let info = stage.bob(call.request("INFO", by: .bob, branch: "z9hG4bKi", cSeq: 1))
      #expect(info.first?.destination == "203.0.113.9:5060")
    }
  }

  /// F10, F13, A59: the failed attempt is gone when the next begins, with the old or a new From tag.
  @Test("A retry after a failure is a new attempt", arguments: [401, 407, 422, 302, 486], ["a", "new"])
  func retry(status: Int, tag: String) throws {
    try withStage { stage in
      let first = try #require(stage.alice(.request()).first)
      stage.bob(.answer(183, to: first, tag: "early"))
      stage.acknowledge(stage.bob(.answer(status, to: first, tag: "early")).last)
      #expect(stage.counts.total == 0)
      #expect(stage.counts.ended[.setupFailed] == 1)
      let second = Draft.request(branch: "z9hG4bKtwo", cSeq: 2).setting(
        "From", "<sip:alice@example.com>;tag=\(tag)")
      stage.bob(.answer(200, to: try #require(stage.alice(second).first)))
      #expect(stage.counts.active == 1)
    }
  }

  /// F10: however it fails.
  @Test("Early dialogs end with a failure, a timeout and a cancelled branch")
  func failures() throws {
    try withStage { stage in
      let silent = try #require(stage.alice(.request(branch: "z9hG4bK1", callID: "silent")).first)
      for tag in ["x", "y"] { stage.bob(.answer(180, to: silent, tag: tag)) }
      #expect(stage.counts.early == 2)
      stage.wait(.seconds(230))  // Timer C, then 64*T1 of silence.
      #expect(stage.counts.total == 0)
      #expect(stage.counts.ended[.setupFailed] == 2)
    }
  }

  /// F34, F14: the counters do not wait for an ACK.
  @Test("A call without ACK is active, and stays when the ACK never comes")
  func withoutAck() throws {
    try withStage { stage in
      stage.bob(.answer(200, to: try #require(stage.alice(.request()).first)))
      #expect(stage.counts.active == 1)
      stage.wait(.seconds(120))
      #expect(stage.counts.active == 1)
    }
  }

  /// F15: the caller may end an early dialog with BYE.
  @Test("BYE in an early dialog ends it, and its siblings ring on")
  func byeInEarlyDialog() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      for tag in ["b", "c"] { stage.bob(.answer(180, to: invite, tag: tag)) }
      let bye = try #require(stage.alice(.request("BYE", branch: "z9hG4bKbye", cSeq: 2, toTag: "b")).first)
      stage.bob(.answer(200, to: bye))
      #expect(stage.counts.early == 1)
      stage.bob(.answer(200, to: invite, tag: "c"))
      #expect(stage.counts.active == 1)
    }
  }
}
