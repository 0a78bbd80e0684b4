import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing

/// Calls to a client that registered through the proxy, from one that is behind it as well.
@Suite("RFC 5626 §5.3.1, RFC 5658 §5: flows on the callee's side, and on both")
struct CalleeFlowTests {
  private func path(_ stage: Stage, of bob: Peer) throws -> String {
    stage.connect(bob)
    return try #require(try stage.register(.register(over: bob), from: bob).value("Path"))
  }

  /// Requests of both sides, each to the other side's flow.
  private func expectRequestsCross(_ stage: Stage, _ call: PeerCall) throws {
    for byCaller in [true, false] {
      let (from, to) = byCaller ? (call.caller, call.callee) : (call.callee, call.caller)
      for (method, cSeq) in [("INFO", 3), ("INVITE", 4), ("ACK", 4), ("BYE", 5)] {
        let unique = cSeq + (byCaller ? 0 : 10)
        let sent = stage.send(call.request(method, byCaller: byCaller, cSeq: unique), from: from)
        #expect(sent.map(\.destination) == [to.address], "\(method) by caller: \(byCaller)")
        #expect(sent.map(\.flow.connection) == [to.connection])
        #expect(sent.map(\.flow.isExclusive) == [!to.connection.isNone])
        #expect(sent.first?.values("Route") == [])
        for request in sent where method != "ACK" { stage.send(.answer(200, to: request), from: to) }
      }
    }
  }

  /// D72, B32, B54: both are reached by flows, so there are two values although everything else is equal.
  @Test(
    "Two clients behind the proxy: each value leads to its own",
    arguments: [
      (Peer.tcp, Peer.tcp), (Peer.tls, Peer.tls), (Peer.udp, Peer.udp), (Peer.tcp, Peer.tls),
      (Peer.tls, Peer.udp), (Peer.udp, Peer.tcp),
    ])
  func bothOnFlows(alices: UInt16, bobs: UInt16) throws {
    try withStreams { stage in
      let (alice, bob) = (Peer.alice(over: alices), Peer.bob(over: bobs))
      let path = try path(stage, of: bob)
      stage.connect(alice)
      let invite = Draft.request("INVITE", "sip:bob@10.0.0.9").setting("Contact", "<sip:alice@10.0.0.7>")
        .via(alice).routed([path])
      let sent = try #require(stage.send(invite, from: alice).first)
      #expect(sent.destination == bob.address)
      #expect(sent.flow.connection == bob.connection)
      let values = sent.values("Record-Route")
      #expect(values.count == 2)
      #expect(Set(values.map { SentMessage.parameter("ck", in: $0) }).count == 2)
      #expect(values.allSatisfy { !$0.contains(";ob") && !$0.contains("tls") })
      let ok = try #require(stage.send(.answer(200, to: sent), from: bob).first)
      #expect(ok.flow.connection == alice.connection)
      let call = PeerCall(invite: sent, caller: alice, callee: bob)
      #expect(stage.send(call.request("ACK", byCaller: true, cSeq: 1), from: alice).count == 1)
      try expectRequestsCross(stage, call)
      for (peer, byCaller) in [(alice, false), (bob, true)] where !peer.connection.isNone {
        stage.driver.connectionClosed(peer.connection)
        let late = call.request("INFO", byCaller: byCaller, cSeq: 90)
        #expect(stage.send(late, from: byCaller ? alice : bob).map(\.status) == [430])
      }
    }
  }

  /// D72, B36, B32: the call goes through us twice and the values of both visits follow each other.
  @Test("A call that comes back from the registrar leads to both flows", arguments: [true, false])
  func spiral(registrarRecordRoutes: Bool) throws {
    try withStreams { stage in
      let (alice, bob) = (Peer.alice(over: Peer.tcp), Peer.bob(over: Peer.tcp))
      let path = try path(stage, of: bob)
      stage.connect(alice)
      let invite = Draft.request("INVITE", "sip:bob@198.51.100.3").setting("Contact", "<sip:alice@10.0.0.7>")
      let first = try #require(stage.send(invite.via(alice), from: alice).first)
      #expect(first.destination == Place.carol)
      let registrars = "<sip:198.51.100.3;lr>"
      let passedOn = Draft.passedOn(
        first, to: "sip:bob@10.0.0.9", route: path, recordRoute: registrarRecordRoutes ? registrars : nil)
      let second = try #require(stage.send(passedOn, from: .registrar).first)
      #expect(second.flow.connection == bob.connection)
      let values = second.values("Record-Route")
      #expect(values.count == (registrarRecordRoutes ? 5 : 4))
      let call = PeerCall(invite: second, caller: alice, callee: bob)
      if !registrarRecordRoutes { try expectRequestsCross(stage, call) }
      // The registrar stays between the two visits where it wants to.
      let info = try #require(
        stage.send(call.request("INFO", byCaller: true, cSeq: 50), from: alice).first)
      if registrarRecordRoutes {
        #expect(info.destination == Place.carol)
        #expect(info.values("Route").first == registrars)
        let back = Draft.passedOn(info, to: "sip:x@10.0.0.7", route: "", recordRoute: nil)
          .setting("Route", Array(values.prefix(2).reversed()).joined(separator: ", "))
        let last = try #require(stage.send(back, from: .registrar).first)
        #expect(last.flow.connection == bob.connection)
        stage.send(.answer(200, to: last), from: bob)
      } else {
        #expect(info.flow.connection == bob.connection)
      }
      stage.send(.answer(200, to: second), from: bob)
    }
  }

  /// D72, RFC 5626 §5.3.1: the caller is no client of ours, one value with the callee's flow is enough.
  @Test(
    "A call from elsewhere to a registered client gets one token, for the callee", arguments: [true, false])
  func callerElsewhere(isDatagram: Bool) throws {
    try withStreams { stage in
      let bob = Peer.bob(over: isDatagram ? Peer.udp : Peer.tcp)
      let path = try path(stage, of: bob)
      let invite = Draft.request("INVITE", "sip:bob@10.0.0.9")
        .with("Via: SIP/2.0/UDP far.example.net;branch=z9hG4bKfar").routed([path])
      let sent = try #require(stage.alice(invite).first)
      #expect(sent.values("Record-Route").count == (isDatagram ? 1 : 2))
      let token = SentMessage.parameter(
        "ck", in: sent.value("Record-Route").map { String($0.dropLast()) } ?? "")
      #expect(token.count == (isDatagram ? 28 : 39))
      stage.send(.answer(200, to: sent), from: bob)
      let alice = Peer(address: Place.alice, listener: Peer.udp)
      let call = PeerCall(invite: sent, caller: alice, callee: bob)
      let info = try #require(stage.send(call.request("INFO", byCaller: true, cSeq: 2), from: alice).first)
      #expect(info.destination == bob.address)
      let back = try #require(
        stage.send(
          call.request("INFO", byCaller: false, cSeq: 2, target: "sip:alice@\(Place.carol)"), from: bob
        ).first)
      #expect(back.destination == Place.carol)
      stage.send(.answer(200, to: info), from: bob)
      stage.send(.answer(200, to: back), from: .registrar)
    }
  }
}
