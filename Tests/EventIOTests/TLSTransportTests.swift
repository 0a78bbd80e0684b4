import Glibc
import SIPSyntax
import Testing
import Timekeeping

@testable import EventIO
@testable import ProxyCore

@Suite("RFC 5922: connections over TLS", .serialized)
struct TLSTransportTests {
  // G28, G29, D41.
  @Test("Requests for a domain that the certificate proves share one connection")
  func goodDomain() throws {
    let nodes = try TLSNodes(callee: "URI:sip:example.com")
    for number in 0..<3 { nodes.call(number, for: number == 1 ? "EXAMPLE.com" : "example.com") }
    #expect(nodes.arrives(3))
    #expect(nodes.callee.messages == (0..<3).map(tlsRequest))
    #expect(nodes.caller.counters[.connectionsEstablished] == 1)
    #expect(nodes.callee.counters[.connectionsAccepted] == 1)
  }

  // G29: nothing that waited for the connection may leave over it. G31: a wildcard is no identity.
  @Test(
    "A server that proves another identity gets nothing, and the connection is closed at once",
    arguments: [
      ("URI:sip:example.net", "example.com"), ("DNS:*.example.com", "sip.example.com"),
      ("DNS:example.com", "sip.example.com"), ("DNS:sip.example.com", "example.com"),
      ("email:a@example.com", "example.com"), ("DNS:localhost", "127.0.0.1"), ("DNS:localhost", ""),
    ])
  func wrongDomain(_ names: String, _ domain: String) throws {
    let nodes = try TLSNodes(callee: names)
    nodes.call(for: domain)
    #expect(nodes.caller.table.count == 1)
    #expect(nodes.settlesWithoutConnections())
    #expect(nodes.callee.messages.isEmpty)
    #expect(nodes.caller.opened.isEmpty && nodes.caller.closedCount == 1)
    #expect(nodes.caller.counters[.connectionsClosedWrongIdentity] == 1)
    #expect(nodes.caller.counters[.connectionsEstablished] == 0)
  }

  // G29: the domain is the input to RFC 3263; without one the address stands in (decision 11).
  @Test("A next hop given as an address proves the address", arguments: ["127.0.0.1", ""])
  func address(_ domain: String) throws {
    let nodes = try TLSNodes(callee: "IP:127.0.0.1")
    nodes.call(for: domain)
    #expect(nodes.arrives(1))
  }

  @Test("G32: an expired certificate ends the handshake, and nothing was sent")
  func expired() throws {
    let nodes = try TLSNodes(callee: "URI:sip:example.com", validUntil: -60)
    nodes.call(for: "example.com")
    #expect(nodes.settlesWithoutConnections())
    #expect(nodes.callee.messages.isEmpty)
    #expect(nodes.caller.counters[.connectionsFailed] == 1)
    #expect(nodes.callee.counters[.connectionsClosedUnestablished] == 1)
  }

  static let refusals: [(names: String, lifetime: Int32, isMutual: Bool, ours: String?, theirs: String?)] = [
    ("DNS:example.com", 3_600, false, nil, nil),
    ("DNS:example.net", 3_600, false, "its certificate names example.net", nil),
    ("email:a@example.com", 3_600, false, "its certificate names nobody", nil),
    ("DNS:example.com", -60, false, "certificate has expired", "certificate expired"),
    ("DNS:example.com", 3_600, true, nil, "did not return a certificate"),
  ]

  // G29, G32, G34.
  @Test("What TLS refuses is told with its reason, the peer, and whom we wanted", arguments: refusals)
  func tells(_ row: (names: String, lifetime: Int32, isMutual: Bool, ours: String?, theirs: String?)) throws {
    let nodes = try TLSNodes(callee: row.names, requiring: row.isMutual, validUntil: row.lifetime)
    nodes.call(for: "example.com")
    let isFine = row.ours == nil && row.theirs == nil
    #expect(isFine ? nodes.arrives(1) : nodes.settlesWithoutConnections())
    let (ours, theirs) = (nodes.caller.failures, nodes.callee.failures)
    if let words = row.ours {
      #expect(ours.count == 1 && ours.first?.reason.contains(words) == true, "\(ours)")
      #expect(ours.first?.remote == nodes.callee.transport.bound && ours.first?.wanted == "example.com")
    }
    if let words = row.theirs {
      #expect(theirs.count == 1 && theirs.first?.reason.contains(words) == true, "\(theirs)")
      #expect(theirs.first?.remote.ip == loopback4.ip && theirs.first?.wanted == nil)
    }
    if isFine { #expect(ours.isEmpty && theirs.isEmpty) }
  }

  @Test("A connection that nobody listens for is no matter of TLS")
  func nobodyListens() throws {
    let nodes = try TLSNodes(callee: "DNS:example.com")
    let gone = try StreamTransport(binding: loopback4).bound
    nodes.caller.send(tlsRequest(0), to: gone, domain: "example.com")
    #expect(nodes.settlesWithoutConnections())
    #expect(nodes.caller.counters[.connectionsFailed] == 1 && nodes.caller.failures.isEmpty)
  }

  // G29, G30: one certificate for several domains serves all of them.
  @Test("A connection serves another domain only if its certificate proves that one too")
  func reuseForAnotherDomain() throws {
    let nodes = try TLSNodes(callee: "URI:sip:example.com,URI:sip:example.org")
    nodes.call(0, for: "example.com")
    #expect(nodes.arrives(1))
    nodes.call(1, for: "example.org")
    #expect(nodes.arrives(2))
    #expect(nodes.callee.counters[.connectionsAccepted] == 1)
    nodes.call(2, for: "example.net")
    let caller = nodes.caller
    #expect(nodes.loop.turn { caller.counters[.connectionsClosedWrongIdentity] == 1 })
    #expect(nodes.callee.messages.count == 2)
    // The first is not touched by that.
    nodes.call(3, for: "example.com")
    nodes.call(4, for: "example.org")
    #expect(nodes.arrives(4))
    #expect(nodes.caller.counters[.connectionsEstablished] == 1)
  }

  @Test("G28, G34: mutual TLS lets a client with a certificate in, and no other")
  func mutual() throws {
    let welcome = try TLSNodes(callee: "DNS:example.com", caller: "URI:sip:example.net", requiring: true)
    welcome.call(for: "example.com")
    #expect(welcome.arrives(1))
    let refused = try TLSNodes(callee: "DNS:example.com", requiring: true)
    refused.call(for: "example.com")
    #expect(refused.settlesWithoutConnections())
    #expect(refused.callee.messages.isEmpty && refused.callee.opened.isEmpty)
    #expect(refused.callee.counters[.connectionsClosedUnestablished] == 1)
  }

  // D42, D43, D44: a `alias` in Via is not looked at, with a verified certificate or without.
  @Test("An accepted connection is not used to reach the client's address", arguments: [nil, "IP:127.0.0.1"])
  func noAlias(_ names: String?) throws {
    let nodes = try TLSNodes(callee: "DNS:example.com", caller: names)
    nodes.call(for: "example.com")
    #expect(nodes.arrives(1))
    let flow = try #require(nodes.callee.opened.first)
    nodes.callee.send(tlsRequest(1), to: flow.remote, domain: "")
    let callee = nodes.callee
    #expect(nodes.loop.turn { callee.counters[.connectionsFailed] == 1 })
    #expect(nodes.caller.messages.isEmpty)
    // Over the connection by its name it arrives.
    #expect(callee.send(tlsRequest(2), to: flow.remote, domain: "", over: flow))
    let caller = nodes.caller
    #expect(nodes.loop.turn { caller.messages == [tlsRequest(2)] })
  }

  // D45, D46: after a close alert nothing more is sent there.
  @Test("After the other side has closed, the next request opens a new connection")
  func reopens() throws {
    let nodes = try TLSNodes(callee: "DNS:example.com")
    nodes.call(0, for: "example.com")
    #expect(nodes.arrives(1))
    // Idle for a day at the callee only.
    nodes.callee.pass(.seconds(86_401))
    let caller = nodes.caller
    #expect(nodes.loop.turn { caller.table.count == 0 })
    #expect(caller.counters[.connectionsClosedByPeer] == 1 && caller.counters[.connectionsClosedBroken] == 0)
    nodes.call(1, for: "example.com")
    #expect(nodes.arrives(2))
    #expect(caller.counters[.connectionsEstablished] == 2)
  }

  @Test("Reloading keeps open connections; new ones see the new certificate")
  func reload() throws {
    let nodes = try TLSNodes(callee: "DNS:example.com")
    nodes.call(0, for: "example.com")
    #expect(nodes.arrives(1))
    _ = try nodes.authority.issue("DNS:example.net", as: "callee.pem")
    try nodes.calleeContext.reload()
    nodes.call(1, for: "example.com")
    #expect(nodes.arrives(2))
    nodes.call(2, for: "example.net")
    #expect(nodes.arrives(3))
    #expect(nodes.caller.counters[.connectionsEstablished] == 2)
    #expect(nodes.caller.counters[.connectionsClosedWrongIdentity] == 0)
  }

  @Test(
    "A client that does not shake hands is closed after 8 seconds and never told of",
    arguments: [true, false])
  func silentClient(_ isPlainText: Bool) throws {
    let nodes = try TLSNodes(callee: "DNS:example.com")
    let client = connectedSocket(nodes.callee.transport.bound)
    defer { close(client) }
    let callee = nodes.callee
    #expect(nodes.loop.turn { callee.table.count == 1 })
    if isPlainText {
      let text = Array(tlsRequest(0).utf8)
      #expect(unsafe send(client, text, text.count, 0) == text.count)
      #expect(nodes.loop.turn { callee.table.count == 0 })
    } else {
      callee.pass(.seconds(7))
      #expect(callee.table.count == 1)
      callee.pass(.seconds(9))
    }
    #expect(callee.table.count == 0 && callee.messages.isEmpty && callee.opened.isEmpty)
    #expect(callee.counters[.connectionsClosedUnestablished] == 1)
  }

  @Test("A message in many records, and many in one, arrive as they were sent")  // D34
  func framing() throws {
    let nodes = try TLSNodes(callee: "DNS:example.com")
    let context = try TLSContext(
      certificate: nil, key: nil, trust: nodes.authority.trust, requiresClientCertificate: false)
    let socket = connectedSocket(nodes.callee.transport.bound)
    let client = try unsafe TLSEnd(
      context, context.makeClient(loop: nodes.loop, socket: socket, domain: "example.com"), on: nodes.loop)
    #expect(nodes.loop.turn { client.isSettled })
    let callee = nodes.callee
    for (count, octet) in tlsRequest(0).utf8.enumerated() {
      client.send([octet])
      if count % 50 == 0 { nodes.loop.turn(waiting: false) }
    }
    #expect(nodes.arrives(1))
    client.send((1...100).flatMap { Array(tlsRequest($0).utf8) })
    #expect(nodes.arrives(101))
    #expect(callee.messages == (0...100).map(tlsRequest))
    // Closing without a close alert is an end of stream.
    client.close(politely: false)
    #expect(nodes.loop.turn { callee.table.count == 0 })
    #expect(callee.counters[.connectionsClosedByPeer] == 1 && callee.counters[.connectionsClosedBroken] == 0)
  }
}
