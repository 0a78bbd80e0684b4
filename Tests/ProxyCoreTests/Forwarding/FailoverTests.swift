import CallState
import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing
import Timekeeping

/// Several addresses for one target, tried in turn.
@Suite("RFC 3261 §16.6 item 7, RFC 3263 §4.3: the next address when one fails")
struct FailoverTests {
  private let uri = "sip:bob@example.net"

  /// B61, D54, D55, D56, B48, B62: the whole request goes to the next address on a branch of its own; the answer of
  /// that one is the answer, and what belongs to the new branch goes where it went.
  @Test(
    "A refused address makes the request go to the next on a new branch", arguments: ["INVITE", "OPTIONS"])
  func refused(method: String) throws {
    try withStage { stage in
      stage.twoServers()
      let first = try #require(stage.alice(.request(method, uri)).first)
      #expect(first.destination == Place.bob)
      let second = try #require(stage.driver.refuse(first).first)
      #expect(second.destination == Place.carol)
      #expect(second.branch != first.branch)
      #expect(second.lines.dropFirst(2) == first.lines.dropFirst(2))
      #expect(second.value("Max-Breadth") == "60")
      let answer = try #require(
        stage.send(.answer(404, to: second), from: Place.carol).first { $0.method == nil })
      #expect(answer.status == 404)
      #expect(answer.destination == Place.alice)
      #expect(stage.count(.failovers) == 1)
      if method == "INVITE" { stage.acknowledge(answer, uri) }
    }
  }

  /// B42, B47: targets are tried one after the other, never at once, so that the breadth of a request is never split:
  /// each copy has all of it, and only one has no answer.
  @Test("Max-Breadth passes whole to one branch at a time", arguments: ["1", "7", "60"])
  func breadth(_ incoming: String) throws {
    try withStage { stage in
      stage.twoServers()
      let first = stage.alice(.request("OPTIONS", uri).with("Max-Breadth: \(incoming)"))
      #expect(first.map { $0.value("Max-Breadth") } == [incoming])
      let second = stage.driver.refuse(first[0])
      #expect(second.map { $0.value("Max-Breadth") } == [incoming])
      #expect(stage.driver.proxy.clientTransactionCount == 1)
    }
  }

  /// D55: a 503 is a failure, and its ACK goes to the address that sent it.
  @Test("A 503 is acknowledged and the next address is tried")
  func unavailable() throws {
    try withStage { stage in
      stage.twoServers()
      let first = try #require(stage.alice(.request("INVITE", uri)).first)
      let sent = stage.send(.answer(503, to: first), from: Place.bob)
      #expect(sent.map(\.method) == ["ACK", "INVITE"])
      #expect(sent.map(\.destination) == [Place.bob, Place.carol])
      let ok = try #require(stage.send(.answer(200, to: sent[1]), from: Place.carol).first)
      #expect(ok.status == 200)
      #expect(stage.counts.active == 1)
    }
  }

  /// D55: silence is a failure; B79: the last word is then 408, and for anything but INVITE silence.
  @Test(
    "Silence of all addresses ends with 408 for INVITE and with nothing for others", arguments: [true, false])
  func silence(isInvite: Bool) throws {
    try withStage { stage in
      stage.twoServers()
      let first = try #require(stage.alice(.request(isInvite ? "INVITE" : "OPTIONS", uri)).first)
      #expect(first.destination == Place.bob)
      let meanwhile = stage.wait(.seconds(33))
      #expect(meanwhile.contains { $0.destination == Place.carol && $0.method == first.method })
      let end = stage.wait(.seconds(33))
      let answers = end.filter { $0.status ?? 0 >= 200 }.map(\.status)
      #expect(Set(answers) == (isInvite ? [408] : []))
      if isInvite { stage.acknowledge(end.first { $0.status == 408 }, uri) }
    }
  }

  /// B80, B61: when no address takes the request and none kept silent, the last word is 500.
  @Test("All addresses refused: 500")
  func allRefused() throws {
    try withStage { stage in
      stage.twoServers()
      let first = try #require(stage.alice(.request("INVITE", uri)).first)
      let second = try #require(stage.driver.refuse(first).first)
      let answer = try #require(stage.driver.refuse(second).first)
      #expect(answer.status == 500)
      stage.acknowledge(answer, uri)
    }
  }

  /// D55, B41, B76, B78: every other answer ends the search, a 6xx above all; no address is tried twice.
  @Test("Any other final answer is the answer", arguments: [302, 404, 407, 486, 500, 603])
  func otherAnswers(status: Int) throws {
    try withStage { stage in
      stage.twoServers()
      let first = try #require(stage.alice(.request("OPTIONS", uri)).first)
      let sent = stage.send(.answer(status, to: first), from: Place.bob)
      #expect(sent.map(\.status) == [status])
      #expect(stage.wait(.seconds(40)).isEmpty)
    }
  }

  /// D55: a 100 is a response: neither silence after it nor a broken connection leads to another server.
  @Test("A server that said 100 to a non-INVITE is not replaced", arguments: [true, false])
  func tryingOnly(breaks: Bool) throws {
    try withStage { stage in
      stage.twoServers()
      let first = try #require(stage.alice(.request("OPTIONS", uri)).first)
      stage.send(.answer(100, to: first), from: Place.bob)
      let sent = breaks ? stage.driver.refuse(first) : stage.wait(.seconds(40))
      #expect(!sent.contains { $0.destination == Place.carol })
      #expect(stage.count(.failovers) == 0)
    }
  }

  /// F22: nobody answers the BYE, on any way: the call is over all the same.
  @Test("A BYE without an answer from two servers ends its dialog")
  func silentBye() throws {
    try withStage { stage in
      let call = try stage.establish()
      stage.twoServers()
      stage.alice(call.request("BYE", "sip:bob@example.net", branch: "z9hG4bKbye", cSeq: 2))
      stage.wait(.seconds(40))
      #expect(stage.counts.active == 0)
    }
  }

  /// D55: one that answered anything is not silent: after a 180 the search is over.
  @Test("A server that rang and then refused the connection is not replaced")
  func ringing() throws {
    try withStage { stage in
      stage.twoServers()
      let first = try #require(stage.alice(.request("INVITE", uri)).first)
      stage.send(.answer(180, to: first), from: Place.bob)
      #expect(stage.driver.refuse(first).isEmpty)
      let answer = try #require(stage.send(.answer(486, to: first), from: Place.bob).last)
      #expect(answer.status == 486)
      stage.acknowledge(answer, uri)
    }
  }

  /// RFC 3263 §4.3: an address that failed is tried last for half a minute.
  @Test("A dead address comes last, and first again when its time is over")
  func deadForAWhile() throws {
    try withStage { stage in
      stage.twoServers()
      stage.driver.refuse(try #require(stage.alice(.request("OPTIONS", uri)).first))
      let next = try #require(stage.alice(.request("OPTIONS", uri, branch: "z9hG4bKa2")).first)
      #expect(next.destination == Place.carol)
      stage.wait(.seconds(33))
      let later = try #require(stage.alice(.request("OPTIONS", uri, branch: "z9hG4bKa3")).first)
      #expect(later.destination == Place.bob)
    }
  }

  /// B86, B102: a cancelled call goes nowhere else.
  @Test("After a CANCEL no further address is tried")
  func cancelled() throws {
    try withStage { stage in
      stage.twoServers()
      let first = try #require(stage.alice(.request("INVITE", uri)).first)
      let ok = stage.alice(.request("CANCEL", uri))
      #expect(ok.map(\.status) == [200])
      let answer = try #require(stage.driver.refuse(first).first)
      #expect(answer.status == 487)
      stage.acknowledge(answer, uri)
    }
  }

  /// A3, A9: the copy for the second address carries the same session timer.
  @Test("Every copy asks for the same session interval")
  func sessionTimer() throws {
    try withStage(sessionExpires: 1800) { stage in
      stage.twoServers()
      let first = try #require(stage.alice(.request("INVITE", uri)).first)
      let second = try #require(stage.driver.refuse(first).first)
      #expect(second.value("Session-Expires") == "1800")
      #expect(stage.count(.sessionExpiresInserted) == 1)
      stage.acknowledge(stage.driver.refuse(second).first, uri)
    }
  }
}
