import ProxyCore
import SIPSyntax
import Testing
import Timekeeping

@testable import EventIO

@Suite("RFC 3261 §18: first and last octets", .serialized)
struct ConnectionEndTests {
  @Test("octets that arrive together with the connection are read")
  func earlyOctets() throws {
    let bench = try StreamBench()
    let client = bench.connect()
    let listener = StreamListener()
    client.send(streamRequest(to: "sip:b@\(listener.address);transport=tcp").utf8)
    // The kernel has connected both; the loop has yet to hear of it.
    let server = try #require(bench.accept(from: listener))
    #expect(bench.counters[.connectionsEstablished] == 0)
    server.send(bench.ping(7).utf8)
    let arrived = bench.messages(2, at: server)
    #expect(arrived.contains { $0.hasPrefix("MESSAGE ") })
    #expect(arrived.contains { $0.hasPrefix("SIP/2.0 200 ") && $0.contains("call7") })
  }

  @Test("a client that has closed its half gets all that was queued for it")  // D40
  func queuedOutput() throws {
    let bench = try StreamBench()
    let client = bench.connect()
    // Far more than leaves in one turn of the loop.
    let answer = Array("SIP/2.0 200 ".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 200_000)
    bench.connections.whenReadable = { connection in
      _ = connection.readMessages(.max) { _, _ in }
      let isQueued = connection.send(answer.span, ticket: nil)
      #expect(isQueued)
    }
    client.send(bench.ping().utf8)
    client.endOutput()
    #expect(bench.turn { client.hasEnded })
    #expect(client.received.utf8.count == answer.count)
    #expect(bench.counters[.connectionsClosedByPeer] == 1 && bench.connections.count == 0)
  }

  @Test("draining ends once the last answer has left, and the client knows that it was the last")  // B14
  func drainsAnswer() throws {
    let bench = try StreamBench()
    let client = bench.connect()
    let idle = bench.connect()
    client.send(bench.ping().utf8)
    #expect(bench.turn { bench.counters[.requestsReceived] == 1 })
    var isDone = false
    bench.worker.drain { isDone = true }
    // The answer waits for the socket.
    #expect(!isDone && bench.connections.queuedBytes > 0)
    #expect(bench.turn { isDone })
    #expect(client.messages.count == 1 && client.hasEnded && idle.hasEnded)
  }

  @Test("draining waits for the answer of another and for its way to the client")  // B14
  func drainsForwarded() throws {
    let bench = try StreamBench()
    let client = bench.connect()
    let listener = StreamListener()
    client.send(streamRequest(to: "sip:b@\(listener.address);transport=tcp").utf8)
    let server = try #require(bench.accept(from: listener))
    let request = try #require(bench.messages(1, at: server).first)
    var answers: Int?
    bench.worker.drain { answers = client.messages.count }
    #expect(answers == nil)
    server.send(streamResponse(200, to: request).utf8)
    #expect(bench.turn { answers != nil })
    #expect(answers == 1 && client.hasEnded && server.hasEnded)
  }
}

@Suite("Room for connections", .serialized)
struct ConnectionRoomTests {
  @Test("a half-closed connection that is owed its answer makes no room")  // D40, D47
  func halfClosedIsKept() throws {
    let bench = try StreamBench {
      $0.connections = 4
      $0.reclaimableTime = .zero
    }
    let client = bench.connect()
    let listener = StreamListener()
    client.send(streamRequest(to: "sip:b@\(listener.address);transport=tcp").utf8)
    let server = try #require(bench.accept(from: listener))
    let request = try #require(bench.messages(1, at: server).first)
    client.endOutput()
    #expect(bench.turn { bench.counters[.connectionsClosedByPeer] == 1 })
    let next = StreamPeer(connectingTo: bench.address)
    #expect(bench.turn { next.hasEnded })
    #expect(bench.counters[.connectionsRefusedBySourceLimit] == 1)
    server.send(streamResponse(200, to: request).utf8)
    #expect(bench.messages(1, at: client).count == 1)
  }

  @Test("an idle connection is found behind many that were used before it and are needed")  // D47
  func idleBehindBusy() throws {
    let busyCount = 70
    let bench = try StreamBench {
      $0.connections = 4 * (busyCount + 1)
      $0.reclaimableTime = .zero
    }
    let listener = StreamListener()
    let busy = (0..<busyCount).map { number in
      let client = bench.connect()
      client.send(streamRequest(to: "sip:b@\(listener.address);transport=tcp", number: number).utf8)
      return client
    }
    let server = try #require(bench.accept(from: listener))
    #expect(bench.messages(busyCount, at: server).count == busyCount)
    let idle = bench.connect()
    let next = bench.connect()
    #expect(bench.turn { idle.hasEnded })
    #expect(bench.counters[.connectionsClosedReclaimed] == 1)
    #expect(!next.hasEnded && busy.allSatisfy { !$0.hasEnded })
  }

  /// D47, B93.
  @Test("connections that are not there yet take an eighth of all, and others are answered at once")
  func opening() throws {
    let bench = try StreamBench { $0.connections = 12 }
    let client = bench.connect()
    // Bound, but it does not accept: the kernel answers no further connection once one waits.
    let silent = StreamListener(backlog: 0)
    let waiting = StreamPeer(connectingTo: silent.address)
    let listener = StreamListener()
    client.send(streamRequest(to: "sip:b@\(silent.address);transport=tcp", number: 0).utf8)
    #expect(bench.turn { bench.connections.count == 2 })
    client.send(streamRequest(to: "sip:b@\(listener.address);transport=tcp", number: 1).utf8)
    let refusal = try #require(bench.messages(1, at: client).first)
    #expect(refusal.hasPrefix("SIP/2.0 5") && refusal.contains("call1"))
    #expect(bench.counters[.connectionsRefusedByLimit] == 1)
    bench.pass(.seconds(9))
    #expect(bench.messages(2, at: client).count == 2)
    client.send(streamRequest(to: "sip:b@\(listener.address);transport=tcp", number: 2).utf8)
    #expect(bench.accept(from: listener) != nil)
    waiting.close()
  }

  @Test("connections to one address take a quarter of all")  // D47, B93
  func destination() throws {
    let bench = try StreamBench { $0.connections = 8 }
    let client = bench.connect()
    let listeners = (0..<3).map { _ in StreamListener() }
    var servers: [StreamPeer] = []
    for (number, listener) in listeners[..<2].enumerated() {
      client.send(streamRequest(to: "sip:b@\(listener.address);transport=tcp", number: number).utf8)
      let server = try #require(bench.accept(from: listener))
      #expect(bench.messages(1, at: server).count == 1)
      servers.append(server)
    }
    client.send(streamRequest(to: "sip:b@\(listeners[2].address);transport=tcp", number: 2).utf8)
    #expect(try #require(bench.messages(1, at: client).first).hasPrefix("SIP/2.0 5"))
    #expect(bench.counters[.connectionsRefusedBySourceLimit] == 1)
    #expect(servers.allSatisfy { !$0.hasEnded })
  }
}
