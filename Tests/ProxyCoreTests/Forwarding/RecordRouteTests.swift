import CallState
import PagedStorage
import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing

/// How the proxy stays on the path of a dialog.
@Suite("RFC 3261 §16.6 item 4, RFC 5658, RFC 5626 §5.3: Record-Route")
struct RecordRouteTests {
  private static let aliceV6 = "[2001:db8::5]:5062"
  private static let bobV6 = "[2001:db8::2]:5070"

  /// B49, B50, A5, B111: what can form or refresh a dialog, and methods we do not know; the rest only passes.
  @Test(
    "Requests that can form or refresh a dialog get our value",
    arguments: [
      ("INVITE", true), ("SUBSCRIBE", true), ("REFER", true), ("NOTIFY", true), ("UPDATE", true),
      ("UNKNOWN", true),
      ("BYE", false), ("PRACK", false), ("OPTIONS", false), ("REGISTER", false), ("MESSAGE", false),
      ("INFO", false),
      ("ACK", false), ("PUBLISH", false),
    ])
  func whichMethods(method: String, isRecordRouted: Bool) throws {
    try withStage { stage in
      for toTag in [nil, "b"] {
        let sent = stage.alice(.request(method, branch: "z9hG4bK\(toTag ?? "o")", toTag: toTag))
        #expect(sent.count == 1)
        #expect(sent.first?.values("Record-Route").count == (isRecordRouted ? 1 : 0))
      }
    }
  }

  /// B49, B51, E17, A5.
  @Test("Our value stands before the others: a sip URI with lr in angle brackets that names us")
  func form() throws {
    try withStage { stage in
      let below = [
        "Record-Route: <sip:p2.example.net;lr>, <sip:p1.example.net>",
        "record-route:<sips:p0.example.net;lr;x=y>",
      ]
      var invite = Draft.request()
      invite.rows.insert(contentsOf: below, at: 3)
      let sent = try #require(stage.alice(invite).first)
      let values = sent.values("Record-Route")
      #expect(values.count == 3)
      #expect(values[0].hasPrefix("<sip:192.0.2.10:5060;lr;ck="))
      #expect(values[0].hasSuffix(">"))
      #expect(!values[0].contains("transport="))
      #expect(
        values.dropFirst() == [
          "<sip:p2.example.net;lr>, <sip:p1.example.net>", "<sips:p0.example.net;lr;x=y>",
        ])
    }
  }

  /// B54, B56, D64, B32: the value for the outgoing side on top, brackets around IPv6; answers are not rewritten, and
  /// both parties come back through the side they know.
  @Test("IPv4 in, IPv6 out: two values, and in-dialog requests cross back", arguments: [true, false])
  func doubleRecordRoute(callerIsV4: Bool) throws {
    try withStage { stage in
      let (alice, bob) = callerIsV4 ? (Place.alice, Self.bobV6) : (Self.aliceV6, Place.bob)
      let invite = Draft.request("INVITE", "sip:bob@\(bob)").setting("Contact", "<sip:alice@\(alice)>")
        .setting("Via", "SIP/2.0/UDP \(alice);branch=z9hG4bKi")
      let sent = try #require(stage.send(invite, from: alice).first)
      #expect(sent.destination == bob)
      let hosts = sent.values("Record-Route").map { String($0.dropFirst(5).prefix { $0 != ";" }) }
      let expected = ["[2001:db8::10]:5060", "192.0.2.10:5060"]
      #expect(hosts == (callerIsV4 ? expected : expected.reversed()))
      #expect(sent.values("Via")[0].contains(callerIsV4 ? " [2001:db8::10]:5060;" : " 192.0.2.10:5060;"))
      let ok = try #require(stage.send(.answer(200, to: sent), from: bob).first)
      #expect(ok.destination == alice)
      #expect(ok.values("Record-Route") == sent.values("Record-Route"))
      for (party, from, to) in [(Person.alice, alice, bob), (.bob, bob, alice)] {
        let call = Call(invite: sent, ok: ok)
        let info = call.request("INFO", "sip:x@\(to)", by: party, branch: "z9hG4bK\(party)", cSeq: 7)
          .setting("Via", "SIP/2.0/UDP \(from);branch=z9hG4bK\(party)")
        let forwarded = try #require(stage.send(info, from: from).first)
        #expect(forwarded.destination == to)
        #expect(forwarded.values("Route").isEmpty)
        #expect(stage.send(.answer(200, to: forwarded), from: to).first?.destination == from)
      }
    }
  }

  /// B54: within one family there is one value; IPv6 numbers are written in brackets (B56, D59).
  @Test("IPv6 in and out needs one value")
  func singleIPv6() throws {
    try withStage { stage in
      let invite = Draft.request("INVITE", "sip:bob@\(Self.bobV6)").setting(
        "Via", "SIP/2.0/UDP [2001:DB8::0:5]:5062;branch=z9hG4bK6;rport")
      let sent = try #require(stage.send(invite, from: Self.aliceV6).first)
      #expect(sent.values("Record-Route").count == 1)
      #expect(sent.value("Record-Route")?.hasPrefix("<sip:[2001:db8::10]:5060;lr") == true)
      #expect(sent.values("Via")[1].contains(";received=2001:db8::5"))  // D14
      #expect(stage.send(.answer(404, to: sent), from: Self.bobV6).last?.destination == Self.aliceV6)
      stage.send(
        .request("ACK").setting("Via", "SIP/2.0/UDP [2001:DB8::0:5]:5062;branch=z9hG4bK6;rport"),
        from: Self.aliceV6)
    }
  }

  /// D8, B51: `--advertise`.
  @Test("An advertised name stands in Via and Record-Route, and is recognised in Route")
  func advertisedName() throws {
    try withStage {
      $0.listeners[0].advertisedHost = Array("edge.example.com".utf8)
      $0.listeners[0].advertisedPort = 5099
    } _: { stage in
      let call = try stage.establish()
      #expect(call.invite.values("Via")[0].hasPrefix("SIP/2.0/UDP edge.example.com:5099;"))
      #expect(call.invite.value("Record-Route")?.hasPrefix("<sip:edge.example.com:5099;lr;ck=") == true)
      let bye = try #require(stage.bob(call.request("BYE", by: .bob, branch: "z9hG4bKb", cSeq: 1)).first)
      #expect(bye.values("Route").isEmpty)
      #expect(stage.alice(.answer(200, to: bye)).map(\.status) == [200])
      #expect(stage.counts.active == 0)
    }
  }

  /// D8: a wildcard listener writes the address the kernel uses toward the peer.
  @Test("A wildcard listener writes the local address of the flow")
  func wildcardListener() throws {
    try withStage {
      $0.listeners = [SocketAddress("0.0.0.0:5060")].compactMap { $0 }.map {
        Listener(transport: .udp, bound: $0)
      }
      $0.localAddresses = [IPAddress("192.0.2.10")].compactMap { $0 }
    } _: { stage in
      let call = try stage.establish()
      #expect(call.invite.values("Via")[0].hasPrefix("SIP/2.0/UDP 192.0.2.10:5060;"))
      #expect(call.recordRoutes.count == 1)
      let bye = try #require(stage.bob(call.request("BYE", by: .bob, branch: "z9hG4bKb", cSeq: 1)).first)
      #expect(bye.destination == Place.alice)
      stage.alice(.answer(200, to: bye))
    }
  }

  /// D72, B57: the phone behind NAT. Its Contact leads nowhere, the token leads back to it.
  @Test(
    "In-dialog requests travel back over the caller's flow when its Contact is not where it sends from",
    arguments: [
      "<sip:alice@10.0.0.7:5062>", "<sip:alice@203.0.113.5>", "<sip:alice@phone.invalid>",
      "<sip:alice@203.0.113.5:5062;ob>",
    ])
  func flowToken(contact: String) throws {
    try withStage { stage in
      let call = try stage.establish(
        .request().setting("Contact", contact).setting(
          "Via", "SIP/2.0/UDP 10.0.0.7:5062;rport;branch=z9hG4bKn"))
      let target = String(contact.dropFirst().dropLast())
      let bye = try #require(
        stage.bob(call.request("BYE", target, by: .bob, branch: "z9hG4bKb", cSeq: 1)).first)
      #expect(bye.destination == Place.alice)
      #expect(bye.requestURI == target)
      // The caller's own requests go to the callee as ever.
      let info = stage.alice(call.request("INFO", branch: "z9hG4bKinfo", cSeq: 2))
      #expect(info.first?.destination == Place.bob)
      stage.alice(.answer(200, to: bye))
    }
  }

  /// D72: a caller that is reached where its Contact says needs no flow in the token; nor one behind another proxy.
  @Test("The token carries no flow when the Contact is good or another proxy was first")
  func noFlowToken() throws {
    try withStage { stage in
      let plain = try stage.establish()
      let toCarol = stage.bob(
        plain.request("INFO", "sip:alice@198.51.100.3", by: .bob, branch: "z9hG4bK1", cSeq: 1))
      #expect(toCarol.first?.destination == Place.carol)
      let behind = Draft.request(branch: "z9hG4bK2", callID: "second").setting(
        "Contact", "<sip:alice@10.0.0.7>"
      )
      .with("Via: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKfirst")
      let second = try stage.establish(behind)
      let info = stage.bob(
        second.request("INFO", "sip:alice@198.51.100.3", by: .bob, branch: "z9hG4bK3", cSeq: 1))
      #expect(info.first?.destination == Place.carol)
    }
  }
}
