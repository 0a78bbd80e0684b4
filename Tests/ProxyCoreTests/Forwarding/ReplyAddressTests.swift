import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing

/// What the top Via says, what the transport saw, and where the answer goes.
struct ReplyCase: Sendable, CustomTestStringConvertible {
  var clause: String
  var via: String
  var source = "203.0.113.5:5062"
  var stamped: String
  var replies: String
  var testDescription: String { clause }
}

@Suite("RFC 3261 §18.2, RFC 3581 §4: received, rport and the way back")
struct ReplyAddressTests {
  static let cases: [ReplyCase] = [
    ReplyCase(
      clause: "D22: sent-by is the source: nothing is added", via: "203.0.113.5:5062;branch=z9hG4bKx",
      stamped: "203.0.113.5:5062;branch=z9hG4bKx", replies: "203.0.113.5:5062"),
    ReplyCase(
      clause: "D21: the sent-by port wins over the source port without rport",
      via: "203.0.113.5:5099;branch=z9hG4bKx",
      stamped: "203.0.113.5:5099;branch=z9hG4bKx", replies: "203.0.113.5:5099"),
    ReplyCase(
      clause: "D21: no sent-by port means 5060", via: "203.0.113.5;branch=z9hG4bKx",
      stamped: "203.0.113.5;branch=z9hG4bKx", replies: "203.0.113.5:5060"),
    ReplyCase(
      clause: "D11: another address gets received", via: "10.0.0.7:5062;branch=z9hG4bKx",
      stamped: "10.0.0.7:5062;branch=z9hG4bKx;received=203.0.113.5", replies: "203.0.113.5:5062"),
    ReplyCase(
      clause: "D11: a name gets received", via: "phone.example.com;branch=z9hG4bKx",
      stamped: "phone.example.com;branch=z9hG4bKx;received=203.0.113.5", replies: "203.0.113.5:5060"),
    ReplyCase(
      clause: "D12: rport is filled in and received added even when equal",
      via: "203.0.113.5:5060;rport;branch=z9hG4bKx",
      stamped: "203.0.113.5:5060;rport=5062;branch=z9hG4bKx;received=203.0.113.5", replies: "203.0.113.5:5062"
    ),
    ReplyCase(
      clause: "D20: rport leads to the source port", via: "10.0.0.7:5099;branch=z9hG4bKx;RPORT",
      stamped: "10.0.0.7:5099;branch=z9hG4bKx;rport=5062;received=203.0.113.5", replies: "203.0.113.5:5062"),
    ReplyCase(
      clause: "D13: values of the sender are overwritten",
      via: "203.0.113.5:5062;received=198.51.100.66;rport=7;branch=z9hG4bKx",
      stamped: "203.0.113.5:5062;received=203.0.113.5;rport=5062;branch=z9hG4bKx", replies: "203.0.113.5:5062"
    ),
    ReplyCase(
      clause: "D13: a claimed received alone leads nowhere else",
      via: "198.51.100.66:5062;received=198.51.100.66;branch=z9hG4bKx",
      stamped: "198.51.100.66:5062;received=203.0.113.5;branch=z9hG4bKx", replies: "203.0.113.5:5062"),
    ReplyCase(
      clause: "D19: maddr is ignored", via: "203.0.113.5:5062;maddr=198.51.100.66;ttl=1;branch=z9hG4bKx",
      stamped: "203.0.113.5:5062;maddr=198.51.100.66;ttl=1;branch=z9hG4bKx", replies: "203.0.113.5:5062"),
    ReplyCase(
      clause: "D14: an IPv6 source is written bare", via: "[2001:db8::99]:5070;branch=z9hG4bKx;rport",
      source: "[2001:db8::5]:6000",
      stamped: "[2001:db8::99]:5070;branch=z9hG4bKx;rport=6000;received=2001:db8::5",
      replies: "[2001:db8::5]:6000"),
    ReplyCase(
      clause: "D63: another form of the same IPv6 address is the same",
      via: "[2001:DB8:0:0:0:0:0:5]:6000;branch=z9hG4bKx",
      source: "[2001:db8::5]:6000", stamped: "[2001:DB8:0:0:0:0:0:5]:6000;branch=z9hG4bKx",
      replies: "[2001:db8::5]:6000"),
  ]

  /// D11, D12, D13, D14, D19, D20, D21, D22, G4, B84: our own answers and forwarded ones take the same way, and carry
  /// what we wrote into the Via.
  @Test("An answer goes where the request was seen to come from", arguments: cases)
  func wayBack(row: ReplyCase) throws {
    try withStage { stage in
      let via = "SIP/2.0/UDP \(row.via)"
      let refused = Draft.request("OPTIONS", "sip:192.0.2.10").setting(
        "Via", via.replacing("z9hG4bKx", with: "z9hG4bKy"))
      let own = try #require(stage.send(refused, from: row.source).first)
      #expect(own.destination == row.replies)
      #expect(own.value("Via") == "SIP/2.0/UDP \(row.stamped.replacing("z9hG4bKx", with: "z9hG4bKy"))")
      let sent = try #require(stage.send(.request().setting("Via", via), from: row.source).first)
      #expect(sent.values("Via").dropFirst() == ["SIP/2.0/UDP \(row.stamped)"])
      for status in [180, 200] {
        let back = try #require(stage.bob(.answer(status, to: sent)).first)
        #expect(back.destination == row.replies)
        #expect(back.values("Via") == ["SIP/2.0/UDP \(row.stamped)"])
      }
    }
  }

  /// D20, D19: from the very socket and address the request came to; the second Via of the answer decides nothing.
  @Test("A forwarded answer leaves from the socket of its request, whatever its second Via says")
  func sameSocket() throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request()).first)
      var answer = Draft.answer(180, to: sent)
      answer.rows[1] = "Via: SIP/2.0/UDP 198.51.100.66:9;branch=z9hG4bKa1;received=198.51.100.67"
      let back = try #require(stage.bob(answer).first)
      #expect(back.destination == Place.alice)
      #expect(back.flow.listener == 0)
      #expect(back.flow.local == IPAddress("192.0.2.10"))
      #expect(back.values("Via") == ["SIP/2.0/UDP 198.51.100.66:9;branch=z9hG4bKa1;received=198.51.100.67"])
    }
  }

  /// D16: an unknown transport below the top, or another than the one it came on, is no error.
  @Test("The transport token of a Via is not judged")
  func transportToken() throws {
    try withStage { stage in
      for (number, transport) in ["TCP", "TLS", "FUTURE", "UDP"].enumerated() {
        let request = Draft.request("OPTIONS").setting(
          "Via", "SIP/2.0/\(transport) \(Place.alice);branch=z9hG4bK\(number)"
        )
        .with("Via: SIP/2.0/UNKNOWN x.example.net;branch=z9hG4bKb")
        #expect(stage.alice(request).first?.method == "OPTIONS")
      }
    }
  }

  /// D5: the size rule is for requests; an answer goes where its request came from whatever its size.
  @Test("A large answer travels like a small one")
  func largeAnswer() throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request()).first)
      let body = [UInt8](repeating: 65, count: 20_000)
      let back = try #require(stage.bob(Draft.answer(200, to: sent).with(body: body)).first)
      #expect(back.destination == Place.alice)
      #expect(back.body == body)
    }
  }
}
