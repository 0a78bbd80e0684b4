internal import CSystemShims
import ProxyCore

/// What the network reports about datagrams that one UDP socket sent: the ICMP errors of RFC 3261 section 18.4.
///
/// The kernel keeps them in a queue beside the socket, with the start of the datagram that each is about, and lets
/// the next call on the socket fail, whatever destination that call concerns. So the queue is emptied whenever a
/// call failed; an error that is left there would also keep the loop awake.
final class SocketErrorQueue {
  /// What an error means for the request that is quoted (D24).
  enum Meaning: Equatable { case failure, ignored }

  /// Octets of a datagram that are looked at. ICMP for IPv6 quotes no more than fit into 1,280.
  private static let quotedOctets = 1_280
  private static let batch = 16
  /// Errors taken at a time at most; the rest waits for the next turn of the loop.
  private static let drainLimit = 1_024

  /// Not owned.
  private let socket: Int32
  /// Made at the first error: most sockets never see one.
  private var buffer: [UInt8] = []
  private var errors: [ck_socket_error] = []
  /// Starts of the datagrams whose destination cannot be reached, until ``takeQuotations()``.
  private var quotations: [[UInt8]] = []

  init(of socket: Int32) { self.socket = socket }

  /// Whether ``takeQuotations()`` has something to give.
  var hasQuotations: Bool { !quotations.isEmpty }

  /// Reads what is in the queue and counts it; false when there was nothing.
  @discardableResult
  func drain(counting counters: Counters) -> Bool {
    if buffer.isEmpty {
      buffer = [UInt8](repeating: 0, count: SocketErrorQueue.batch * SocketErrorQueue.quotedOctets)
      errors = [ck_socket_error](repeating: ck_socket_error(), count: SocketErrorQueue.batch)
    }
    var total = 0
    while total < SocketErrorQueue.drainLimit {
      let result = unsafe ck_receive_errors(
        socket, &buffer, SocketErrorQueue.quotedOctets, &errors, UInt32(SocketErrorQueue.batch))
      let count = min(Int(max(0, result)), SocketErrorQueue.batch)
      for index in 0..<count { note(errors[index], at: index, counters) }
      total += count
      if count < SocketErrorQueue.batch { break }
    }
    return total > 0
  }

  /// The quotations since the last call.
  func takeQuotations() -> [[UInt8]] {
    defer { quotations.removeAll() }
    return quotations
  }

  private func note(_ error: ck_socket_error, at index: Int, _ counters: Counters) {
    // What this host's own kernel refused was told to the call that sent it.
    guard error.family != 0 else { return }
    switch SocketErrorQueue.meaning(ofType: error.type, code: error.code, isIPv6: error.family == 6) {
    case .ignored: counters.add(to: .icmpErrorsIgnored)
    case .failure:
      counters.add(to: .icmpFailuresReceived)
      let start = index * SocketErrorQueue.quotedOctets
      quotations.append(
        Array(buffer[start..<start + min(Int(error.length), SocketErrorQueue.quotedOctets)]))
    }
  }

  /// D24: unreachable, for whatever reason, and parameter problem are failures. Source quench, an exceeded time to
  /// live and a datagram that is too big for its path (the kernel has learned the size from it) are not, nor is
  /// what RFC 3261 does not name.
  static func meaning(ofType type: UInt8, code: UInt8, isIPv6: Bool) -> Meaning {
    switch (isIPv6, type) {
    case (false, 3): code == 4 ? .ignored : .failure  // RFC 792, RFC 1122 section 3.2.2.1
    case (false, 12): .failure
    case (true, 1), (true, 4): .failure  // RFC 4443 sections 3.1 and 3.4
    default: .ignored
    }
  }
}
