import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

@Suite("RFC 4028 §11.1: attacks with the session interval")
struct SessionIntervalAttackTests {
  /// G13, A98, A99: a caller with timer support is told our minimum; no dialog, no forwarding.
  @Test("A tiny interval of a caller that supports timers gets 422, as often as it tries")
  func rogueCaller() throws {
    try withStage(sessionExpires: 1800, minSE: 300) { stage in
      for number in 1...20 {
        let request = Draft.request(branch: "z9hG4bK\(number)", cSeq: number).with(
          "Supported: timer", "Session-Expires: 90")
        let answer = stage.alice(request)
        #expect(answer.map(\.status) == [422])
        #expect(answer.first?.values("Min-SE") == ["300"])
        #expect(answer.first?.values("Session-Expires").isEmpty == true)
      }
      #expect(stage.count(.requestsForwarded) == 0)
      #expect(stage.counts.created == 0)
    }
  }

  /// G13: without support the interval is raised and the callee told why.
  @Test("A tiny interval of a caller without timer support is raised, with Min-SE")
  func callerWithoutSupport() throws {
    try withStage(sessionExpires: 1800, minSE: 300) { stage in
      let sent = try #require(stage.alice(.request().with("Session-Expires: 90")).first)
      #expect(sent.values("Session-Expires") == ["300"])
      #expect(sent.values("Min-SE") == ["300"])
    }
  }

  /// G13, A51: the callee forced 90 seconds by its 2xx; the next refresh is met with 422.
  @Test("A tiny interval that the callee dictates is caught at the next refresh")
  func rogueCallee() throws {
    try withStage(sessionExpires: 1800, minSE: 300) { stage in
      let call = try stage.establish(
        .request().with("Supported: timer"),
        answer: { $0.with("Session-Expires: 90;refresher=uac", "Require: timer") })
      #expect(call.ok.values("Session-Expires") == ["90;refresher=uac"])
      let refresh = call.request("UPDATE", branch: "z9hG4bKup", cSeq: 2).with(
        "Supported: timer", "Session-Expires: 90;refresher=uac")
      #expect(stage.alice(refresh).map(\.status) == [422])
      #expect(stage.counts.timed == 1)
    }
  }

  /// G14, A41, A98: Min-SE is neither added nor raised when the sender supports timers.
  @Test(
    "Min-SE is left alone when the caller supports timers", arguments: [[], ["Min-SE: 90"], ["Min-SE: 91;x"]])
  func minSEUntouched(rows: [String]) throws {
    try withStage(sessionExpires: 1800, minSE: 300) { stage in
      var request = Draft.request().with("Supported: timer", "Session-Expires: 1800")
      request.rows += rows
      let sent = try #require(stage.alice(request).first)
      #expect(sent.lines.filter { $0.hasPrefix("Min-SE") } == rows)
    }
  }

  /// G16: the header field says what the callee wants; the record lives no longer than the cap, which is counted.
  @Test("A huge interval does not pin the record for ever, and is not changed on the wire")
  func hugeInterval() throws {
    try withStage {
      $0.maxSession = .seconds(600)
    } _: { stage in
      let call = try stage.establish(answer: { $0.with("Session-Expires: 4294967295;refresher=uas") })
      #expect(call.ok.values("Session-Expires") == ["4294967295;refresher=uas"])
      stage.wait(.seconds(590))
      #expect(stage.counts.timed == 1)
      stage.wait(.seconds(12))
      #expect(stage.counts.total == 0)
      #expect(stage.counts.ended[.cappedLifetimeOver] == 1)
    }
  }
}
