import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing

/// REGISTER requests that pass, and what comes back by the Path they got.
@Suite("RFC 3327 §5.2, RFC 5626 §5.1: Path")
struct RegistrationPathTests {
  /// A REGISTER and the Path row it gets, up to the token; nil for none.
  struct Case: Sendable, CustomTestStringConvertible {
    var clause: String
    var listener = Peer.tcp
    var supported: String? = "path"
    var contact: String? = "<sip:bob@10.0.0.9>"
    var extra: [String] = []
    var path: String?
    var testDescription: String { clause }
  }

  static let cases = [
    Case(
      clause: "D70: reg-id, first hop", supported: "outbound, path",
      contact: "<sip:bob@10.0.0.9>;reg-id=1;+sip.instance=\"<urn:x>\"",
      path: "<sip:192.0.2.10:5060;lr;ob;ck="),
    Case(
      clause: "D70: reg-id behind another parameter, over TLS", listener: Peer.tls,
      supported: "gruu,\r\n PATH",
      contact: "\"a;reg-id=2\" <sip:bob@10.0.0.9;reg-id=x> ;\t+x=\"a;b\" ; REG-ID = 1",
      path: "<sip:192.0.2.10:5060;lr;ob;ck="),
    Case(
      clause: "D71: without reg-id no ob", contact: "<sip:bob@10.0.0.9;reg-id=1>;x=\"reg-id=1\"",
      path: "<sip:192.0.2.10:5060;lr;ck="),
    Case(
      clause: "D70: behind NAT on UDP", listener: Peer.udp, contact: "<sip:bob@10.0.0.9>;reg-id=1",
      path: "<sip:192.0.2.10:5060;lr;ob;ck="),
    Case(
      clause: "D70: on UDP where its Contact says", listener: Peer.udp,
      contact: "<sip:bob@198.51.100.2:50002>", path: "<sip:192.0.2.10:5060;lr;ck="),
    Case(clause: "D71: path not supported", supported: "outbound, paths"),
    Case(clause: "D71: nothing supported", supported: nil, contact: "<sip:bob@10.0.0.9>;reg-id=1"),
    Case(
      clause: "D70: not the first hop", contact: "<sip:bob@10.0.0.9>;reg-id=1",
      extra: ["Via: SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKfirst"]),
    Case(clause: "Removal of all bindings", contact: "*", extra: ["Expires: 0"]),
    Case(clause: "A question for the bindings", contact: nil),
  ]

  @Test("Who gets a Path, and which", arguments: cases)
  func path(_ given: Case) throws {
    try withStreams { stage in
      let bob = Peer.bob(over: given.listener)
      stage.connect(bob)
      var register = Draft.register(over: bob, supported: given.supported, contact: given.contact)
      register.rows += given.extra
      let sent = try #require(stage.send(register, from: bob).first)
      #expect(sent.destination == Place.carol)
      #expect(sent.values("Path").count == (given.path == nil ? 0 : 1))
      if let path = given.path { #expect(sent.value("Path")?.hasPrefix(path) == true, "\(sent)") }
      #expect(sent.values("Record-Route").isEmpty)
      stage.send(.answer(200, to: sent), from: .registrar)
    }
  }

  /// D70, B53: the registrar comes back to the side it sees.
  @Test(
    "Path names the side toward the registrar",
    arguments: [
      ("sip:198.51.100.3;transport=tcp", "<sip:192.0.2.10:5060;transport=tcp;lr;ck="),
      ("sips:198.51.100.3", "<sips:192.0.2.10:5061;lr;ck="),
      ("sip:[2001:db8::3]", "<sip:[2001:db8::10]:5060;lr;ck="),
    ])
  func side(registrar: String, path: String) throws {
    try withStreams { stage in
      let bob = Peer.bob(over: Peer.tls)
      stage.connect(bob)
      var register = Draft.register(over: bob)
      register.startLine = "REGISTER \(registrar) SIP/2.0"
      let sent = try #require(stage.send(register, from: bob).first)
      #expect(sent.value("Path")?.hasPrefix(path) == true, "\(sent)")
      let answer = Draft.answer(200, to: sent)
      let back = Peer(address: sent.destination, listener: sent.flow.listener)
      #expect(stage.send(answer, from: back).map(\.status) == [200])
    }
  }

  /// E17, B66, RFC 3327 §5.2: a new first row; nothing else changes.
  @Test("Our value stands before other Path rows, which stay as they are")
  func otherRows() throws {
    try withStreams { stage in
      let bob = Peer.bob(over: Peer.tcp)
      stage.connect(bob)
      let others = [
        "path:<sip:p2.example.net;lr> ,\t<sip:p1.example.net;lr>", "Path: <sip:p0.example.net;lr;ob>",
      ]
      var register = Draft.register(over: bob)
      register.rows += others
      let sent = try #require(stage.send(register, from: bob).first)
      let rows = sent.lines.filter { $0.lowercased().hasPrefix("path") }
      #expect(rows.count == 3)
      #expect(rows.first?.hasPrefix("Path: <sip:192.0.2.10:5060;lr;ck=") == true)
      #expect(Array(rows.dropFirst()) == others)
      let added = ["Path: <sip:192.0.2.10", "Via: SIP/2.0/UDP 192.0.2.10", "Max-Breadth"]
      let kept = sent.lines.filter { line in !added.contains { line.hasPrefix($0) } }
      #expect(kept.count == register.rows.count + 1)
      stage.send(.answer(200, to: sent), from: .registrar)
    }
  }

  /// D71.
  @Test("A Path in the answer to a REGISTER is not touched")
  func response() throws {
    try withStreams { stage in
      let bob = Peer.bob(over: Peer.tcp)
      stage.connect(bob)
      let sent = try #require(stage.send(.register(over: bob), from: bob).first)
      let rows = ["Path:  \(sent.value("Path") ?? ""),<sip:p9.example.net;lr>", "Path: <sip:odd>;;x"]
      var answer = Draft.answer(200, to: sent)
      answer.rows += rows
      let back = try #require(stage.send(answer, from: .registrar).first)
      #expect(back.lines.filter { $0.hasPrefix("Path") } == rows)
      #expect(back.flow.connection == bob.connection)
    }
  }

  /// D72, G1, G2: the token is the right to reach this client, for whoever holds it.
  @Test("A stranger with the Path reaches the client and nobody else", arguments: [Peer.tcp, Peer.udp])
  func access(listener: UInt16) throws {
    try withStreams {
      $0.allowed = ["198.51.100.2/32"].compactMap { AddressBlock($0) }
    } _: { stage in
      let bob = Peer.bob(over: listener)
      stage.connect(bob)
      let path = try #require(try stage.register(.register(over: bob), from: bob).value("Path"))
      for (index, method) in ["INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE"].enumerated() {
        let request = Draft.request(
          method, "sip:bob@10.0.0.9", branch: "z9hG4bK\(index)", callID: "c\(index)")
        #expect(stage.alice(request).map(\.status) == [403])
        let token = SentMessage.parameter("ck", in: String(path.dropLast()))
        let altered = path.replacing(token, with: (token.first == "A" ? "B" : "A") + token.dropFirst())
        #expect(stage.alice(request.routed([altered])).map(\.status) == [403])
        let elsewhere = request.routed([path, "<sip:203.0.113.200;lr>"]).setting(
          "To", "<sip:else@example.net>")
        let sent = stage.alice(elsewhere)
        #expect(sent.map(\.destination) == [bob.address])
        #expect(sent.map(\.flow.connection) == [bob.connection])
        sent.forEach { stage.send(.answer(404, to: $0), from: bob) }
        if method == "INVITE" { stage.alice(.request("ACK", branch: "z9hG4bK0", callID: "c0")) }
      }
    }
  }

  /// G1, RFC 5626 §5.3: toward others the token of a client opens nothing, not even for itself.
  @Test("The client's own request with its Path in Route goes where its Request-URI says")
  func fromTheClient() throws {
    for isAllowed in [true, false] {
      try withStreams {
        if !isAllowed { $0.allowed = [] }
      } _: { stage in
        let bob = Peer.bob(over: Peer.tcp)
        stage.connect(bob)
        var path = "<sip:192.0.2.10;lr>"
        if isAllowed {
          path = try #require(try stage.register(.register(over: bob), from: bob).value("Path"))
        }
        let invite = Draft.request("MESSAGE", by: .bob).via(bob).routed([path])
        let sent = try #require(stage.send(invite, from: bob).first)
        #expect(isAllowed ? sent.destination == Place.alice : sent.status == 403)
        if isAllowed { stage.alice(.answer(200, to: sent)) }
      }
    }
  }

  /// D69, D70: the client went away; it is not called by another connection.
  @Test("Path to a connection that is gone is answered 430")
  func gone() throws {
    try withStreams { stage in
      let bob = Peer.bob(over: Peer.tcp)
      stage.connect(bob)
      let path = try #require(try stage.register(.register(over: bob), from: bob).value("Path"))
      stage.driver.connectionClosed(bob.connection)
      stage.connect(
        Peer(address: bob.address, listener: Peer.tcp, connection: ConnectionID(slot: 2, generation: 72)))
      let invite = Draft.request("INVITE", "sip:bob@10.0.0.9").routed([path])
      let answer = try #require(stage.alice(invite).first)
      #expect(answer.status == 430)
      stage.acknowledge(answer, "sip:bob@10.0.0.9")
    }
  }

  /// D69: the two kinds of token are not taken for each other.
  @Test("The token of a call opens no request outside a dialog, that of a registration no other call")
  func kinds() throws {
    try withStreams {
      $0.allowed = ["203.0.113.0/24"].compactMap { AddressBlock($0) }
    } _: { stage in
      let alice = Peer.alice(over: Peer.tcp)
      stage.connect(alice)
      let sent = try #require(stage.send(Draft.request().via(alice), from: alice).first)
      let recordRoute = try #require(sent.values("Record-Route").last)
      stage.bob(.answer(200, to: sent))
      let outside = Draft.request("MESSAGE", "sip:alice@10.0.0.7", by: .bob, callID: "call@203.0.113.5")
      #expect(stage.bob(outside.routed([recordRoute])).map(\.status) == [403])
    }
  }

  /// D70 knows no exception for who opened the connection.
  @Test("A REGISTER over a connection of ours gets a Path to it")
  func connectionOfOurs() throws {
    try withStreams { stage in
      let bob = Peer.bob(over: Peer.tcp)
      stage.driver.connectionOpened(bob.connection, from: bob.address, listener: bob.listener, byPeer: false)
      let sent = try stage.register(.register(over: bob), from: bob)
      #expect(sent.values("Path").count == 1)
    }
  }
}
