import ProxyCore
import Testing
import Timekeeping

@testable import EventIO

@Suite("G10: handshakes take turns")
struct HandshakeQueueTests {
  @Test("However many wait, a turn of the loop begins two, in their order")
  func turns() throws {
    let loop = try EventLoop()
    let queue = try HandshakeQueue(loop: loop)
    var begun: [Int] = []
    for number in 0..<200 { queue.add { begun.append(number) } }
    var most = 0
    for _ in 0..<400 where begun.count < 200 {
      let before = begun.count
      loop.turn(waiting: true)
      most = max(most, begun.count - before)
    }
    #expect(begun == Array(0..<200) && most == HandshakeQueue.begunAtOnce)
    // It starts again after it was empty, also from within.
    queue.add { queue.add { begun.append(200) } }
    #expect(loop.turn { begun.count == 201 })
  }

  @Test("A caller that is let go before its turn has lost its connection", arguments: [false, true])
  func closedBefore(_ speaks: Bool) throws {
    let nodes = try TLSNodes(callee: "URI:sip:example.com")
    let peer = StreamPeer(connectingTo: nodes.callee.transport.bound)
    #expect(nodes.loop.turn { nodes.callee.table.count == 1 })
    if speaks { peer.send([22]) }
    nodes.callee.table.sweep(at: MonotonicClock.now + .seconds(9))
    #expect(nodes.callee.table.count == 0)
    #expect(nodes.loop.turn { peer.hasEnded })
    #expect(nodes.callee.counters[.connectionsClosedUnestablished] == 1)
  }
}
