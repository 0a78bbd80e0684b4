internal import CSystemShims
import Glibc
import ProxyCore
public import SIPSyntax

/// One UDP socket: what it is bound to, and how outgoing messages leave by it.
///
/// A wildcard socket asks the kernel which address each datagram was sent to and sends answers from
/// that address. The socket is shared by SO_REUSEPORT so that several workers can have one each; a
/// second *process* is refused because the address is bound once without it first.
public final class UDPTransport {
  /// Bytes asked for as receive buffer; the system may grant less.
  static let receiveBufferSize: Int32 = 8 << 20

  /// Owned: closed in `deinit`.
  let socket: Int32
  /// Address and port bound to; the port is the real one when 0 was asked for.
  public let bound: SocketAddress
  /// Bytes of receive buffer that the system granted.
  public let grantedReceiveBuffer: Int

  /// What the network says about datagrams sent from here.
  let errors: SocketErrorQueue

  private let isWildcard: Bool
  private var departures: [ck_departure] = []

  /// Binds a socket, after making sure that no other process has the address.
  public convenience init(binding address: SocketAddress) throws(EventIOError) {
    try self.init(joining: try UDPTransport.probe(address))
  }

  /// Binds one more socket to an address that another of this process has.
  public init(joining free: SocketAddress) throws(EventIOError) {
    var endpoint = ck_endpoint(free)
    let socket = try EventIOError.check(
      unsafe ck_udp_open(&endpoint, 1, free.ip.isUnspecified ? 1 : 0), "bind", "udp:\(free)")
    self.socket = socket
    errors = SocketErrorQueue(of: socket)
    bound = free
    isWildcard = free.ip.isUnspecified
    grantedReceiveBuffer = Int(ck_set_receive_buffer(socket, UDPTransport.receiveBufferSize))
    departures.reserveCapacity(Int(CK_BATCH))
  }

  deinit { close(socket) }

  /// Binds once without SO_REUSEPORT and lets go again: fails when any socket has the address.
  ///
  /// Returns the address with the port that the kernel chose when 0 was asked for.
  public static func probe(_ address: SocketAddress) throws(EventIOError) -> SocketAddress {
    var endpoint = ck_endpoint(address)
    let socket = try EventIOError.check(unsafe ck_udp_open(&endpoint, 0, 0), "bind", "udp:\(address)")
    defer { close(socket) }
    _ = try EventIOError.check(unsafe ck_socket_name(socket, &endpoint), "name", "udp:\(address)")
    return SocketAddress(ip: address.ip, port: endpoint.port, scope: address.scope)
  }

  /// The flow of a datagram that arrived here.
  func flow(listener: UInt16, remote: SocketAddress, local: IPAddress?) -> Flow {
    Flow(listener: listener, remote: remote, local: local ?? bound.ip)
  }

  /// Sends messages of `bytes` in their order; what cannot leave at once is dropped and counted.
  ///
  /// A socket buffer that is full drops as the network would (SIP repeats over UDP). Any other refusal may be
  /// the news about another destination, which the kernel tells to whoever calls next: the message is sent
  /// once more after the error queue was emptied. A second refusal concerns the message; its ticket goes to
  /// `refused`, and the rest is sent.
  func send(
    _ sends: ArraySlice<Send>, of bytes: [UInt8], counting counters: Counters, refused: inout [RefusedSend]
  ) {
    var next = sends.startIndex
    while next < sends.endIndex {
      departures.removeAll(keepingCapacity: true)
      for send in sends[next..<min(next + Int(CK_BATCH), sends.endIndex)] {
        departures.append(departure(of: send, in: bytes))
      }
      let batch = sends[next..<next + departures.count]
      next += departures.count
      sendBatch(batch, of: bytes, counting: counters, refused: &refused)
    }
  }

  private func sendBatch(
    _ batch: ArraySlice<Send>, of bytes: [UInt8], counting counters: Counters, refused: inout [RefusedSend]
  ) {
    var start = 0
    var repeated = -1
    while start < departures.count {
      let result = unsafe bytes.withUnsafeBufferPointer { bytes in
        unsafe departures.withUnsafeBufferPointer { departures in
          guard let first = departures.baseAddress, let bytes = bytes.baseAddress else { return -EINVAL }
          return unsafe ck_send_batch(
            socket, bytes, first + start, UInt32(clamping: departures.count - start))
        }
      }
      switch result {
      case 1...: start += Int(result)
      case -EINTR: continue
      case -EAGAIN, -ENOBUFS:
        // The buffer is full for all that is left of the batch.
        counters.add(UInt64(departures.count - start), to: .sendBlocked)
        start = departures.count
      default:
        if repeated != start {
          repeated = start
          errors.drain(counting: counters)
          continue
        }
        counters.add(to: .sendErrors)
        if let ticket = batch[batch.startIndex + start].ticket {
          let refusal = SendRefusal(errorNumber: -Int32(result))
          refused.append(RefusedSend(ticket: ticket, isLocal: refusal == .local))
        }
        start += 1
      }
    }
  }

  private func departure(of send: Send, in bytes: [UInt8]) -> ck_departure {
    let local = send.flow.local
    var departure = ck_departure()
    departure.remote = ck_endpoint(send.flow.remote)
    if isWildcard, !local.isUnspecified, local.family == bound.ip.family {
      departure.local = ck_endpoint(local, scope: local.isLinkLocal ? send.flow.remote.scope : 0)
    }
    let end = min(send.bytes.upperBound, bytes.count)
    departure.start = UInt32(clamping: min(send.bytes.lowerBound, end))
    departure.length = UInt32(clamping: end) - departure.start
    return departure
  }
}
