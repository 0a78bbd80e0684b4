import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing

/// sips: only TLS, both ways never changed into the other.
@Suite("RFC 5630 §5.3, RFC 3261 §16.6, §26.2.2: sips URIs")
struct SecureRoutingTests {
  private static let bobs = "sips:bob@198.51.100.2:5071"

  /// G36, G37, B52, D50: the Request-URI, or a Route, asks for TLS on the next hop and gets it.
  @Test(
    "A sips Request-URI or Route goes over TLS, whatever the Route says",
    arguments: [
      ("sips:bob@198.51.100.2", nil, "198.51.100.2:5061"), (bobs, nil, "198.51.100.2:5071"),
      ("sips:bob@198.51.100.2:5071;transport=tcp", nil, "198.51.100.2:5071"),
      ("sips:bob@example.org", "<sip:198.51.100.3;lr>", "198.51.100.3:5061"),
      ("sips:bob@example.org", "<sips:198.51.100.3:5066;lr>", "198.51.100.3:5066"),
      ("sip:bob@example.org", "<sips:198.51.100.3;lr>", "198.51.100.3:5061"),
    ])
  func overTLS(uri: String, route: String?, destination: String) throws {
    try withStreams { stage in
      let alice = Peer.alice(over: Peer.tls)
      stage.connect(alice)
      let invite = Draft.request("INVITE", uri).setting("Contact", "<sips:alice@10.0.0.7>").via(alice)
        .setting("Route", route)
      let sent = try #require(stage.send(invite, from: alice).first)
      #expect(sent.requestURI == uri)
      #expect(sent.destination == destination)
      #expect(sent.flow.listener == Peer.tls)
      #expect(sent.values("Via")[0].hasPrefix("SIP/2.0/TLS 192.0.2.10:5061;"))
      #expect(sent.values("Record-Route").count == 1)
      #expect(sent.value("Record-Route")?.hasPrefix("<sips:192.0.2.10:5061;lr;ck=") == true)
      let bob = Peer(address: destination, listener: Peer.tls)
      #expect(stage.send(.answer(404, to: sent), from: bob).last?.flow.connection == alice.connection)
      stage.send(.request("ACK", uri).via(alice), from: alice)
    }
  }

  /// G36: the configured next hop is no way around TLS.
  @Test(
    "A sips request reaches the next hop over TLS", arguments: ["sip:192.0.2.99;lr", "sips:192.0.2.99;lr"])
  func nextHop(uri: String) throws {
    try withStreams {
      $0.nextHop = NextHop(uri: Array(uri.utf8), addresses: [])
    } _: { stage in
      let options = Draft.request("OPTIONS", Self.bobs).setting("Contact", nil)
      let sent = try #require(stage.alice(options).first)
      #expect(sent.destination == "192.0.2.99:5061")
      #expect(sent.flow.listener == Peer.tls)
      stage.send(.answer(200, to: sent), from: Peer(address: sent.destination, listener: Peer.tls))
    }
  }

  /// B11, G36: without TLS the scheme is not understood; UDP cannot carry it.
  @Test("sips over what is not TLS is refused")
  func notOverOtherTransports() throws {
    try withStage { stage in
      #expect(stage.alice(.request("OPTIONS", Self.bobs)).map(\.status) == [416])
    }
    try withStreams { stage in
      let options = Draft.request("OPTIONS", Self.bobs + ";transport=udp").setting("Contact", nil)
      #expect(stage.alice(options).map(\.status) == [500])
    }
  }

  /// G37, G36: RFC 5630 §5.3 has the answer for who registered without sips.
  @Test(
    "A client registered over another transport gets no sips request: 480", arguments: [Peer.udp, Peer.tcp])
  func registeredWithoutTLS(listener: UInt16) throws {
    try withStreams { stage in
      let bob = Peer.bob(over: listener)
      stage.connect(bob)
      let path = try #require(try stage.register(.register(over: bob), from: bob).value("Path"))
      let request = Draft.request("OPTIONS", "sips:bob@10.0.0.9").setting("Contact", nil).routed([path])
      let answer = try #require(stage.alice(request).first)
      #expect(answer.status == 480)
      #expect(answer.value("Warning") == "380 callkeeper \"SIPS Not Allowed\"")
    }
  }

  /// G36: what came as sip stays sip, also over TLS; the flow of a TLS client carries both.
  @Test("A client registered over TLS gets sip and sips requests as they are", arguments: ["sip", "sips"])
  func registeredOverTLS(scheme: String) throws {
    try withStreams { stage in
      let bob = Peer.bob(over: Peer.tls)
      stage.connect(bob)
      let path = try #require(try stage.register(.register(over: bob), from: bob).value("Path"))
      let invite = Draft.request("INVITE", "\(scheme):bob@10.0.0.9").setting("Contact", nil).routed([path])
      let sent = try #require(stage.alice(invite).first)
      #expect(sent.requestURI == "\(scheme):bob@10.0.0.9")
      #expect(sent.flow.connection == bob.connection)
      stage.send(.answer(404, to: sent), from: bob)
      stage.acknowledge(nil, "\(scheme):bob@10.0.0.9")
    }
  }

  /// B52: every value is a sips URI then, one is enough, and methods that are not record-routed else are.
  @Test(
    "A request for a sips URI that came without TLS is record-routed in any case",
    arguments: [
      ("INVITE", 1), ("MESSAGE", 1), ("OPTIONS", 1), ("BYE", 1), ("REGISTER", 0), ("ACK", 0),
    ])
  func mandatoryRecordRoute(method: String, count: Int) throws {
    try withStreams { stage in
      for (index, source) in [Place.alice, "[2001:db8::5]:5062"].enumerated() {
        let request = Draft.request(method, Self.bobs, branch: "z9hG4bK\(index)").setting("Contact", nil)
          .setting("Via", "SIP/2.0/UDP \(source);branch=z9hG4bK\(index)")
        let sent = try #require(stage.send(request, from: source).first)
        #expect(sent.flow.listener == Peer.tls)
        let values = sent.values("Record-Route")
        #expect(values.count == count * (index + 1))
        #expect(values.allSatisfy { $0.hasPrefix("<sips:") })
        if count == 1, index == 1 {
          #expect(values.first?.hasPrefix("<sips:192.0.2.10:5061;lr;") == true)
          #expect(values.last?.hasPrefix("<sips:[2001:db8::10]:5061;lr;") == true)
        }
        if method != "ACK" {
          stage.send(.answer(404, to: sent), from: Peer(address: sent.destination, listener: Peer.tls))
        }
      }
    }
  }

  /// B53, A97, G15: the side that speaks TLS is a sips URI, for a sip Request-URI too.
  @Test("A call from TLS to UDP: each side has its own scheme, and transport=tls is never written")
  func schemesOfTheSides() throws {
    try withStreams { stage in
      let alice = Peer.alice(over: Peer.tls)
      stage.connect(alice)
      let sent = try #require(stage.send(Draft.request().via(alice), from: alice).first)
      let values = sent.values("Record-Route")
      #expect(values.count == 2)
      #expect(values.first?.hasPrefix("<sip:192.0.2.10:5060;transport=udp;lr;ck=") == true)
      #expect(values.last?.hasPrefix("<sips:192.0.2.10:5061;lr;ck=") == true)
      #expect(!sent.text.lowercased().contains("transport=tls"))
      stage.bob(.answer(200, to: sent))
      let call = PeerCall(invite: sent, caller: alice, callee: Peer(address: Place.bob, listener: Peer.udp))
      let bye = try #require(
        stage.send(call.request("BYE", byCaller: false, cSeq: 1), from: call.callee).first)
      #expect(bye.flow.connection == alice.connection)
      #expect(bye.requestURI == "sip:x@10.0.0.7")
      stage.send(.answer(200, to: bye), from: alice)
    }
  }

  /// G38: outside a dialog; inside one our own Record-Route may be why the target is a sips URI. REGISTER may list both.
  @Test(
    "A sips Request-URI with a sip Contact is answered 400",
    arguments: [
      ("INVITE", "<sip:alice@10.0.0.7>", nil, true), ("MESSAGE", "<sip:alice@10.0.0.7>", nil, true),
      ("INVITE", "<sips:alice@10.0.0.7>", nil, false), ("INVITE", "<tel:+12345>", nil, false),
      ("OPTIONS", nil, nil, false), ("REGISTER", "<sip:alice@10.0.0.7>", nil, false),
      ("INVITE", "<sip:alice@10.0.0.7>", "b", false),
    ] as [(String, String?, String?, Bool)])
  func inconsistentUse(method: String, contact: String?, toTag: String?, isRefused: Bool) throws {
    try withStreams { stage in
      let request = Draft.request(method, Self.bobs, toTag: toTag).setting("Contact", contact)
      let sent = try #require(stage.alice(request).first)
      #expect(sent.status == (isRefused ? 400 : nil))
      if isRefused { #expect(sent.startLine == "SIP/2.0 400 SIPS With A SIP Contact") }
      if !isRefused {
        stage.send(.answer(404, to: sent), from: Peer(address: sent.destination, listener: Peer.tls))
      }
      if method == "INVITE" {
        stage.alice(.request("ACK", Self.bobs).setting("To", "<sip:bob@example.com>;tag=b"))
      }
    }
  }

  /// G35: the certificate names the domain, so the URI does.
  @Test("The sips value names what is advertised for the TLS listener")
  func advertisedName() throws {
    try withStreams {
      $0.listeners[4].advertisedHost = Array("edge.example.com".utf8)
      $0.listeners[4].advertisedPort = 5999
    } _: { stage in
      let alice = Peer.alice(over: Peer.tls)
      stage.connect(alice)
      let sent = try #require(stage.send(Draft.request().via(alice), from: alice).first)
      #expect(sent.values("Record-Route").last?.hasPrefix("<sips:edge.example.com:5999;lr;ck=") == true)
      stage.bob(.answer(200, to: sent))
      let call = PeerCall(invite: sent, caller: alice, callee: Peer(address: Place.bob, listener: Peer.udp))
      let bye = try #require(
        stage.send(call.request("BYE", byCaller: false, cSeq: 1), from: call.callee).first)
      #expect(bye.values("Route").isEmpty)
      stage.send(.answer(200, to: bye), from: alice)
    }
  }
}
