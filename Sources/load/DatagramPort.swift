internal import CSystemShims
import EventIO
import Glibc
import SIPSyntax
import Timekeeping

/// A UDP socket of the generator: reads in batches, collects what is sent and lets it leave in batches.
final class DatagramPort {
  /// Batches read at a time, before other sockets and the clock have their turn: more than a turn can cause answers,
  /// so that what arrives never waits for what is sent.
  private static let readLimit = 16
  private static let receiveBufferSize: Int32 = 16 << 20

  /// Where it is bound.
  let address: SocketAddress
  /// Datagrams that the kernel would not take; they count as lost on the way.
  private(set) var unsent = 0
  /// Errors that came back instead of an answer: nobody listens there.
  private(set) var refused = 0

  /// Owned: closed in `deinit`.
  private let socket: Int32
  private let inbox: DatagramBatch
  private var outgoing = OutputBuffer(capacity: Int(CK_BATCH) * 1_024)
  private var departures: [ck_departure] = []
  private var event: LoopEvent?

  /// Binds a socket; port 0 is any free one. Ports may share the memory they read into.
  init(binding wanted: SocketAddress, inbox: DatagramBatch) throws(EventIOError) {
    var endpoint = ck_endpoint(wanted)
    let socket = unsafe ck_udp_open(&endpoint, 0, 0)
    guard socket >= 0 else {
      throw EventIOError(operation: "bind", errorNumber: -socket, address: "udp:\(wanted)")
    }
    _ = unsafe ck_socket_name(socket, &endpoint)
    _ = ck_set_receive_buffer(socket, DatagramPort.receiveBufferSize)
    self.socket = socket
    self.inbox = inbox
    address = SocketAddress(ip: wanted.ip, port: endpoint.port, scope: wanted.scope)
    departures.reserveCapacity(Int(CK_BATCH))
  }

  deinit { close(socket) }

  /// Calls `ready` whenever there is something to read.
  func whenReadable(on loop: EventLoop, _ ready: @escaping () -> Void) throws(EventIOError) {
    event = try loop.whenReadable(socket, ready)
  }

  /// Reads what is there, in order; `body` gets the bytes, their sender, and the time they were read.
  func receive(_ body: (Span<UInt8>, SocketAddress, MonotonicInstant) -> Void) {
    for _ in 0..<DatagramPort.readLimit {
      let result = inbox.receive(from: socket)
      if result != 0 {
        if result != EAGAIN { drainErrors() }
        return
      }
      let now = MonotonicClock.now
      for index in 0..<inbox.count {
        let sender = inbox.addresses(of: index).remote
        inbox.withDatagram(index) { body($0, sender, now) }
      }
      if inbox.count < Int(CK_BATCH) { return }
    }
  }

  /// Collects a message that `write` appends; it leaves with the next ``flush()``.
  func send(to destination: SocketAddress, _ write: (inout OutputBuffer) -> Void) {
    if departures.count == Int(CK_BATCH) { flush() }
    let start = outgoing.count
    write(&outgoing)
    var departure = ck_departure()
    departure.remote = ck_endpoint(destination)
    departure.start = UInt32(clamping: start)
    departure.length = UInt32(clamping: outgoing.count - start)
    departures.append(departure)
  }

  /// Sends what was collected, in its order.
  func flush() {
    var next = 0
    var isSecondTry = false
    while next < departures.count {
      let sent = unsafe outgoing.bytes.withUnsafeBufferPointer { bytes in
        unsafe departures.withUnsafeBufferPointer { departures in
          guard let bytes = bytes.baseAddress, let first = departures.baseAddress else {
            return Int32(-EINVAL)
          }
          return unsafe ck_send_batch(socket, bytes, first + next, UInt32(departures.count - next))
        }
      }
      if sent > 0 {
        next += Int(sent)
        isSecondTry = false
      } else if sent == -EINTR || !isSecondTry {
        // The first refusal may be the news about an earlier datagram.
        if sent != -EINTR { isSecondTry = true }
        drainErrors()
      } else {
        unsent += 1
        next += 1
        isSecondTry = false
      }
    }
    departures.removeAll(keepingCapacity: true)
    outgoing.removeAll()
  }

  /// Datagrams that arrived when the receive buffer was full.
  var dropped: Int { Int(max(0, ck_receive_drops(socket))) }

  /// Empties the error queue: an error that stays there keeps the loop awake.
  private func drainErrors() {
    var quotation = [UInt8](repeating: 0, count: 64)
    var error = ck_socket_error()
    while unsafe ck_receive_errors(socket, &quotation, quotation.count, &error, 1) == 1 { refused += 1 }
  }
}

extension ck_endpoint {
  /// An address in the form of the C side.
  fileprivate init(_ address: SocketAddress) {
    self.init(
      high: address.ip.high, low: address.ip.low, scope: address.scope, port: address.port,
      family: address.ip.family == .v4 ? 4 : 6)
  }
}
