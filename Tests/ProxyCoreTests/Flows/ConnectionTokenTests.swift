import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing

/// Clients that can be reached on their own connection only.
@Suite("RFC 5626 §5.2, §5.3: tokens that name a connection")
struct ConnectionTokenTests {
  /// Alice on a stream calls Bob, whose URI leads to his UDP socket.
  private func call(_ stage: Stage, from alice: Peer) throws -> PeerCall {
    stage.connect(alice)
    let invite = Draft.request().setting("Contact", "<sip:alice@10.0.0.7>").via(alice)
    let sent = try #require(stage.send(invite, from: alice).first)
    let ok = try #require(stage.bob(.answer(200, to: sent)).first)
    #expect(ok.flow.connection == alice.connection)
    let bob = Peer(address: Place.bob, listener: Peer.udp)
    let call = PeerCall(invite: sent, caller: alice, callee: bob)
    let ack = stage.send(call.request("ACK", byCaller: true, cSeq: 1, target: Person.bob.target), from: alice)
    #expect(ack.map(\.destination) == [Place.bob])
    return call
  }

  /// D72, D42: over the very connection the INVITE came on, and over no other.
  @Test("Requests toward the caller travel on its connection", arguments: [Peer.tcp, Peer.tls])
  func callerOnAConnection(listener: UInt16) throws {
    try withStreams { stage in
      let alice = Peer.alice(over: listener)
      let call = try call(stage, from: alice)
      let info = try #require(
        stage.send(call.request("INFO", byCaller: false, cSeq: 1), from: call.callee).first)
      #expect(info.flow.connection == alice.connection)
      #expect(info.flow.isExclusive)
      #expect(info.flow.listener == listener)
      #expect(info.destination == alice.address)
      #expect(info.requestURI == "sip:x@10.0.0.7")
      #expect(info.values("Route").isEmpty)
      #expect(stage.send(.answer(200, to: info), from: alice).map(\.destination) == [Place.bob])
      let own = stage.send(
        call.request("INFO", byCaller: true, cSeq: 2, target: Person.bob.target), from: alice)
      #expect(own.map(\.destination) == [Place.bob])
      own.forEach { stage.bob(.answer(200, to: $0)) }
    }
  }

  /// D72: the simulation found two tags whose hashes agreed in the sixteen bits that a token had of them; the callee's
  /// request then counted as the client's own and left for the address behind its NAT. With the driver's keys these
  /// two agree in as many.
  @Test("Nobody is taken for the client because the tags look alike")
  func tagsThatLookAlike() throws {
    try withStreams { stage in
      let alice = Peer.alice(over: Peer.tcp)
      let call = try call(stage, from: alice)
      let ack = call.request("ACK", byCaller: false, cSeq: 1)
        .setting("From", "<sip:bob@10.0.0.9>;tag=b26107")
      #expect(stage.send(ack, from: call.callee).map(\.flow.connection) == [alice.connection])
    }
  }

  /// D69: the connection is gone, or another one took its place.
  @Test("A token whose connection is gone is answered 430, an ACK dropped", arguments: [true, false])
  func connectionGone(slotIsReused: Bool) throws {
    try withStreams { stage in
      let alice = Peer.alice(over: Peer.tcp)
      let call = try call(stage, from: alice)
      stage.driver.connectionClosed(alice.connection)
      let back = Peer.alice(over: Peer.tcp, generation: 99)
      if slotIsReused { stage.connect(back) }
      let info = stage.send(call.request("INFO", byCaller: false, cSeq: 1), from: call.callee)
      #expect(info.map(\.status) == [430])
      #expect(stage.count(.answered430) == 1)
      #expect(stage.send(call.request("ACK", byCaller: false, cSeq: 1), from: call.callee).isEmpty)
      #expect(stage.count(.droppedAckUnroutable) == 1)
      // The client itself needs no flow.
      let own = stage.send(
        call.request("INFO", byCaller: true, cSeq: 2, target: Person.bob.target), from: back)
      #expect(own.map(\.destination) == [Place.bob])
      own.forEach { stage.bob(.answer(200, to: $0)) }
    }
  }

  /// D69: the connection breaks while the request is on its way to the client.
  @Test("A request whose client's connection breaks is answered 430")
  func breaksMeanwhile() throws {
    try withStreams { stage in
      let alice = Peer.alice(over: Peer.tcp)
      let call = try call(stage, from: alice)
      let info = try #require(
        stage.send(call.request("INFO", byCaller: false, cSeq: 1), from: call.callee).first)
      #expect(stage.driver.refuse(info).map(\.status) == [430])
    }
  }

  /// D69, D72: the simulation broke a caller's connection while the DNS was asked where its INVITE goes. The INVITE left
  /// without a token, and what the callee sent left for the address behind the caller's NAT.
  @Test(
    "A client whose connection breaks while its request waits for the DNS is answered for with 430",
    arguments: [true, false])
  func breaksWhileWaiting(slotIsReused: Bool) throws {
    try withStreams { stage in
      let alice = Peer.alice(over: Peer.tcp)
      stage.connect(alice)
      let invite = Draft.request("INVITE", "sip:bob@example.net:5070")
        .setting("Contact", "<sip:alice@10.0.0.7>").via(alice)
      #expect(stage.send(invite, from: alice).isEmpty)
      stage.driver.connectionClosed(alice.connection)
      if slotIsReused { stage.connect(.alice(over: Peer.tcp, generation: 99)) }
      var zone = Zone()
      zone.host("example.net", "198.51.100.2")
      var sent: [SentMessage] = []
      while let question = stage.driver.questions.first {
        sent += stage.driver.answer(question, with: zone.answer(question))
      }
      let bob = Peer(address: Place.bob, listener: Peer.udp)
      let call = PeerCall(invite: try #require(sent.first), caller: alice, callee: bob)
      #expect(stage.bob(.answer(200, to: call.invite)).map(\.status) == [200])
      let info = stage.send(call.request("INFO", byCaller: false, cSeq: 1), from: bob)
      #expect(info.map(\.status) == [430])
    }
  }

  /// D42: a peer that we connected to can be connected to again; its connection is no client's flow.
  @Test("A connection of ours is never named by a token")
  func connectionOfOurs() throws {
    try withStreams { stage in
      let alice = Peer.alice(over: Peer.tcp)
      stage.driver.connectionOpened(
        alice.connection, from: alice.address, listener: alice.listener, byPeer: false)
      let sent = try #require(stage.send(Draft.request().via(alice), from: alice).first)
      let token = SentMessage.parameter("ck", in: sent.value("Record-Route") ?? "")
      #expect(!token.isEmpty && token.count <= 13)
      stage.bob(.answer(486, to: sent))
    }
  }

  /// A closing that comes late must not close the connection that has the slot now.
  @Test("The end of an earlier connection of a slot leaves the present one open")
  func lateClose() throws {
    try withStreams { stage in
      let alice = Peer.alice(over: Peer.tcp)
      let call = try call(stage, from: alice)
      stage.driver.connectionClosed(ConnectionID(slot: 1, generation: 69))
      let info = stage.send(call.request("INFO", byCaller: false, cSeq: 1), from: call.callee)
      #expect(info.map(\.flow.connection) == [alice.connection])
      info.forEach { stage.send(.answer(200, to: $0), from: alice) }
    }
  }

  /// D69, G2: any other text is no token, and then the source decides.
  @Test("A token with one changed digit is none")
  func alteredToken() throws {
    try withStreams {
      $0.allowed = ["203.0.113.0/24"].compactMap { AddressBlock($0) }
    } _: { stage in
      let call = try call(stage, from: .alice(over: Peer.tcp))
      let good = try #require(call.recordRoutes.last)
      let token = SentMessage.parameter("ck", in: String(good.dropLast()))
      #expect(token.count == 39)
      for position in token.indices {
        var altered = token
        altered.replaceSubrange(position...position, with: token[position] == "A" ? "B" : "A")
        let bare = Draft.request(
          "INFO", by: .bob, branch: "z9hG4bK\(altered)", cSeq: 9, toTag: "unknown")
        #expect(
          stage.bob(bare.routed([good.replacing(token, with: altered)])).map(\.status) == [403], "\(altered)")
      }
    }
  }

  /// D72: a proxy upstream is no client; its connections come and go as it likes.
  @Test("A request that came through another proxy gets no connection into its token")
  func notTheFirstHop() throws {
    try withStreams { stage in
      let proxy = Peer.alice(over: Peer.tcp)
      stage.connect(proxy)
      let invite = Draft.request().via(proxy).with("Via: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKfirst")
      let sent = try #require(stage.send(invite, from: proxy).first)
      #expect(sent.values("Record-Route").count == 2)
      #expect(sent.values("Record-Route").allSatisfy { $0.count < 80 })
      stage.bob(.answer(404, to: sent))
    }
  }

  /// B56, B57: well below what makes a datagram too long.
  @Test("A value with a connection to an IPv6 address stays short")
  func size() throws {
    try withStreams {
      $0.listeners[3] = Listener(
        transport: .tcp,
        bound: SocketAddress("[2001:db8:1111:2222:3333:4444:5555:6666]:50600") ?? $0.listeners[3].bound)
    } _: { stage in
      let alice = Peer(
        address: "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535", listener: 3,
        connection: ConnectionID(slot: 0xFFFF, generation: 0xFFFF_FFFF))
      stage.connect(alice)
      let sent = try #require(stage.send(Draft.request().via(alice), from: alice).first)
      let row = try #require(sent.values("Record-Route").last)
      #expect(SentMessage.parameter("ck", in: String(row.dropLast())).count == 55)
      #expect(row.count + "Record-Route: ".count < 160)
      stage.bob(.answer(404, to: sent))
    }
  }
}
