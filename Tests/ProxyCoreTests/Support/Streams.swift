import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing

/// Somebody who talks to the proxy over one of its sockets.
struct Peer {
  var address: String
  var listener: UInt16
  var connection = ConnectionID.none

  static let udp: UInt16 = 0
  static let tcp: UInt16 = 2
  static let tls: UInt16 = 4

  /// Alice, behind NAT on a connection; her Contact leads nowhere.
  static func alice(over listener: UInt16, generation: UInt32 = 70) -> Peer {
    Peer(
      address: "203.0.113.5:40001", listener: listener,
      connection: listener < tcp ? .none : ConnectionID(slot: 1, generation: generation))
  }

  /// Bob, behind another one.
  static func bob(over listener: UInt16) -> Peer {
    Peer(
      address: "198.51.100.2:50002", listener: listener,
      connection: listener < tcp ? .none : ConnectionID(slot: 2, generation: 71))
  }

  static let registrar = Peer(address: Place.carol, listener: udp)

  var transport: String { listener < Self.tcp ? "UDP" : listener < Self.tls ? "TCP" : "TLS" }
}

/// A stage whose proxy listens on UDP, TCP and TLS, each on IPv4 and IPv6, in this order.
func withStreams(
  _ configure: (inout ProxyConfiguration) -> Void = { _ in },
  sourceLocation: SourceLocation = #_sourceLocation, _ body: (Stage) throws -> Void
) throws {
  try withStage(
    {
      $0.listeners = []
      for (transport, port) in [(TransportProtocol.udp, 5060), (.tcp, 5060), (.tls, 5061)] {
        for host in ["192.0.2.10", "[2001:db8::10]"] {
          guard let bound = SocketAddress("\(host):\(port)") else { continue }
          $0.listeners.append(Listener(transport: transport, bound: bound))
        }
      }
      configure(&$0)
    }, sourceLocation: sourceLocation, body)
}

extension Stage {
  /// A peer's connection is accepted.
  func connect(_ peers: Peer...) {
    for peer in peers {
      driver.connectionOpened(peer.connection, from: peer.address, listener: peer.listener)
    }
  }

  /// A peer sends over its connection, or a datagram.
  @discardableResult
  func send(_ draft: Draft, from peer: Peer) -> [SentMessage] {
    driver.deliver(draft.bytes, from: peer.address, listener: peer.listener, connection: peer.connection)
  }

  /// Registers a client with a registrar beyond the proxy; the REGISTER as it arrived there.
  func register(_ draft: Draft, from peer: Peer) throws -> SentMessage {
    let sent = try #require(send(draft, from: peer).first)
    #expect(send(.answer(200, to: sent), from: .registrar).map(\.status) == [200])
    return sent
  }
}

extension Draft {
  /// A REGISTER of Bob's, from behind NAT.
  static func register(over peer: Peer, supported: String? = "path", contact: String? = "<sip:bob@10.0.0.9>")
    -> Draft
  {
    Draft.request("REGISTER", "sip:198.51.100.3", by: .bob, branch: "z9hG4bKregister", callID: "registration")
      .setting("To", "<sip:bob@example.com>").setting("Contact", contact).setting("Supported", supported)
      .via(peer)
  }

  /// A request of a client behind NAT, whose Via and Contact say nothing of use.
  func via(_ peer: Peer, branch: String? = nil) -> Draft {
    let own = rows.first { $0.hasPrefix("Via:") } ?? ""
    let branch = branch ?? SentMessage.parameter("branch", in: own)
    return setting("Via", "SIP/2.0/\(peer.transport) 10.0.0.7:5060;rport;branch=\(branch)")
  }

  /// With Route rows in front.
  func routed(_ routes: [String]) -> Draft {
    var draft = self
    draft.rows.insert(contentsOf: routes.map { "Route: \($0)" }, at: 1)
    return draft
  }

  /// What a proxy that does not record-route makes of a request it got from us.
  static func passedOn(_ sent: SentMessage, to uri: String, route: String, recordRoute: String? = nil)
    -> Draft
  {
    var rows = Array(sent.lines.dropFirst())
    if let recordRoute { rows.insert("Record-Route: \(recordRoute)", at: 0) }
    rows.insert("Route: \(route)", at: 0)
    rows.insert("Via: SIP/2.0/UDP \(Place.carol);branch=z9hG4bKcarol\(sent.branch)", at: 0)
    return Draft(startLine: "\(sent.method ?? "") \(uri) SIP/2.0", rows: rows)
  }
}

/// A call between two peers, with what either needs for requests in the dialog.
struct PeerCall {
  let invite: SentMessage
  let caller: Peer
  let callee: Peer

  var recordRoutes: [String] { invite.values("Record-Route") }

  /// A request in the dialog, by the caller or by the callee.
  func request(_ method: String, byCaller: Bool, cSeq: Int, target: String = "sip:x@10.0.0.7") -> Draft {
    let person: Person = byCaller ? .alice : .bob
    return Draft.request(
      method, target, by: person, branch: "z9hG4bK\(person)\(method)\(cSeq)", cSeq: cSeq,
      toTag: person.other.tag
    )
    .setting("Contact", nil).via(byCaller ? caller : callee)
    .routed(byCaller ? recordRoutes.reversed() : recordRoutes)
  }
}
