import SIPSyntax
import Testing
import Timekeeping

@testable import EventIO
@testable import ProxyCore

@Suite("RFC 3261 §18.3: messages over TCP", .serialized)
struct StreamFramingTests {
  /// What a proxy of its own says to `count` requests that arrive in the reads that `cut` makes of them.
  private func answers(
    to count: Int, at address: SocketAddress = loopback4,
    cut: ([[UInt8]]) -> [(octets: [UInt8], isPartial: Bool)]
  ) throws -> [String] {
    let bench = try StreamBench(address)
    let peer = bench.connect()
    let requests = (0..<count).map { Array(bench.ping($0, body: "\r\n\r\n").utf8) }
    for (octets, isPartial) in cut(requests) {
      peer.send(octets)
      // The rest is sent when these octets have been read, so that no read has both.
      if isPartial { #expect(bench.turn { bench.counters[.partialMessageBytes] == octets.count }) }
    }
    let found = bench.messages(count, at: peer)
    #expect(found.count == count && found.allSatisfy { $0.hasPrefix("SIP/2.0 200 ") })
    #expect(bench.counters[.partialMessageBytes] == 0 && bench.counters[.connectionsClosedFramingLost] == 0)
    return found
  }

  /// D34.
  @Test("a request gets the same answer wherever the network cuts it")
  func everySplit() throws {
    let count = try StreamBench().ping(body: "\r\n\r\n").utf8.count
    let whole = try answers(to: count) { requests in requests.map { ($0, false) } }
    let cut = try answers(to: count) { requests in
      requests.enumerated().flatMap { index, octets in
        index == 0 ? [(octets, false)] : [(Array(octets[..<index]), true), (Array(octets[index...]), false)]
      }
    }
    #expect(cut == whole)
  }

  /// D34.
  @Test(
    "a hundred requests in one segment get the same answers as one by one", arguments: [loopback4, loopback6])
  func oneSegment(_ address: SocketAddress) throws {
    let single = try answers(to: 100, at: address) { requests in requests.map { ($0, false) } }
    let together = try answers(to: 100, at: address) { requests in [(Array(requests.joined()), false)] }
    #expect(together == single)
  }

  @Test("double CRLF between messages is answered by CRLF, inside a message and alone it is not")
  func pings() throws {
    let bench = try StreamBench()
    let peer = bench.connect()
    peer.send("\r\n\r\n".utf8)
    #expect(bench.turn { peer.received == "\r\n" })
    peer.send("\r\n\r\n\r\n\r\n".utf8)
    #expect(bench.turn { peer.received == "\r\n\r\n\r\n" })
    // One more CRLF, then a message that holds two of them.
    peer.send(("\r\n" + bench.ping(body: "\r\n\r\n")).utf8)
    #expect(bench.turn { peer.received.hasSuffix("\r\n\r\n") && peer.received.count > 100 })
    #expect(peer.received.hasPrefix("\r\n\r\n\r\nSIP/2.0 200 "))
    #expect(bench.counters[.pingsAnswered] == 3)
  }

  @Test(
    "what cannot be framed is answered, and the connection closed behind the answer",  // D31, D32, D35, E43
    arguments: [
      ("Subject: none", "400 Missing Content-Length", Counter.connectionsClosedFramingLost),
      ("Content-Length: -1", "400 Malformed Content-Length", .connectionsClosedFramingLost),
      ("Content-Length: 0\r\nl: 0", "400 Repeated Content-Length", .connectionsClosedFramingLost),
      ("Content-Length: 0\r\nSubject: a\nb: c", "400 Bare Line Feed", .connectionsClosedFramingLost),
      ("Content-Length: 300000", "413 Request Entity Too Large", .connectionsClosedBodyTooLarge),
      ("X: \(String(repeating: "x", count: 66_000))", "400 ", .connectionsClosedHeaderTooLarge),
    ])
  func framingLost(_ row: String, _ status: String, _ counter: Counter) throws {
    let bench = try StreamBench()
    let peer = bench.connect()
    peer.send((bench.ping(length: row) + bench.ping(1)).utf8)
    #expect(bench.turn { peer.hasEnded })
    #expect(peer.received.hasPrefix("SIP/2.0 \(status)"))
    #expect(peer.messages.count == 1)
    #expect(bench.counters[counter] == 1)
    peer.close()
    #expect(bench.turn { bench.connections.count == 0 })
  }

  @Test("a message that is not complete in time is given up")  // D35
  func slowSender() throws {
    let bench = try StreamBench()
    let peer = bench.connect()
    peer.send(bench.ping(body: "abcdef").dropLast().utf8)
    #expect(bench.turn { bench.counters[.partialMessageBytes] > 0 })
    bench.pass(.seconds(31))
    #expect(bench.counters[.connectionsClosedTooSlow] == 0)
    bench.pass(.seconds(32))
    #expect(bench.counters[.connectionsClosedTooSlow] == 1)
    #expect(bench.turn { peer.hasEnded })
    #expect(peer.received.hasPrefix("SIP/2.0 400 "))
    #expect(bench.counters[.partialMessageBytes] == 0)
  }

  @Test("octets that come one by one do not move the time limit of their message")  // D35
  func drippingSender() throws {
    let bench = try StreamBench()
    let peer = bench.connect()
    peer.send(bench.ping(1).utf8)
    #expect(bench.messages(1, at: peer).count == 1)
    var begun = MonotonicInstant.distantFuture
    for (index, octet) in bench.ping().utf8.prefix(20).enumerated() {
      peer.send([octet])
      #expect(bench.turn { bench.counters[.partialMessageBytes] == index + 1 })
      if index == 0 { begun = MonotonicClock.now }
    }
    bench.connections.sweep(at: begun + .seconds(32))
    bench.connections.whenChanged()
    #expect(bench.counters[.connectionsClosedTooSlow] == 1)
  }

  @Test("when incomplete messages are too many octets, the longest goes")  // D35
  func partialMemory() throws {
    let bench = try StreamBench { $0.partialBytes = 150 }
    let first = bench.connect()
    let second = bench.connect()
    first.send(bench.ping().utf8.prefix(120))
    #expect(bench.turn { bench.counters[.partialMessageBytes] == 120 })
    second.send(bench.ping().utf8.prefix(100))
    #expect(bench.turn { bench.counters[.connectionsClosedPartialMemory] == 1 && first.hasEnded })
    second.send(bench.ping().utf8.dropFirst(100))
    #expect(bench.messages(1, at: second).count == 1)
  }
}
