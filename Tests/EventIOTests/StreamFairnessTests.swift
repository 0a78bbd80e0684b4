import SIPSyntax
import Testing
import Timekeeping

@testable import EventIO
@testable import ProxyCore

@Suite("G10: connections do not hold up datagrams and timers", .serialized)
struct StreamFairnessTests {
  /// Several times what libevent reads of a connection in one turn.
  private static let burst = 100

  /// Many requests that the proxy answers itself, numbered from `first` on.
  private func requests(_ bench: StreamBench, from first: Int = 0) -> [UInt8] {
    (first..<first + Self.burst).flatMap { Array(bench.ping($0).utf8) }
  }

  /// The same request as a phone sends it.
  private func datagram(_ request: String, from phone: Phone) -> String {
    request.replacing("SIP/2.0/TCP 127.0.0.1:5060", with: "SIP/2.0/UDP \(phone.address)")
  }

  /// Waits for a datagram.
  private func arrival(_ bench: StreamBench, at phone: Phone) throws -> String {
    var arrived: String?
    _ = bench.turn {
      arrived = phone.datagrams.first
      return arrived != nil
    }
    return try #require(arrived)
  }

  @Test("a datagram is answered before one turn has been through all connections with many messages")
  func datagramInBetween() throws {
    let bench = try StreamBench()
    let peers = (0..<16).map { _ in bench.connect() }
    let phone = try Phone()
    for (index, peer) in peers.enumerated() { peer.send(requests(bench, from: index * Self.burst)) }
    // Requests that had been served when the datagram came, and when its answer was there.
    var sentAt: UInt64?
    var answeredAt: UInt64?
    let read = bench.connections.whenReadable
    bench.connections.whenReadable = { [unowned bench] connection in
      if sentAt == nil {
        sentAt = bench.counters[.requestsReceived]
        phone.send(datagram(bench.ping(9_999), from: phone), to: bench.datagramAddress)
      }
      read(connection)
      if answeredAt == nil, !phone.datagrams.isEmpty { answeredAt = bench.counters[.requestsReceived] }
    }
    for peer in peers { #expect(bench.messages(Self.burst, at: peer).count == Self.burst) }
    let (sent, answered) = (try #require(sentAt), try #require(answeredAt))
    // One turn reads more than ten messages of each.
    #expect(sent == 0 && answered <= UInt64(2 * Worker.streamWorkAtOnce))
  }

  @Test("every message is served once and in its order, however many turns it takes")
  func order() throws {
    let bench = try StreamBench()
    let peers = (0..<3).map { _ in bench.connect() }
    let firsts = peers.indices.map { $0 * Self.burst }
    for (peer, first) in zip(peers, firsts) { peer.send(requests(bench, from: first)) }
    for (peer, first) in zip(peers, firsts) {
      let found = bench.messages(Self.burst, at: peer)
      #expect(found.indices.allSatisfy { found[$0].contains("Call-ID: call\(first + $0)\r\n") })
      #expect(found.count == Self.burst)
    }
    #expect(bench.counters[.requestsReceived] == UInt64(3 * Self.burst))
    #expect(bench.counters[.partialMessageBytes] == 0)
  }

  @Test("a client that sends everything and closes its half gets every answer")
  func halfClose() throws {
    let bench = try StreamBench()
    let peer = bench.connect()
    peer.send(requests(bench))
    peer.endOutput()
    #expect(bench.turn { peer.hasEnded })
    #expect(peer.messages.count == Self.burst && bench.connections.count == 0)
  }

  @Test("a connection that is closed while its messages are read does no harm")
  func closedWhileRead() throws {
    let bench = try StreamBench()
    let peer = bench.connect()
    let read = bench.connections.whenReadable
    bench.connections.whenReadable = { connection in
      // As when another makes it give up its place in between.
      #expect(connection.readMessages(10) { _, _ in } == 10)
      connection.close(because: .reclaimed)
      #expect(connection.readMessages(10) { _, _ in } == 0)
      read(connection)
    }
    peer.send(requests(bench))
    #expect(bench.turn { peer.hasEnded })
    #expect(bench.counters[.connectionsClosedReclaimed] == 1 && bench.connections.count == 0)
    #expect(bench.counters[.partialMessageBytes] == 0)
  }

  /// D35: the time runs for what the peer has not sent, not for what we have not read.
  @Test("messages that wait for their turn are not incomplete ones")
  func waitingIsNotPartial() throws {
    let bench = try StreamBench()
    let peer = bench.connect()
    var isChecked = false
    bench.connections.whenReadable = { connection in
      while connection.readMessages(10, { _, _ in }) == 10 {
        connection.advance(to: MonotonicClock.now + .seconds(60))
        isChecked = true
      }
    }
    peer.send(requests(bench))
    #expect(bench.turn { isChecked })
    #expect(bench.connections.count == 1 && bench.counters[.connectionsClosedTooSlow] == 0)
  }

  @Test("draining is not over while messages that have arrived wait for their turn")  // B14
  func draining() throws {
    let bench = try StreamBench()
    let (phone, callee) = (try Phone(), try Phone())
    let peer = bench.connect()
    phone.send(
      datagram(streamRequest(to: "sip:b@\(callee.address)", number: 9_999), from: phone),
      to: bench.datagramAddress)
    let forwarded = try arrival(bench, at: callee)
    var doneAt: UInt64?
    bench.worker.drain { [unowned bench] in doneAt = bench.counters[.droppedUnanswerable] }
    #expect(doneAt == nil)
    // The last open transaction ends between the messages of one read.
    let read = bench.connections.whenReadable
    bench.connections.whenReadable = { [unowned bench] connection in
      callee.send(streamResponse(200, to: forwarded), to: bench.datagramAddress)
      read(connection)
    }
    // Small enough to come in one read, and answered by nothing that would have to leave first.
    let count = 2 * Worker.streamWorkAtOnce
    let nonsense = "A b SIP/2.0\r\nl:0\r\n\r\n"
    peer.send(String(repeating: nonsense, count: count).utf8)
    #expect(bench.turn { doneAt != nil })
    #expect(bench.counters[.responsesReceived] == 1)
    #expect(doneAt == UInt64(count))
  }

  @Test("the core's timers fire in between")  // C26
  func timerInBetween() throws {
    let bench = try StreamBench()
    let (phone, callee) = (try Phone(), try Phone())
    let contact = "\r\nContact: <sip:a@\(phone.address)>\r\nContent-Length"
    let invite = streamRequest("INVITE", to: "sip:b@\(callee.address)")
      .replacing("\r\nContent-Length", with: contact)
    phone.send(datagram(invite, from: phone), to: bench.datagramAddress)
    #expect(try arrival(bench, at: callee).hasPrefix("INVITE "))
    bench.worker.serveOthers(at: MonotonicClock.now + .milliseconds(200))
    #expect(phone.datagrams.contains { $0.hasPrefix("SIP/2.0 100 ") })
  }
}
