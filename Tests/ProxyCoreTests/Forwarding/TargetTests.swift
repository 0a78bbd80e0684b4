import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing
import Timekeeping

/// Which address a request goes to when no Route of its own decides.
@Suite("RFC 3261 §16.5, §16.6 items 6 and 7: targets and next hops")
struct TargetTests {
  private static let gateway = "192.0.2.99:5080"

  private func withNextHop(_ body: (Stage) throws -> Void) throws {
    try withStage {
      $0.nextHop = NextHop(
        uri: Array("sip:192.0.2.99:5080;lr".utf8), addresses: [Self.gateway].compactMap { SocketAddress($0) })
    } _: {
      try body($0)
    }
  }

  /// B59, B38: pushed with `lr` in front, Request-URI untouched.
  @Test("A configured next hop is pushed as a Route value on requests outside a dialog")
  func nextHop() throws {
    try withNextHop { stage in
      for method in ["INVITE", "REGISTER", "OPTIONS", "ODD"] {
        let sent = try #require(
          stage.alice(.request(method, "sip:bob@example.com", branch: "z9hG4bK\(method)")).first)
        #expect(sent.destination == Self.gateway)
        #expect(sent.values("Route") == ["<sip:192.0.2.99:5080;lr>"])
        #expect(sent.requestURI == "sip:bob@example.com")
      }
      var viaUs = Draft.request("OPTIONS", branch: "z9hG4bKviaus")
      viaUs.rows.insert("Route: <sip:192.0.2.10;lr>", at: 1)
      let sent = try #require(stage.alice(viaUs).first)
      #expect(sent.values("Route") == ["<sip:192.0.2.99:5080;lr>"])
    }
  }

  /// B35, B36, B59: the exceptions: a Route of its own, a dialog, an ACK, and whatever the next hop itself sends.
  @Test("The next hop is not pushed where a Route, a dialog or the next hop itself decides")
  func nextHopExceptions() throws {
    try withNextHop { stage in
      var routed = Draft.request("OPTIONS", branch: "z9hG4bK1")
      routed.rows.insert("Route: <sip:198.51.100.3;lr>", at: 1)
      #expect(stage.alice(routed).first?.destination == Place.carol)
      #expect(stage.alice(.request("BYE", branch: "z9hG4bK2", toTag: "b")).first?.destination == Place.bob)
      #expect(stage.alice(.request("ACK", branch: "z9hG4bK3", toTag: "b")).first?.destination == Place.bob)
      let inbound = stage.send(.request("INVITE", branch: "z9hG4bK4"), from: Self.gateway)
      #expect(inbound.first?.destination == Place.bob)
      #expect(inbound.first?.values("Route").isEmpty == true)
      let neighbour = stage.send(.request("INVITE", branch: "z9hG4bK5"), from: "192.0.2.99:61000")
      #expect(neighbour.first?.destination == Self.gateway)
    }
  }

  /// B97, B98, C22: CANCEL and ACK of such an INVITE follow it, Route and all.
  @Test("CANCEL and ACK follow the INVITE to the next hop")
  func hopByHopRequestsFollow() throws {
    try withNextHop { stage in
      let invite = try #require(stage.alice(.request("INVITE", "sip:bob@example.com")).first)
      stage.send(.answer(180, to: invite), from: Self.gateway)
      let cancel = try #require(stage.alice(.request("CANCEL", "sip:bob@example.com")).last)
      let out = stage.send(.answer(487, to: invite), from: Self.gateway)
      let ack = try #require(out.first { $0.method == "ACK" })
      for request in [cancel, ack] {
        #expect(request.destination == Self.gateway)
        #expect(request.values("Route") == invite.values("Route"))
        #expect(request.requestURI == "sip:bob@example.com")
        #expect(request.values("Via") == [invite.values("Via")[0]])
      }
      stage.alice(.request("ACK", "sip:bob@example.com"))
    }
  }

  /// B39, B88: a 3xx is not followed for a Request-URI we are not responsible for, a 416 neither.
  @Test("Redirections go upstream", arguments: [300, 301, 302, 305, 380, 416])
  func redirection(status: Int) throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      let sent = stage.bob(.answer(status, to: invite).with("Contact: <sip:carol@198.51.100.3>;q=0.5"))
      #expect(sent.map { $0.method ?? "\($0.status ?? 0)" } == ["ACK", "\(status)"])
      #expect(sent.last?.values("Contact") == ["<sip:carol@198.51.100.3>;q=0.5"])
      stage.alice(.request("ACK"))
    }
  }

  /// G9, D10: refused, not sent and counted.
  @Test(
    "A request to a broadcast, multicast or unspecified address, or to port 0, is refused",
    arguments: [
      "sip:bob@255.255.255.255", "sip:bob@224.0.1.75", "sip:bob@239.1.2.3:5060", "sip:bob@0.0.0.0",
      "sip:bob@[ff02::1]",
      "sip:bob@[::]", "sip:bob@[::ffff:224.0.1.75]", "sip:bob@198.51.100.2;maddr=224.0.1.75",
      "sip:bob@198.51.100.2:0",
    ])
  func forbiddenDestination(uri: String) throws {
    try withStage { stage in
      let answers = stage.alice(.request("OPTIONS", uri))
      #expect(answers.count == 1)
      #expect(answers.first?.destination == Place.alice)
      #expect((answers.first?.status ?? 0) / 100 == 4)
      var routed = Draft.request("OPTIONS", branch: "z9hG4bKrouted")
      routed.rows.insert("Route: <\(uri);lr>", at: 1)
      #expect((stage.alice(routed).first?.status ?? 0) / 100 == 4)
      #expect(stage.count(.requestsForwarded) == 0)
    }
  }

  /// B60, B93, B80: what cannot be reached is answered, statefully, never with silence.
  @Test("A transport nobody speaks here is answered 500")
  func unreachable() throws {
    try withStage { stage in
      let uri = "sip:bob@198.51.100.2;transport=sctp"
      let answer = try #require(stage.alice(.request("INVITE", uri)).first)
      #expect(answer.status == 500)
      #expect(answer.destination == Place.alice)
      stage.acknowledge(answer, uri)
    }
  }
}
