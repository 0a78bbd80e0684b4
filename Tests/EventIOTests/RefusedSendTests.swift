import Glibc
import PagedStorage
import SIPSyntax
import Testing
import Timekeeping

@testable import EventIO
@testable import ProxyCore

@Suite("RFC 3263 §4.3: whose fault it is that a request cannot be sent", .serialized)
struct RefusedSendTests {
  private let ticket = SendTicket(branch: SlabID(index: 1, generation: 1))

  /// What a TCP listener with so many connections to give refuses of one request to `remote`.
  private func refusals(_ remote: SocketAddress, adjusting adjust: (inout ConnectionLimits) -> Void) throws
    -> [RefusedSend]
  {
    var limits = ConnectionLimits()
    adjust(&limits)
    let counters = Counters()
    let table = try ConnectionTable(
      loop: EventLoop(), limits: limits, counting: counters, firstGeneration: 7)
    let transport = try StreamTransport(binding: loopback4)
    try transport.start(listener: 0, in: table)
    let bytes = Array(streamRequest(to: "sip:b@\(remote)").utf8)
    let flow = Flow(listener: 0, remote: remote, local: remote.ip)
    var refused: [RefusedSend] = []
    transport.send(
      [Send(bytes: ByteRange(0, bytes.count), flow: flow, ticket: ticket)][...], of: bytes,
      counting: counters, refused: &refused)
    return refused
  }

  @Test("a full table and a full queue are ours")  // D47, B93
  func shortage() throws {
    let listener = StreamListener()
    #expect(try refusals(listener.address) { _ in }.isEmpty)
    #expect(try refusals(listener.address) { $0.connections = 0 }.map(\.isLocal) == [true])
    #expect(try refusals(listener.address) { $0.queueBytes = 10 }.map(\.isLocal) == [true])
  }

  @Test("a place that nothing can be sent to is not")  // B93
  func unreachable() throws {
    #expect(try refusals(loopback4) { _ in }.map(\.isLocal) == [false])
  }

  @Test("a request that no datagram holds says nothing about where it was to go")
  func tooLong() throws {
    let transport = try UDPTransport(binding: loopback4)
    let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 70_000)
    let flow = Flow(listener: 0, remote: transport.bound, local: loopback4.ip)
    var refused: [RefusedSend] = []
    transport.send(
      [Send(bytes: ByteRange(0, bytes.count), flow: flow, ticket: ticket)][...], of: bytes,
      counting: Counters(), refused: &refused)
    #expect(refused.map(\.isLocal) == [true])
  }

  @Test(
    "errors of the system that leave the next hop without blame",
    arguments: [
      (EMFILE, true), (ENFILE, true), (ENOMEM, true), (EADDRNOTAVAIL, true), (ENETUNREACH, false),
      (EHOSTUNREACH, false), (ECONNREFUSED, false), (EPERM, false),
    ])
  func errors(_ errorNumber: Int32, _ isLocal: Bool) {
    #expect((SendRefusal(errorNumber: errorNumber) == .local) == isLocal)
  }
}
