import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing
import Timekeeping

private let tcp = Peer.tcp
private let connection = ConnectionID(slot: 3, generation: 77)

extension Stage {
  /// Alice sends over her connection.
  fileprivate func stream(_ draft: Draft) -> [SentMessage] {
    driver.deliver(draft.bytes, from: Place.alice, listener: tcp, connection: connection)
  }
}

extension Draft {
  fileprivate var overTCP: Draft {
    setting("Via", "SIP/2.0/TCP 203.0.113.5:5090;branch=z9hG4bKa1")
  }
}

/// Messages over connections.
@Suite("RFC 3261 §17, §18: transactions over a stream")
struct StreamTests {
  /// D17, D18: an answer goes back on its connection, and says where to go when that is gone.
  @Test("A response leaves on the connection of its request")
  func responses() throws {
    try withStreams { stage in
      stage.driver.connectionOpened(connection, from: Place.alice, listener: tcp)
      let forwarded = try #require(stage.stream(.request("OPTIONS").overTCP).first)
      #expect(forwarded.flow.listener == 0)
      let answer = try #require(stage.bob(.answer(200, to: forwarded)).first)
      #expect(answer.flow.listener == tcp)
      #expect(answer.flow.connection == connection)
      #expect(answer.destination == "203.0.113.5:5090")
      #expect(!answer.flow.isExclusive)
    }
  }

  /// C15, C36, C41: nothing is repeated on a stream; D49: `transport=tcp` is honoured; D8: Via says TCP.
  @Test("A request over TCP is sent once, and its transaction still times out")
  func noRetransmissions() throws {
    try withStreams { stage in
      let uri = "sip:bob@198.51.100.2:5070;transport=tcp"
      let forwarded = try #require(stage.alice(.request("INVITE", uri)).first)
      #expect(forwarded.flow.listener == tcp)
      #expect(forwarded.flow.connection == .none)
      #expect(forwarded.value("Via")?.hasPrefix("SIP/2.0/TCP 192.0.2.10:5060;") == true)
      let later = stage.wait(.seconds(33))
      #expect(later.allSatisfy { $0.method == nil })
      #expect(later.prefix(2).map(\.status) == [100, 408])
      stage.acknowledge(later.last, uri)
    }
  }

  /// C32: a final over a stream is not repeated, and the transaction waits for its ACK. C31: then it is over at once.
  @Test("A failure over TCP is sent once")
  func finalOnce() throws {
    try withStreams { stage in
      stage.driver.connectionOpened(connection, from: Place.alice, listener: tcp)
      let forwarded = try #require(stage.stream(.request("INVITE").overTCP).first)
      let failure = try #require(stage.bob(.answer(486, to: forwarded)).last)
      #expect(failure.status == 486)
      #expect(stage.wait(.seconds(10)).isEmpty)
      let ack = Draft.request("ACK").overTCP.setting("To", failure.value("To"))
      #expect(stage.stream(ack).isEmpty)
      stage.wait(.milliseconds(20))
      #expect(stage.driver.proxy.serverTransactionCount == 0)
    }
  }

  /// B64, B66: what came in a datagram without Content-Length gets one on a stream, in both directions.
  @Test("Content-Length is added on a stream")
  func contentLength() throws {
    try withStreams { stage in
      let uri = "sip:bob@198.51.100.2:5070;transport=tcp"
      var draft = Draft.request("MESSAGE", uri).setting("Content-Length", nil)
      draft.body = Array("hello".utf8)
      let forwarded = try #require(stage.alice(draft).first)
      #expect(forwarded.values("Content-Length") == ["5"])
      #expect(forwarded.body == draft.body)

      stage.driver.connectionOpened(connection, from: Place.alice, listener: tcp)
      let request = Draft.request("OPTIONS").setting("Via", "SIP/2.0/TCP 203.0.113.5;branch=z9hG4bKb1")
      let asked = try #require(stage.stream(request).first)
      let answer = Draft.answer(200, to: asked).setting("Content-Length", nil)
      #expect(stage.bob(answer).first?.values("Content-Length") == ["0"])
    }
  }

  /// D31: on a stream a message without Content-Length cannot be framed: 400.
  @Test("A request without Content-Length on a stream is answered 400")
  func missingContentLength() throws {
    try withStreams { stage in
      stage.driver.connectionOpened(connection, from: Place.alice, listener: tcp)
      let answer = stage.stream(Draft.request("OPTIONS").overTCP.setting("Content-Length", nil)).first
      #expect(answer?.status == 400)
      #expect(answer?.flow.connection == connection)
    }
  }

  /// D9: over whichever connection or socket the answer comes, it belongs to its request.
  @Test("A response to a request over TCP is taken from anywhere", arguments: [0, 1, 2])
  func answerElsewhere(way: Int) throws {
    try withStreams { stage in
      let uri = "sip:bob@198.51.100.2:5070;transport=tcp"
      let forwarded = try #require(stage.alice(.request("OPTIONS", uri)).first)
      let answer = Draft.answer(200, to: forwarded)
      let sent =
        switch way {
        case 0: stage.bob(answer)
        case 1: stage.driver.deliver(answer.bytes, from: Place.bob, listener: tcp, connection: connection)
        default: stage.driver.deliver(answer.bytes, from: "198.51.100.2:40000", listener: tcp)
        }
      #expect(sent.map(\.status) == [200])
    }
  }

  /// D56, B98, D45: CANCEL and ACK go where the INVITE went; the edge finds or opens the connection.
  @Test("CANCEL and the ACK of a failure follow their INVITE over TCP")
  func hopByHop() throws {
    try withStreams { stage in
      let uri = "sip:bob@198.51.100.2:5070;transport=tcp"
      let forwarded = try #require(stage.alice(.request("INVITE", uri)).first)
      stage.send(.answer(180, to: forwarded), from: Place.bob)
      let cancel = try #require(stage.alice(.request("CANCEL", uri)).last)
      #expect(cancel.method == "CANCEL")
      #expect(cancel.flow == forwarded.flow)
      stage.send(.answer(200, to: cancel), from: Place.bob)
      let ended = stage.send(.answer(487, to: forwarded), from: Place.bob)
      #expect(ended.first?.method == "ACK")
      #expect(ended.first?.flow == forwarded.flow)
      stage.acknowledge(ended.last, uri)
    }
  }
}

/// The size of a request decides about its transport.
@Suite("RFC 3261 §18.1.1: large requests")
struct SizeTests {
  private func large(_ method: String = "INVITE") -> Draft {
    Draft.request(method).with(body: [UInt8](repeating: 0x61, count: 1200))
  }

  /// D3: more than 1300 octets with all we add go over TCP, and Via says so. B54's exception: Record-Route does not.
  @Test("A request beyond 1300 octets takes TCP")
  func takesTCP() throws {
    try withStreams { stage in
      let forwarded = try #require(stage.alice(large()).first)
      #expect(forwarded.flow.listener == tcp)
      #expect(forwarded.value("Via")?.hasPrefix("SIP/2.0/TCP ") == true)
      #expect(forwarded.values("Record-Route").count == 1)
      #expect(forwarded.value("Record-Route")?.contains("transport=") == false)
      stage.acknowledge(stage.bob(.answer(486, to: forwarded)).last)
    }
  }

  /// D4: refused there, it goes over UDP after all, on a new branch.
  @Test("A large request that TCP refuses goes over UDP")
  func backToUDP() throws {
    try withStreams { stage in
      let first = try #require(stage.alice(large()).first)
      let second = try #require(stage.driver.refuse(first).first)
      #expect(second.flow.listener == 0)
      #expect(second.branch != first.branch)
      #expect(second.value("Via")?.hasPrefix("SIP/2.0/UDP ") == true)
      let answer = try #require(stage.driver.refuse(second).first)
      #expect(answer.status == 500)
      stage.acknowledge(answer)
    }
  }

  /// D3, D4, B61: however many addresses there are, each is tried over TCP and then over UDP; TCP that refused a moment
  /// ago is not asked again.
  @Test("A large request to a name with eight addresses")
  func manyAddresses() throws {
    try withStreams { stage in
      var zone = Zone()
      for number in 1...8 { zone.host("example.net", "198.51.100.\(number)") }
      stage.ask(zone)
      let draft = Draft.request("MESSAGE", "sip:bob@example.net:5060")
        .with(body: [UInt8](repeating: 0x61, count: 1400))
      var sent = stage.alice(draft)
      var destinations: [String] = []
      while let next = sent.first, next.method != nil {
        destinations.append("\(next.flow.listener) \(next.destination)")
        sent = stage.driver.refuse(next)
      }
      #expect(sent.map(\.status) == [500])
      #expect(destinations.count == 16)
      #expect(Set(destinations).count == 16)
      let again = try #require(
        stage.alice(
          draft.setting("Via", "SIP/2.0/UDP \(Place.alice);branch=z9hG4bKagain").setting("Call-ID", "again")
        ).first)
      #expect(again.flow.listener == 0)
      stage.send(.answer(200, to: again), from: again.destination)
    }
  }

  /// D7: another path MTU, or none at all; D3: without a TCP listener there is no choice.
  @Test(
    "--udp-mtu moves the limit and switches it off",
    arguments: [(1500, true), (9000, false), (65_535, false)])
  func limit(mtu: Int, switches: Bool) throws {
    try withStreams({ $0.udpMTU = mtu }) { stage in
      let forwarded = try #require(stage.alice(large("MESSAGE")).first)
      #expect((forwarded.flow.listener == tcp) == switches)
    }
    try withStage({ $0.udpMTU = mtu }) { stage in
      #expect(stage.alice(large("MESSAGE")).first?.flow.listener == 0)
    }
  }

  /// D3, B107: a large ACK takes TCP too, though nothing is remembered of it.
  @Test("A large ACK takes TCP")
  func largeAck() throws {
    try withStreams { stage in
      let forwarded = try #require(stage.alice(.request()).first)
      let ok = try #require(stage.bob(.answer(200, to: forwarded)).first)
      let call = Call(invite: forwarded, ok: ok)
      let ack = call.request("ACK", branch: "z9hG4bKack", cSeq: 1)
        .with(body: [UInt8](repeating: 0x61, count: 1400))
      let sent = try #require(stage.alice(ack).first)
      #expect(sent.flow.listener == tcp)
      #expect(sent.value("Via")?.hasPrefix("SIP/2.0/TCP ") == true)
      #expect(stage.alice(ack).first?.bytes == sent.bytes)
      // D4: refused, its repetition takes UDP.
      #expect(stage.driver.refuse(sent).isEmpty)
      let repeated = try #require(stage.alice(ack).first)
      #expect(repeated.flow.listener == 0)
      #expect(repeated.branch == sent.branch)
    }
  }

  /// D5: the rule is for requests; a response goes where it must.
  @Test("A large response stays on UDP")
  func largeResponse() throws {
    try withStreams { stage in
      let forwarded = try #require(stage.alice(.request("OPTIONS")).first)
      let answer = Draft.answer(200, to: forwarded).with(body: [UInt8](repeating: 0x61, count: 5000))
      #expect(stage.bob(answer).first?.flow.listener == 0)
    }
  }
}

/// The domain that a TLS connection must prove.
@Suite("RFC 5922 §7.3: which domain a connection must lead to")
struct PeerNameTests {
  /// G29, G33: the host that was the input to RFC 3263, also for the CANCEL and the ACK that follow.
  @Test("Requests over TLS name the domain of their URI")
  func peerName() throws {
    try withStreams { stage in
      var zone = Zone()
      zone.service("_sips._tcp.example.net", port: 5061, at: "one.example.net")
      zone.host("one.example.net", "198.51.100.2")
      stage.ask(zone)
      var invite = Draft.request("INVITE")
      invite.rows.insert("Route: <sips:example.net;lr>", at: 1)
      let forwarded = try #require(stage.alice(invite).first)
      #expect(forwarded.destination == "198.51.100.2:5061")
      #expect(forwarded.peer == "example.net")
      #expect(forwarded.value("Via")?.hasPrefix("SIP/2.0/TLS ") == true)
      let ack = try #require(stage.send(.answer(486, to: forwarded), from: "198.51.100.2:5061").first)
      #expect(ack.method == "ACK")
      #expect(ack.peer == "example.net")
      stage.wait(.seconds(40))
    }
  }
}
