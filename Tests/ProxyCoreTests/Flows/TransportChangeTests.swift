import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing

/// What Record-Route says when the two sides speak different transports, and how we know ourselves by it.
@Suite("RFC 5658 §5, §6.2, RFC 3261 §16.4, §19.1.4: transports in Record-Route and Route")
struct TransportChangeTests {
  /// B54, B32: each value names its side's transport, and both leave when they come back.
  @Test("A call from UDP to TCP has two values, one from TCP to TCP has one", arguments: [true, false])
  func transports(callerOnUDP: Bool) throws {
    try withStreams { stage in
      let caller =
        callerOnUDP ? Peer(address: Place.alice, listener: Peer.udp) : Peer.alice(over: Peer.tcp)
      let callee = Peer(address: "198.51.100.2:5060", listener: Peer.tcp)
      stage.connect(caller)
      let target = "sip:bob@198.51.100.2;transport=tcp"
      let invite = Draft.request("INVITE", target)
      let sent = try #require(stage.send(callerOnUDP ? invite : invite.via(caller), from: caller).first)
      #expect(sent.flow.listener == Peer.tcp)
      let hosts = sent.values("Record-Route").map { $0.components(before: ";lr") }
      let tcp = "<sip:192.0.2.10:5060;transport=tcp"
      #expect(hosts == (callerOnUDP ? [tcp, "<sip:192.0.2.10:5060;transport=udp"] : [tcp]))
      stage.send(.answer(200, to: sent), from: callee)
      let call = PeerCall(invite: sent, caller: caller, callee: callee)
      let info = stage.send(call.request("INFO", byCaller: true, cSeq: 2, target: target), from: caller)
      #expect(info.map(\.destination) == [callee.address])
      #expect(info.first?.values("Route") == [])
      info.forEach { stage.send(.answer(200, to: $0), from: callee) }
      let back = stage.send(
        call.request("INFO", byCaller: false, cSeq: 2, target: Person.alice.target), from: callee)
      #expect(back.map(\.destination) == [caller.address])
      #expect(back.first?.values("Route") == [])
      back.forEach { stage.send(.answer(200, to: $0), from: caller) }
    }
  }

  /// B54: TCP for one large request says nothing about those that follow.
  @Test("A request that takes TCP for its size alone is record-routed as over UDP")
  func switchedForSize() throws {
    try withStreams { stage in
      let large = Draft.request().with("Subject: " + String(repeating: "x", count: 1400))
      let sent = try #require(stage.alice(large).first)
      #expect(sent.flow.listener == Peer.tcp)
      #expect(sent.values("Via")[0].hasPrefix("SIP/2.0/TCP"))
      #expect(sent.values("Record-Route").count == 1)
      #expect(sent.value("Record-Route")?.hasPrefix("<sip:192.0.2.10:5060;lr;ck=") == true)
      stage.send(.answer(404, to: sent), from: Peer(address: sent.destination, listener: Peer.tcp))
      stage.acknowledge(nil)
    }
  }

  /// B33, D63: host, port and transport decide, with the default port of the transport.
  @Test(
    "A Route is ours when we serve its host on its port and transport",
    arguments: [
      ("<sip:192.0.2.10;transport=TCP;lr>", true), ("<sip:192.0.2.10:5060;transport=tcp;lr>", true),
      ("<sips:192.0.2.10;lr>", true), ("<sips:192.0.2.10:5061;lr>", true),
      ("<sips:192.0.2.10;transport=tcp;lr>", true), ("<sip:192.0.2.10;transport=tls;lr>", true),
      ("<sip:192.0.2.10:5061;transport=tls;lr>", true), ("<sip:192.0.2.10:5061;lr>", true),
      ("<sip:[2001:DB8:0::10];transport=tcp;lr>", true), ("<sip:only.tls.example;transport=tls;lr>", true),
      ("<sips:only.tls.example:5999;lr>", true), ("<sip:alias.example:5061;transport=tls;lr>", true),
      ("<sip:192.0.2.10:5061;transport=tcp;lr>", false), ("<sip:192.0.2.10:5061;transport=udp;lr>", false),
      ("<sips:192.0.2.10:5060;lr>", false), ("<sips:192.0.2.10;transport=udp;lr>", false),
      ("<sip:192.0.2.10;transport=sctp;lr>", false), ("<sip:only.tls.example:5999;transport=udp;lr>", false),
      ("<sip:alias.example:5061;transport=udp;lr>", false), ("<sip:alias.example:5062;lr>", false),
    ])
  func ownRoutes(route: String, isOurs: Bool) throws {
    try withStreams {
      $0.listeners[5].advertisedHost = Array("only.tls.example".utf8)
      $0.listeners[5].advertisedPort = route.contains(":5999") ? 5999 : nil
      $0.ownNames = [OwnName(host: Array("alias.example".utf8), port: nil)]
    } _: { stage in
      // A name that is not ours is looked up, and nothing leaves.
      let sent = stage.alice(.request("OPTIONS").routed([route])).first
      #expect((sent?.destination == Place.bob && sent?.values("Route") == []) == isOurs)
      if isOurs, let sent { stage.bob(.answer(200, to: sent)) }
    }
  }

  /// D58: a name without a port leads through its SRV records, to a stand-in if need be; a number or an unusual port
  /// does not.
  @Test(
    "An advertised name is written without the usual port",
    arguments: [
      ("edge.example.com", nil, "edge.example.com"), ("edge.example.com", 5060, "edge.example.com:5060"),
      ("edge.example.com", 5070, "edge.example.com:5070"), ("203.0.113.77", nil, "203.0.113.77:5060"),
      ("[2001:db8::77]", nil, "[2001:db8::77]:5060"),
    ] as [(String, UInt16?, String)])
  func withoutPort(host: String, port: UInt16?, written: String) throws {
    try withStreams {
      $0.listeners[0].advertisedHost = Array(host.utf8)
      $0.listeners[0].advertisedPort = port
    } _: { stage in
      let call = try stage.establish()
      #expect(call.recordRoutes.first?.hasPrefix("<sip:\(written);lr;ck=") == true)
      #expect(call.invite.values("Via")[0].hasPrefix("SIP/2.0/UDP \(host):\(port ?? 5060);"))
      let bye = try #require(stage.bob(call.request("BYE", by: .bob, branch: "z9hG4bKb", cSeq: 1)).first)
      #expect(bye.values("Route").isEmpty)
      stage.alice(.answer(200, to: bye))
    }
  }
}

extension String {
  /// What stands before the first occurrence of a text.
  fileprivate func components(before text: String) -> String {
    guard let range = firstRange(of: text) else { return self }
    return String(self[..<range.lowerBound])
  }
}
