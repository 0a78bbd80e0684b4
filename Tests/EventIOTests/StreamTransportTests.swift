import Glibc
import PagedStorage
import SIPSyntax
import Testing
import Timekeeping

@testable import EventIO
@testable import ProxyCore

@Suite("RFC 3261 §18: connections", .serialized)
struct StreamTransportTests {
  /// A call's worth of requests from one client to one server over TCP, all of which the test plays.
  private func forward(
    _ number: Int, _ bench: StreamBench, from client: StreamPeer, to listener: StreamListener
  ) {
    client.send(streamRequest(to: "sip:b@\(listener.address);transport=tcp", number: number).utf8)
  }

  @Test(
    "port 0 binds a free port; an address in use is refused by its name", arguments: [loopback4, loopback6])
  func binds(_ address: SocketAddress) throws {
    let first = try StreamTransport(binding: address)
    #expect(first.bound.ip == address.ip && first.bound.port != 0)
    let error = #expect(throws: EventIOError.self) { _ = try StreamTransport(binding: first.bound) }
    #expect(error?.errorNumber == EADDRINUSE)
    #expect(error?.description == "cannot bind tcp:\(first.bound): Address already in use")
    let wildcard = SocketAddress(ip: IPAddress(v4: 0), port: first.bound.port)
    if address.ip.family == .v4 {
      #expect(throws: EventIOError.self) { _ = try StreamTransport(binding: wildcard) }
    }
  }

  /// D41.
  @Test("requests to one place share one connection, and responses come back on the client's")
  func reuse() throws {
    let bench = try StreamBench()
    let client = bench.connect()
    let listener = StreamListener()
    forward(0, bench, from: client, to: listener)
    let server = try #require(bench.accept(from: listener))
    for number in 1..<5 { forward(number, bench, from: client, to: listener) }
    let requests = bench.messages(5, at: server)
    #expect(requests.count == 5 && listener.accept() == nil)
    for request in requests { server.send(streamResponse(200, to: request).utf8) }
    #expect(bench.messages(5, at: client).allSatisfy { $0.hasPrefix("SIP/2.0 200 ") })
    #expect(bench.counters[.connectionsEstablished] == 1 && bench.counters[.connectionsAccepted] == 1)
    #expect(bench.counters[Gauge.connections] == 2)
  }

  /// D42-D44: without TLS nobody can show that an address is his.
  @Test("a request to the address of a client opens a connection of its own, whatever its Via says")
  func noAlias() throws {
    let bench = try StreamBench()
    let client = bench.connect()
    client.send(bench.ping().replacing(";branch", with: ";alias;branch").utf8)
    #expect(bench.messages(1, at: client).count == 1)
    let caller = bench.connect()
    caller.send(streamRequest(to: "sip:b@127.0.0.1:\(client.port);transport=tcp").utf8)
    #expect(try #require(bench.messages(1, at: caller).first).hasPrefix("SIP/2.0 5"))
    #expect(client.messages.count == 1)
    #expect(bench.counters[.connectionsFailed] == 1)
  }

  @Test("after the other side has closed, the next request opens a new connection")  // D41, D45
  func reopens() throws {
    let bench = try StreamBench()
    let client = bench.connect()
    let listener = StreamListener()
    for number in 0..<2 {
      forward(number, bench, from: client, to: listener)
      let server = try #require(bench.accept(from: listener))
      let request = try #require(bench.messages(1, at: server).first)
      server.send(streamResponse(200, to: request).utf8)
      #expect(bench.messages(number + 1, at: client).count == number + 1)
      server.close()
      #expect(bench.turn { bench.connections.count == 1 })
    }
    #expect(bench.counters[.connectionsEstablished] == 2 && bench.counters[.connectionsClosedByPeer] == 2)
  }

  @Test("a connection that is refused answers the client at once")  // B93, C25
  func refused() throws {
    let bench = try StreamBench()
    let client = bench.connect()
    let nobody: SocketAddress
    do { nobody = StreamListener().address }
    client.send(streamRequest(to: "sip:b@\(nobody);transport=tcp").utf8)
    let answer = try #require(bench.messages(1, at: client).first)
    #expect(answer.hasPrefix("SIP/2.0 5"))
    #expect(bench.counters[.connectionsFailed] == 1 && bench.connections.count == 1)
  }

  @Test("a connection that is not there in time answers the client")  // D55
  func neverEstablished() throws {
    let bench = try StreamBench()
    let client = bench.connect()
    // Bound, but it does not accept: the kernel answers no further connection once one waits.
    let listener = StreamListener(backlog: 0)
    let waiting = StreamPeer(connectingTo: listener.address)
    forward(0, bench, from: client, to: listener)
    #expect(bench.turn { bench.connections.count == 2 })
    bench.pass(.seconds(9))
    #expect(try #require(bench.messages(1, at: client).first).hasPrefix("SIP/2.0 5"))
    #expect(bench.counters[.connectionsFailed] == 1)
    waiting.close()
  }

  /// B93.
  @Test("a connection that breaks or ends before the response answers the client", arguments: [false, true])
  func serverLost(_ resetting: Bool) throws {
    let bench = try StreamBench()
    let client = bench.connect()
    let listener = StreamListener()
    forward(0, bench, from: client, to: listener)
    let server = try #require(bench.accept(from: listener))
    #expect(bench.messages(1, at: server).count == 1)
    server.close(resetting: resetting)
    #expect(try #require(bench.messages(1, at: client).first).hasPrefix("SIP/2.0 5"))
    #expect(
      bench.counters[resetting ? Counter.connectionsClosedBroken : .connectionsClosedByPeer] == 1)
  }

  @Test("a client that has closed its half gets its response, and then the connection ends")  // D40
  func halfClosed() throws {
    let bench = try StreamBench()
    let client = bench.connect()
    let listener = StreamListener()
    forward(0, bench, from: client, to: listener)
    let server = try #require(bench.accept(from: listener))
    let request = try #require(bench.messages(1, at: server).first)
    client.endOutput()
    #expect(bench.turn { bench.counters[.connectionsClosedByPeer] == 1 })
    #expect(!client.hasEnded)
    server.send(streamResponse(200, to: request).utf8)
    #expect(bench.turn { client.hasEnded })
    #expect(client.messages.count == 1)
    #expect(bench.connections.count == 1)
  }

  @Test("a half-closed connection whose response does not come ends after 32 seconds")
  func halfClosedForLong() throws {
    let bench = try StreamBench()
    let client = bench.connect()
    let listener = StreamListener()
    forward(0, bench, from: client, to: listener)
    #expect(bench.accept(from: listener) != nil)
    client.endOutput()
    #expect(bench.turn { bench.counters[.connectionsClosedByPeer] > 0 })
    bench.pass(.seconds(33))
    #expect(bench.turn { client.hasEnded })
  }

  @Test(
    "a client that is gone when its response comes costs nothing but the response", arguments: [false, true])
  func clientLost(_ resetting: Bool) throws {
    let bench = try StreamBench()
    let client = bench.connect()
    let listener = StreamListener()
    forward(0, bench, from: client, to: listener)
    let server = try #require(bench.accept(from: listener))
    let request = try #require(bench.messages(1, at: server).first)
    client.close(resetting: resetting)
    server.send(streamResponse(200, to: request).utf8)
    // What is left is the server's connection, and the proxy serves on.
    #expect(bench.turn { bench.counters[.responsesForwarded] == 1 && bench.connections.count == 1 })
    let next = bench.connect()
    next.send(bench.ping().utf8)
    #expect(bench.messages(1, at: next).count == 1)
  }

  @Test("a write queue that is full refuses what does not fit, and counts it")  // B94
  func queueLimit() throws {
    let bench = try StreamBench { $0.queueBytes = 100 }
    let client = bench.connect()
    client.send(bench.ping().utf8)
    #expect(bench.turn { bench.counters[.sendBlocked] == 1 })
    #expect(client.received.isEmpty)
  }
}

@Suite("Limits of connections", .serialized)
struct ConnectionLimitTests {
  @Test("beyond the limit connections are refused while all others are in use")  // D47
  func total() throws {
    let bench = try StreamBench { $0.connections = 8 }
    let peers = (0..<2).map { _ in bench.connect() }
    #expect(bench.connections.count == 2)
    // A quarter of the total is what one source may have.
    let third = StreamPeer(connectingTo: bench.address)
    #expect(bench.turn { third.hasEnded })
    #expect(bench.counters[.connectionsRefusedBySourceLimit] == 1)
    #expect(peers.allSatisfy { !$0.hasEnded })
  }

  @Test("the longest unused connection makes room once it is idle for 32 seconds")  // D40, D47
  func reclaims() throws {
    let bench = try StreamBench {
      $0.connections = 8
      $0.reclaimableTime = .zero
    }
    let first = bench.connect()
    let second = bench.connect()
    first.send(bench.ping().utf8)
    #expect(bench.messages(1, at: first).count == 1)
    let third = bench.connect()
    #expect(bench.turn { second.hasEnded })
    #expect(bench.counters[.connectionsClosedReclaimed] == 1)
    #expect(!first.hasEnded && !third.hasEnded && bench.connections.count == 2)
  }

  @Test("without room for one of ours the request is answered")  // D47, B93
  func oursRefused() throws {
    let bench = try StreamBench { $0.connections = 1 }
    let client = bench.connect()
    let listener = StreamListener()
    client.send(streamRequest(to: "sip:b@\(listener.address);transport=tcp").utf8)
    #expect(try #require(bench.messages(1, at: client).first).hasPrefix("SIP/2.0 5"))
    #expect(bench.counters[.connectionsRefusedByLimit] == 1)
  }

  @Test("an idle connection is closed after a day, not before")  // D40
  func idle() throws {
    let bench = try StreamBench()
    let peer = bench.connect()
    bench.pass(.seconds(86_399))
    #expect(!peer.hasEnded)
    bench.pass(.seconds(86_400))
    #expect(bench.turn { peer.hasEnded })
    #expect(bench.counters[.connectionsClosedIdle] == 1 && bench.connections.count == 0)
  }

  @Test("the last 256 requests of a connection are remembered")
  func tickets() {
    var ring = TicketRing()
    for number in 0..<300 { ring.append(SendTicket(branch: SlabID(index: UInt32(number), generation: 1))) }
    let kept = Set(ring.takeAll().map(\.branch.index))
    #expect(kept == Set(44..<300))
    #expect(ring.takeAll().isEmpty)
  }

  @Test("slots are listed in the order of their last use")
  func recency() {
    var list = RecencyList()
    for slot in 0..<5 { list.append(slot) }
    list.touch(0)
    list.touch(4)
    list.remove(2)
    #expect(list.oldest(10) == [1, 3, 0, 4])
    for slot in [1, 4, 0, 3] { list.remove(slot) }
    #expect(list.oldest(10).isEmpty)
    list.append(2)
    #expect(list.oldest(1) == [2])
  }
}
