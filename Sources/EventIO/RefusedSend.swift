import Glibc
import ProxyCore

/// A request that could not be sent, for what the proxy does about it (B93).
struct RefusedSend {
  /// Names the request.
  let ticket: SendTicket
  /// Whether this host lacked something, so that the next hop is not to blame.
  let isLocal: Bool
}

/// Why nothing can be sent to a place.
enum SendRefusal: Error {
  /// This host lacks something: a descriptor, a port, memory, room in a table or a queue.
  case local
  /// The place cannot be reached.
  case remote

  /// Judges the error of a system call.
  init(errorNumber: Int32) {
    switch errorNumber {
    // Without a free port connect() says EADDRNOTAVAIL. What does not fit a datagram fits none to anybody.
    case EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN, EADDRNOTAVAIL, EMSGSIZE: self = .local
    default: self = .remote
    }
  }
}
