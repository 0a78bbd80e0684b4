import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

/// What the clock does on the wire: retransmission, silence, ringing without end.
@Suite("RFC 3261 §16.8, §17, RFC 4320: timers on the wire")
struct TimerTests {
  /// Milliseconds at which messages leave, looked at in steps of 10.
  private func departures(_ stage: Stage, until end: Int64, _ matches: (SentMessage) -> Bool) -> [Int64] {
    var times: [Int64] = []
    var elapsed: Int64 = 0
    while elapsed < end {
      let sent = stage.wait(.milliseconds(10))
      elapsed += 10
      times += sent.filter(matches).map { _ in elapsed }
    }
    return times
  }

  private func isClose(_ times: [Int64], to expected: [Int64]) -> Bool {
    times.count == expected.count && zip(times, expected).allSatisfy { $0 >= $1 && $0 - $1 <= 30 }
  }

  /// C1, C2, C15, B79, B65: doubled without a cap, then 408 from us; no ACK, no CANCEL.
  @Test("An INVITE nobody answers is repeated six times and answered 408 after 32 seconds")
  func inviteSilence() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      var last: [SentMessage] = []
      let times = departures(stage, until: 32_500) { message in
        if message.destination == Place.alice { last.append(message) }
        return message.bytes == invite.bytes
      }
      #expect(isClose(times, to: [500, 1500, 3500, 7500, 15_500, 31_500]), "\(times)")
      #expect(last.map(\.status) == [100, 408])
      #expect(stage.count(.timerBFired) == 1)
      #expect(stage.acknowledge(last.last).isEmpty)
      #expect(stage.bob(.answer(200, to: invite)).isEmpty)
    }
  }

  /// C16: a provisional response ends the repetition.
  @Test("A provisional response stops the INVITE's retransmission", arguments: [100, 180])
  func provisionalStops(status: Int) throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(status, to: invite))
      #expect(!stage.wait(.seconds(60)).contains { $0.destination == Place.bob })
      #expect(stage.bob(.answer(200, to: invite)).count == 1)
    }
  }

  /// C5, C6, C36, C37, C39, C47, B79: doubled up to T2, every T2 after a provisional; then silence upstream for ever.
  @Test("A non-INVITE nobody answers is repeated, then given up without a word", arguments: [false, true])
  func nonInviteSilence(hasProvisional: Bool) throws {
    try withStage { stage in
      let message = try #require(stage.alice(.request("MESSAGE")).first)
      if hasProvisional { #expect(stage.bob(.answer(100, to: message)).isEmpty) }
      var upstream: [Int] = []
      let times = departures(stage, until: 45_000) {
        if $0.destination == Place.alice { upstream.append($0.status ?? 0) }
        return $0.bytes == message.bytes
      }
      let slow: [Int64] = [4, 8, 12, 16, 20, 24, 28].map { $0 * 1000 }
      let first: [Int64] = [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
      if hasProvisional {
        #expect(times.count >= slow.count && times.count <= slow.count + 1, "\(times)")
      } else {
        #expect(isClose(times, to: first), "\(times)")
      }
      #expect(upstream == [100])
      #expect(stage.count(.timerFFired) == 1)
      #expect(stage.count(.answered408) == 0)
    }
  }

  /// C26 as decided: not at once, and well before 200 ms; without To tag, with Timestamp copied.
  @Test("100 goes to an INVITE when nothing else did within 150 ms")
  func tryingForInvite() throws {
    try withStage { stage in
      stage.alice(.request().with("Timestamp: 54.21"))
      #expect(stage.wait(.milliseconds(149)).isEmpty)
      let trying = stage.wait(.milliseconds(20))
      #expect(trying.map(\.status) == [100])
      #expect(trying.first?.value("To") == "<sip:bob@example.com>")
      #expect(trying.first?.values("Timestamp") == ["54.21"])
      #expect(trying.first?.values("Via") == ["SIP/2.0/UDP 203.0.113.5:5062;branch=z9hG4bKa1"])
      #expect(trying.first?.destination == Place.alice)
      #expect(!stage.wait(.seconds(5)).contains { $0.status == 100 })
    }
  }

  /// C26: a provisional or final response within the time makes it needless.
  @Test("No 100 goes out when another response came first", arguments: [180, 200, 404])
  func noTrying(status: Int) throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.wait(.milliseconds(100))
      stage.bob(.answer(status, to: invite))
      if status == 404 { stage.alice(.request("ACK", toTag: "b")) }
      #expect(!stage.wait(.seconds(30)).contains { $0.status == 100 })
    }
  }

  /// C44, C45, C43: never before Timer E would have reached T2, at once then; no other provisional passes.
  @Test("100 goes to a non-INVITE after 3.5 seconds and not before; other provisionals never pass")
  func tryingForNonInvite() throws {
    try withStage { stage in
      let message = try #require(stage.alice(.request("MESSAGE")).first)
      for status in [100, 180, 183] { #expect(stage.bob(.answer(status, to: message)).isEmpty) }
      #expect(stage.alice(.request("MESSAGE")).isEmpty)  // C40: nothing to repeat yet.
      #expect(!stage.wait(.milliseconds(3499)).contains { $0.destination == Place.alice })
      let trying = try #require(stage.wait(.milliseconds(20)).first { $0.destination == Place.alice })
      #expect(trying.status == 100)
      #expect(stage.alice(.request("MESSAGE")).map(\.status) == [100])  // C40
      #expect(stage.bob(.answer(200, to: message)).map(\.status) == [200])
    }
  }

  /// C47: RFC 4320 §4.2.
  @Test("A 408 to a non-INVITE ends here")
  func timeoutOfNonInvite() throws {
    try withStage { stage in
      let message = try #require(stage.alice(.request("MESSAGE")).first)
      #expect(stage.bob(.answer(408, to: message)).isEmpty)
      #expect(stage.alice(.request("MESSAGE")).isEmpty)
      #expect(!stage.wait(.seconds(60)).contains { $0.status != nil })
      #expect(stage.count(.droppedTimeoutOfNonInvite) == 1)
    }
  }

  /// B90, C3, C17, B92: ringing for ever ends after more than three minutes with a CANCEL.
  ///
  /// Once this trapped: the branch whose Timer C fired was put on the wheel twice.
  @Test("Timer C cancels a branch that only rings, and answers 408 when that does not help")
  func timerC() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: invite))
      #expect(stage.wait(.seconds(181)).isEmpty)
      let cancel = stage.wait(.seconds(5))
      #expect(cancel.first?.method == "CANCEL")
      #expect(stage.count(.timerCFired) == 1)
      stage.bob(.answer(200, to: try #require(cancel.first)))
      let end = stage.wait(.seconds(33)).filter { $0.destination == Place.alice }
      #expect(end.first?.status == 408)
      #expect(stage.counts.total == 0)
    }
  }

  /// B90, B101: the callee obeys.
  @Test("The 487 after Timer C goes upstream")
  func timerCObeyed() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: invite))
      let cancel = try #require(stage.wait(.seconds(190)).first { $0.method == "CANCEL" })
      stage.bob(.answer(200, to: cancel))
      #expect(stage.bob(.answer(487, to: invite)).map(\.status) == [nil, 487])
      stage.alice(.request("ACK", toTag: "b"))
    }
  }

  /// B71: 101-199 restart Timer C, 100 does not.
  @Test(
    "Each provisional but 100 gives the branch three more minutes", arguments: [(183, true), (100, false)])
  func timerCRestart(status: Int, restarts: Bool) throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: invite))
      stage.wait(.seconds(170))
      stage.bob(.answer(status, to: invite))
      #expect(stage.wait(.seconds(60)).contains { $0.method == "CANCEL" } == !restarts)
      let later = stage.wait(.seconds(130))
      if restarts { #expect(later.contains { $0.method == "CANCEL" }) }
    }
  }

  /// B91, C14: with a T1 so large that Timer B comes later than Timer C.
  @Test("Timer C without any provisional response counts as 408")
  func timerCWithoutProvisional() throws {
    try withStage {
      $0.t1 = .seconds(4)
    } _: { stage in
      stage.alice(.request())
      let upstream = stage.wait(.seconds(190)).filter { $0.destination == Place.alice }
      #expect(upstream.compactMap(\.status).prefix(2) == [100, 408])
      #expect(stage.count(.timerCFired) == 1)
      #expect(stage.count(.timerBFired) == 0)
      stage.acknowledge(upstream.last)
      stage.wait(.seconds(600))
    }
  }

  /// C14: the series keep their shape.
  @Test("A larger T1 stretches the retransmissions")
  func largerT1() throws {
    try withStage {
      $0.t1 = .seconds(1)
    } _: { stage in
      let invite = try #require(stage.alice(.request()).first)
      let times = departures(stage, until: 16_000) { $0.bytes == invite.bytes }
      #expect(isClose(times, to: [1000, 3000, 7000, 15_000]), "\(times)")
      stage.bob(.answer(200, to: invite))
    }
  }
}
