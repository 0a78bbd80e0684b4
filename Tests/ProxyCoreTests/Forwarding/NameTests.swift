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

  /// B33, DESIGN: a name whose addresses are ours is us, as if it stood in `--alias`; what is behind it is routed on.
  @Test(
    "A name that resolves to us is us, whether the DNS answers at once or later", arguments: [true, false])
  func ourName(atOnce: Bool) throws {
    try withStage { stage in
      var zone = Zone()
      zone.host("proxy.example.org", "192.0.2.10")
      if atOnce { stage.ask(zone) }
      func deliver(_ draft: Draft) -> [SentMessage] {
        var sent = stage.alice(draft)
        while let question = stage.driver.questions.first {
          sent += stage.driver.answer(question, with: zone.answer(question))
        }
        return sent
      }
      var routed = Draft.request("OPTIONS", branch: "z9hG4bKrouted")
      routed.rows.insert("Route: <sip:proxy.example.org;lr>", at: 1)
      let forwarded = try #require(deliver(routed).first)
      #expect(forwarded.destination == Place.bob)
      #expect(forwarded.values("Route").isEmpty)
      stage.bob(.answer(200, to: forwarded))
      #expect(
        deliver(.request("OPTIONS", "sip:proxy.example.org", branch: "z9hG4bKus")).map(\.status) == [200])
      let unknown = Draft.request("OPTIONS", "sip:nobody@proxy.example.org", branch: "z9hG4bKnobody")
      #expect(deliver(unknown).map(\.status) == [404])
      // After a minute the DNS decides anew.
      stage.wait(.seconds(130))
      zone = Zone()
      zone.host("proxy.example.org", "198.51.100.3")
      stage.driver.zone = atOnce ? { zone.answer($0) } : nil
      var moved = Draft.request("OPTIONS", branch: "z9hG4bKmoved")
      moved.rows.insert("Route: <sip:proxy.example.org;lr>", at: 1)
      let sent = deliver(moved)
      #expect(sent.map(\.destination) == [Place.carol])
      stage.send(.answer(200, to: sent[0]), from: Place.carol)
    }
  }

  /// G9: the DNS can no more lead to an address that may not be sent to than a URI can.
  @Test("A name of a forbidden address is refused", arguments: ["255.255.255.255", "224.0.0.1", "0.0.0.0"])
  func forbidden(address: String) throws {
    try withStage { stage in
      var zone = Zone()
      zone.host("example.net", address)
      stage.ask(zone)
      let sent = stage.alice(.request("OPTIONS", uri))
      #expect(sent.count == 1)
      #expect((sent.first?.status ?? 0) / 100 >= 4)
    }
  }

  /// D48: where maddr stands, it is the host: a number is gone to, a name is looked up.
  @Test(
    "maddr is looked up instead of the host",
    arguments: [("198.51.100.3", Place.carol), ("example.net", "198.51.100.2:5060")])
  func maddr(host: String, destination: String) throws {
    try withStage { stage in
      var zone = Zone()
      zone.host("example.net", "198.51.100.2")
      zone.host("example.com", "203.0.113.99")
      stage.ask(zone)
      let uri = "sip:bob@example.com:5060;maddr=\(host)"
      let sent = try #require(stage.alice(.request("OPTIONS", uri)).first)
      #expect(sent.destination == destination)
      #expect(sent.requestURI == uri)
      stage.send(.answer(200, to: sent), from: sent.destination)
    }
  }

  /// B106, D57: with a time to live of 0 the ACK still finds what its INVITE found.
  @Test("An ACK needs no second look-up")
  func acknowledgedWithoutTimeToLive() throws {
    try withStage { stage in
      var zone = Zone()
      zone.host("example.net", "198.51.100.2")
      stage.driver.zone = { question in
        if case .records(let records, _) = zone.answer(question) { return .records(records, timeToLive: 0) }
        return .none(timeToLive: 0)
      }
      let forwarded = try #require(stage.alice(.request("INVITE", "sip:bob@example.net:5070")).first)
      let ok = try #require(stage.bob(.answer(200, to: forwarded)).first)
      let call = Call(invite: forwarded, ok: ok)
      stage.wait(.seconds(1))
      let ack = stage.alice(call.request("ACK", "sip:bob@example.net:5070", branch: "z9hG4bKack", cSeq: 1))
      #expect(ack.map(\.destination) == [Place.bob])
    }
  }

  /// B107, D54: all requests of one call choose the same of equal servers; calls spread over them.
  @Test("Requests of one call go to one server")
  func oneServerForACall() throws {
    try withStage { stage in
      var zone = Zone()
      zone.service("_sip._udp.example.net", port: 5070, at: "one.example.net")
      zone.service("_sip._udp.example.net", port: 5060, at: "two.example.net")
      zone.host("one.example.net", "198.51.100.2")
      zone.host("two.example.net", "198.51.100.3")
      stage.ask(zone)
      var seen: Set<String> = []
      for call in 0..<20 {
        var destinations: Set<String> = []
        for attempt in 0..<4 {
          let draft = Draft.request(
            "OPTIONS", uri, branch: "z9hG4bK\(call)x\(attempt)", callID: "call\(call)")
          let sent = try #require(stage.alice(draft).first)
          destinations.insert(sent.destination)
          stage.send(.answer(200, to: sent), from: sent.destination)
        }
        #expect(destinations.count == 1)
        seen.formUnion(destinations)
      }
      #expect(seen.count == 2)
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
      let back = try #require(stage.bob(.request("OPTIONS", by: .bob, branch: "z9hG4bKb")).first)
      #expect(back.destination == Place.alice)
      #expect(stage.alice(.answer(200, to: back)).map(\.status) == [200])
      let forwarded = try #require(stage.alice(.request("OPTIONS")).first)
      #expect(forwarded.destination == Place.bob)
      #expect(forwarded.value("Route") == "<sip:example.net;lr>")
      #expect(stage.bob(.answer(200, to: forwarded)).map(\.status) == [200])
    }
  }
}
