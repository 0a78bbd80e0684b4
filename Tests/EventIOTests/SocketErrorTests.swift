import Glibc
import SIPSyntax
import Testing

@testable import EventIO
@testable import ProxyCore

/// A loopback address with a port that nobody has.
private func closedPort(_ address: SocketAddress) throws -> SocketAddress {
  try UDPTransport(binding: address).bound
}

private func send(_ payloads: [([UInt8], SocketAddress)], over transport: UDPTransport, _ counters: Counters)
{
  var bytes: [UInt8] = []
  var sends: [Send] = []
  for (payload, remote) in payloads {
    sends.append(
      Send(
        bytes: ByteRange(bytes.count, bytes.count + payload.count),
        flow: Flow(listener: 0, remote: remote, local: transport.bound.ip)))
    bytes += payload
  }
  var refused: [RefusedSend] = []
  transport.send(sends[...], of: bytes, counting: counters, refused: &refused)
}

/// The datagrams waiting at a socket, lengths only.
private func lengths(at transport: UDPTransport) -> [Int] {
  let batch = DatagramBatch()
  guard batch.receive(from: transport.socket) == 0 else { return [] }
  return (0..<batch.count).map { index in
    var length = 0
    batch.withDatagram(index) { length = $0.count }
    return length
  }
}

@Suite("RFC 3261 §18.4: errors of the network", .serialized)
struct SocketErrorTests {
  /// D24: the kernel answers for a closed port of this host before the system call returns.
  @Test("A closed port is reported with the start of the datagram", arguments: [loopback4, loopback6])
  func closed(_ address: SocketAddress) throws {
    let transport = try UDPTransport(binding: address)
    let counters = Counters()
    let payload = (0..<400).map { UInt8($0 & 0xFF) }
    send([(payload, try closedPort(address))], over: transport, counters)
    #expect(transport.errors.drain(counting: counters))
    let quoted = try #require(transport.errors.takeQuotations().first)
    // IPv4 hosts quote 576 octets in all, IPv6 hosts 1,280.
    #expect(quoted.count >= 400 && quoted.prefix(400) == payload[...])
    #expect(counters[.icmpFailuresReceived] == 1 && counters[.icmpErrorsIgnored] == 0)
    #expect(!transport.errors.hasQuotations && !transport.errors.drain(counting: counters))
    #expect(counters[.sendErrors] == 0)
  }

  /// D24: the error of the first is told to the second, which is sent again.
  @Test("News about one destination does not keep a message from another", arguments: [loopback4, loopback6])
  func otherDestination(_ address: SocketAddress) throws {
    let transport = try UDPTransport(binding: address)
    let open = try UDPTransport(binding: address)
    let nobody = try closedPort(address)
    let counters = Counters()
    send(
      [([1], nobody), ([1, 2], open.bound), ([3], nobody), ([1, 2, 3], open.bound), ([4], nobody)],
      over: transport, counters)
    send([([1, 2, 3, 4], open.bound)], over: transport, counters)
    #expect(lengths(at: open) == [2, 3, 4])
    transport.errors.drain(counting: counters)
    #expect(counters[.icmpFailuresReceived] == 3 && counters[.sendErrors] == 0)
    #expect(transport.errors.takeQuotations().count == 3)
  }

  /// D24: more errors than one system call takes.
  @Test("Many errors are taken until none is left")
  func many() throws {
    let transport = try UDPTransport(binding: loopback4)
    let nobody = try closedPort(loopback4)
    let counters = Counters()
    for index in 0..<40 { send([([UInt8(index)], nobody)], over: transport, counters) }
    transport.errors.drain(counting: counters)
    #expect(transport.errors.takeQuotations() == (0..<40).map { [UInt8($0)] })
  }

  static let meanings: [(isIPv6: Bool, type: UInt8, code: UInt8, meaning: SocketErrorQueue.Meaning)] = [
    // Net, host, protocol, port unreachable; prohibited by an administrator.
    (false, 3, 0, .failure), (false, 3, 1, .failure), (false, 3, 2, .failure), (false, 3, 3, .failure),
    (false, 3, 13, .failure), (false, 12, 0, .failure),
    // Too big, source quench, time to live exceeded, and what no error is.
    (false, 3, 4, .ignored), (false, 4, 0, .ignored), (false, 11, 0, .ignored), (false, 5, 1, .ignored),
    (true, 1, 0, .failure), (true, 1, 3, .failure), (true, 1, 4, .failure), (true, 4, 1, .failure),
    (true, 2, 0, .ignored), (true, 3, 0, .ignored), (true, 12, 0, .ignored), (true, 128, 0, .ignored),
  ]

  /// D24.
  @Test("Unreachable and parameter problem are failures, all else is ignored", arguments: meanings)
  func meaning(
    _ row: (isIPv6: Bool, type: UInt8, code: UInt8, meaning: SocketErrorQueue.Meaning)
  ) {
    #expect(SocketErrorQueue.meaning(ofType: row.type, code: row.code, isIPv6: row.isIPv6) == row.meaning)
  }
}
