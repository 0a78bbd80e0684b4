import CallState
import ProxyCore
import ProxySimulation
import SIPSyntax
import ServerLocation
import Testing
import Timekeeping

/// Requests that wait for the DNS.
@Suite("RFC 3263 §4: a request whose next hop has a name")
struct NameTests {
  private let uri = "sip:bob@example.net"

  /// D57: nothing is sent and nothing stops; the client hears 100 in time (C26), and 500 when the DNS stays silent.
  @Test("A silent DNS costs a 500 after five seconds, and others nothing")
  func silence() throws {
    try withStage { stage in
      #expect(stage.alice(.request("INVITE", uri)).isEmpty)
      #expect(!stage.driver.questions.isEmpty)
      let numeric = stage.alice(.request("OPTIONS", branch: "z9hG4bKnumeric", callID: "other"))
      #expect(numeric.map(\.destination) == [Place.bob])
      #expect(stage.bob(.answer(200, to: numeric[0])).map(\.status) == [200])
      let trying = stage.wait(.milliseconds(200))
      #expect(trying.map(\.status) == [100])
      #expect(trying.first?.destination == Place.alice)
      #expect(trying.first?.values("Via").count == 1)
      let end = stage.wait(.seconds(5))
      #expect(end.map(\.status) == [500])
      stage.acknowledge(end.first, uri)
    }
  }

  /// C27, C40: a repeated request waits with the first; the answer of the DNS sends it once.
  @Test("Retransmissions of a waiting request start nothing new")
  func retransmission() throws {
    try withStage { stage in
      #expect(stage.alice(.request("INVITE", uri)).isEmpty)
      #expect(stage.alice(.request("INVITE", uri)).map(\.status) == [100])
      var zone = Zone()
      zone.host("example.net", "198.51.100.3")
      var sent: [SentMessage] = []
      while let question = stage.driver.questions.first {
        sent += stage.driver.answer(question, with: zone.answer(question))
      }
      #expect(sent.map(\.destination) == [Place.carol])
      #expect(stage.counts.active == 0)
      stage.acknowledge(stage.driver.refuse(sent[0]).first, uri)
    }
  }

  /// B95, B103: cancelled while it waits: 200 and 487, and nothing ever goes downstream.
  @Test("A CANCEL ends a request that waits for the DNS")
  func cancelled() throws {
    try withStage { stage in
      stage.alice(.request("INVITE", uri))
      let answers = stage.alice(.request("CANCEL", uri))
      #expect(answers.map(\.status) == [200, 487])
      stage.acknowledge(answers.last, uri)
      stage.twoServers()
      for question in stage.driver.questions {
        #expect(stage.driver.answer(question, with: .none(timeToLive: 5)).isEmpty)
      }
    }
  }

  /// D51, D52: no such name.
  @Test("A name without addresses is answered 500 at once")
  func unknownName() throws {
    try withStage { stage in
      stage.ask(Zone())
      let answer = try #require(stage.alice(.request("OPTIONS", uri)).first)
      #expect(answer.status == 500)
      #expect(stage.count(.nextHopsNotLocated) == 1)
    }
  }

  /// D53: an explicit port is looked up as an address and nothing else. D49: the transport parameter counts.
  @Test("Port and transport of the URI decide what is asked")
  func questions() throws {
    try withStage { stage in
      stage.alice(.request("OPTIONS", "sip:bob@example.net:5080"))
      #expect(Set(stage.driver.questions.map(\.type)) == [.a, .aaaa])
      for question in stage.driver.questions { stage.driver.answer(question, with: .none(timeToLive: 1)) }
    }
  }

  /// B106, D57: an ACK finds what its INVITE asked for.
  @Test("A call to a name is set up, acknowledged and ended")
  func wholeCall() throws {
    try withStage { stage in
      stage.twoServers()
      let call = try stage.establish(.request("INVITE", uri))
      #expect(call.invite.destination == Place.bob)
      let bye = try #require(stage.alice(call.request("BYE", branch: "z9hG4bKbye", cSeq: 2)).first)
      #expect(stage.bob(.answer(200, to: bye)).map(\.status) == [200])
      #expect(stage.counts.active == 0)
    }
  }

  /// B59: a next hop with a name is asked for at once, pushed, and its own requests are not sent back to it.
  @Test("A next hop given by name")
  func nextHop() throws {
    try withStage({
      $0.nextHop = NextHop(uri: Array("sip:example.net;lr".utf8), addresses: [])
    }) { stage in
      stage.driver.begin()
      #expect(!stage.driver.questions.isEmpty)
      stage.twoServers()
      let questions = stage.driver.questions
      for question in questions {
        if let zone = stage.driver.zone { stage.driver.answer(question, with: zone(question)) }
      }
      let forwarded = try #require(stage.alice(.request("OPTIONS")).first)
      #expect(forwarded.destination == Place.bob)
      #expect(forwarded.value("Route") == "<sip:example.net;lr>")
      #expect(stage.bob(.answer(200, to: forwarded)).map(\.status) == [200])
      let back = try #require(stage.bob(.request("OPTIONS", by: .bob, branch: "z9hG4bKb")).first)
      #expect(back.destination == Place.alice)
    }
  }
}
