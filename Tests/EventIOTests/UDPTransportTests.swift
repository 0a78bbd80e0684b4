import Glibc
import SIPSyntax
import Testing

@testable import EventIO
@testable import ProxyCore

@Suite("UDP sockets")
struct UDPTransportTests {
  /// Sends `payloads` from one transport to another address.
  private func send(
    _ payloads: [[UInt8]], over transport: UDPTransport, to remote: SocketAddress,
    local: IPAddress? = nil, counting counters: Counters = Counters()
  ) {
    var bytes: [UInt8] = []
    var sends: [Send] = []
    for payload in payloads {
      let range = ByteRange(bytes.count, bytes.count + payload.count)
      bytes += payload
      sends.append(
        Send(bytes: range, flow: Flow(listener: 0, remote: remote, local: local ?? transport.bound.ip)))
    }
    var refused: [RefusedSend] = []
    transport.send(sends[...], of: bytes, counting: counters, refused: &refused)
  }

  /// Reads batches until `count` datagrams are there; loopback delivers before the send returns.
  private func receive(
    _ count: Int, from transport: UDPTransport
  ) -> [(bytes: [UInt8], remote: SocketAddress, local: IPAddress?)] {
    let batch = DatagramBatch()
    var found: [(bytes: [UInt8], remote: SocketAddress, local: IPAddress?)] = []
    for _ in 0..<1_000 where found.count < count {
      if batch.receive(from: transport.socket) != 0 { continue }
      for index in 0..<batch.count {
        let (remote, local) = batch.addresses(of: index)
        var bytes: [UInt8] = []
        batch.withDatagram(index) { datagram in
          for position in datagram.indices { bytes.append(datagram[position]) }
        }
        found.append((bytes, remote, local))
      }
    }
    return found
  }

  @Test("Port 0 binds a free port and names it", arguments: [loopback4, loopback6])
  func bindsFreePort(_ address: SocketAddress) throws {
    let transport = try UDPTransport(binding: address)
    #expect(transport.bound.ip == address.ip)
    #expect(transport.bound.port != 0)
    #expect(transport.grantedReceiveBuffer > 0)
  }

  @Test("An address in use is refused, and the refusal names it", arguments: [loopback4, loopback6])
  func refusesSecond(_ address: SocketAddress) throws {
    let first = try UDPTransport(binding: address)
    let error = #expect(throws: EventIOError.self) { _ = try UDPTransport(binding: first.bound) }
    #expect(error?.errorNumber == EADDRINUSE)
    #expect(error?.description == "cannot bind udp:\(first.bound): Address already in use")
  }

  @Test("A wildcard socket refuses an address that one of its own addresses has")
  func refusesWildcard() throws {
    let first = try UDPTransport(binding: loopback4)
    let wildcard = SocketAddress(ip: IPAddress(v4: 0), port: first.bound.port)
    #expect(throws: EventIOError.self) { _ = try UDPTransport(binding: wildcard) }
  }

  @Test("An address that is not ours is refused")
  func refusesForeignAddress() throws {
    let foreign = try #require(SocketAddress("192.0.2.77:5060"))
    let error = #expect(throws: EventIOError.self) { _ = try UDPTransport(binding: foreign) }
    #expect(error?.errorNumber == EADDRNOTAVAIL)
  }

  @Test("Datagrams arrive whole, in order and with their sender", arguments: [loopback4, loopback6])
  func carries(_ address: SocketAddress) throws {
    let left = try UDPTransport(binding: address)
    let right = try UDPTransport(binding: address)
    // More than one batch, lengths from nothing to the longest that IPv4 carries.
    let payloads = (0..<150).map { [UInt8](repeating: UInt8($0), count: $0) }
    send(payloads, over: left, to: right.bound)
    let found = receive(150, from: right)
    #expect(found.map(\.bytes) == payloads)
    #expect(found.allSatisfy { $0.remote == left.bound })

    let longest = [UInt8](repeating: 7, count: 65_507)
    send([longest], over: left, to: right.bound)
    #expect(receive(1, from: right).first?.bytes == longest)
  }

  @Test("A wildcard socket answers from the address a request came to")
  func answersFromSameAddress() throws {
    let proxy = try UDPTransport(binding: SocketAddress(ip: IPAddress(v4: 0), port: 0))
    let phone = try UDPTransport(binding: loopback4)
    for ours in [IPAddress(v4: 0x7F00_0001), IPAddress(v4: 0x7F00_0002), IPAddress(v4: 0x7F01_0203)] {
      send([[1]], over: phone, to: SocketAddress(ip: ours, port: proxy.bound.port))
      let request = try #require(receive(1, from: proxy).first)
      #expect(request.local == ours)
      send([[2]], over: proxy, to: request.remote, local: request.local)
      let answer = try #require(receive(1, from: phone).first)
      #expect(answer.remote == SocketAddress(ip: ours, port: proxy.bound.port))
    }
  }

  @Test("The same over IPv6")
  func answersFromSameAddress6() throws {
    let proxy = try UDPTransport(binding: SocketAddress(ip: IPAddress(v6High: 0, v6Low: 0), port: 0))
    let phone = try UDPTransport(binding: loopback6)
    send([[1]], over: phone, to: SocketAddress(ip: loopback6.ip, port: proxy.bound.port))
    let request = try #require(receive(1, from: proxy).first)
    #expect(request.local == loopback6.ip)
    send([[2]], over: proxy, to: request.remote, local: request.local)
    #expect(receive(1, from: phone).first?.remote.ip == loopback6.ip)
  }

  @Test("IPv4 and IPv6 wildcards can have the same port")
  func bothFamilies() throws {
    let first = try UDPTransport(binding: SocketAddress(ip: IPAddress(v6High: 0, v6Low: 0), port: 0))
    _ = try UDPTransport(binding: SocketAddress(ip: IPAddress(v4: 0), port: first.bound.port))
  }

  @Test("What cannot be sent is counted, and what stands behind it is sent")
  func countsErrors() throws {
    let left = try UDPTransport(binding: loopback4)
    let right = try UDPTransport(binding: loopback4)
    let counters = Counters()
    let tooLong = [UInt8](repeating: 0, count: 65_508)
    send([[1], tooLong, [2], tooLong, [3]], over: left, to: right.bound, counting: counters)
    #expect(counters[.sendErrors] == 2)
    #expect(receive(3, from: right).map(\.bytes) == [[1], [2], [3]])

    send([[4]], over: left, to: loopback6, counting: counters)
    #expect(counters[.sendErrors] == 3)
    #expect(counters[.sendBlocked] == 0)
  }
}
