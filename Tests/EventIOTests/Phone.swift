import SIPSyntax

@testable import EventIO
@testable import ProxyCore

/// A user agent on UDP that a test plays by hand; it never waits.
final class Phone {
  private let socket: UDPTransport
  private let batch = DatagramBatch()

  init() throws { socket = try UDPTransport(binding: loopback4) }

  /// Where it can be reached.
  var address: SocketAddress { socket.bound }

  /// Sends one datagram.
  func send(_ text: String, to remote: SocketAddress) {
    let bytes = Array(text.utf8)
    let flow = Flow(listener: 0, remote: remote, local: address.ip)
    var refused: [RefusedSend] = []
    socket.send(
      [Send(bytes: ByteRange(0, bytes.count), flow: flow)][...], of: bytes, counting: Counters(),
      refused: &refused)
  }

  /// The datagrams that have arrived since the last call, up to one batch.
  var datagrams: [String] {
    guard batch.receive(from: socket.socket) == 0 else { return [] }
    return (0..<batch.count).map { index in
      var bytes: [UInt8] = []
      batch.withDatagram(index) { datagram in bytes = datagram.indices.map { datagram[$0] } }
      return String(decoding: bytes, as: UTF8.self)
    }
  }
}
