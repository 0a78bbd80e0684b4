import Glibc
import SIPSyntax

/// One end of a TCP connection that a test plays by hand; closed at the end.
final class StreamPeer {
  /// Owned: closed in `close`, at the latest in `deinit`.
  private var socket: Int32
  /// Everything that has arrived.
  private var bytes: [UInt8] = []
  /// Whether the other side has closed, or reset the connection.
  private(set) var isEnded = false

  /// Takes over a connected socket.
  init(_ socket: Int32) { self.socket = socket }

  /// Connects to a listener on loopback, which needs nobody to accept yet.
  convenience init(connectingTo address: SocketAddress) {
    let made = Glibc.socket(address.family, Int32(SOCK_STREAM.rawValue), 0)
    let result = unsafe address.withName { unsafe connect(made, $0, $1) }
    self.init(result == 0 ? made : -1)
  }

  deinit { close() }

  /// Our port.
  var port: UInt16 { boundPort(socket) }

  /// Sends octets; those sent at once travel together.
  func send(_ octets: some Collection<UInt8>) {
    let octets = Array(octets)
    var sent = 0
    while sent < octets.count {
      let count = unsafe octets.withUnsafeBytes { bytes in
        unsafe Glibc.send(
          socket, bytes.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }

  /// All that has arrived until now, as text.
  var received: String {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while !isEnded {
      let count = unsafe recv(socket, &chunk, chunk.count, Int32(MSG_DONTWAIT))
      if count > 0 {
        bytes += chunk[..<count]
      } else if count == 0 || errno != EAGAIN {
        isEnded = true
      } else {
        break
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The messages that have arrived until now.
  var messages: [String] {
    _ = received
    var framer = StreamFramer()
    var rest = bytes[...]
    var found: [String] = []
    while true {
      let front = Array(rest)
      let (finding, consumed) = framer.next(front.span)
      rest = rest.dropFirst(consumed)
      switch finding {
      case .message(let range):
        found.append(String(decoding: front[range.lowerBound..<range.upperBound], as: UTF8.self))
      case .ping: break
      case .incomplete, .broken, .overflow: return found
      }
    }
  }

  /// Whether the other side has closed, all octets before that read.
  var hasEnded: Bool {
    _ = received
    return isEnded
  }

  /// Says that we send no more, and goes on reading.
  func endOutput() { shutdown(socket, Int32(SHUT_WR)) }

  /// Closes; with `resetting` the other side is told that it broke.
  func close(resetting: Bool = false) {
    guard socket >= 0 else { return }
    if resetting {
      var now = linger(l_onoff: 1, l_linger: 0)
      _ = unsafe setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    }
    Glibc.close(socket)
    socket = -1
  }
}

/// A listening socket on 127.0.0.1 that a test accepts from.
final class StreamListener {
  /// Owned: closed in `deinit`.
  private let socket: Int32
  let address: SocketAddress

  init(backlog: Int32 = 16) {
    let made = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    let name = SocketAddress(ip: IPAddress(v4: 0x7F00_0001), port: 0)
    _ = unsafe name.withName { unsafe bind(made, $0, $1) }
    listen(made, backlog)
    _ = fcntl(made, F_SETFL, O_NONBLOCK)
    socket = made
    address = SocketAddress(ip: name.ip, port: boundPort(made))
  }

  deinit { close(socket) }

  /// The next connection that waits; nil when none does.
  func accept() -> StreamPeer? {
    let accepted = Glibc.accept(socket, nil, nil)
    return accepted < 0 ? nil : StreamPeer(accepted)
  }
}

private func boundPort(_ socket: Int32) -> UInt16 {
  var name = sockaddr_in6()
  var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
  unsafe withUnsafeMutablePointer(to: &name) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
      _ = unsafe getsockname(socket, pointer, &length)
    }
  }
  // Both families have the port in one place.
  return UInt16(bigEndian: name.sin6_port)
}

extension SocketAddress {
  fileprivate var family: Int32 { ip.family == .v4 ? AF_INET : AF_INET6 }

  fileprivate func withName(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    func lend<Name>(_ name: Name) -> Int32 {
      unsafe withUnsafePointer(to: name) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
          unsafe body(pointer, socklen_t(MemoryLayout<Name>.size))
        }
      }
    }
    if ip.family == .v4 {
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_port = port.bigEndian
      name.sin_addr.s_addr = UInt32(truncatingIfNeeded: ip.low).bigEndian
      return lend(name)
    }
    var name = sockaddr_in6()
    name.sin6_family = sa_family_t(AF_INET6)
    name.sin6_port = port.bigEndian
    unsafe withUnsafeMutableBytes(of: &name.sin6_addr) { bytes in
      unsafe bytes.storeBytes(of: ip.high.bigEndian, as: UInt64.self)
      unsafe bytes.storeBytes(of: ip.low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    return lend(name)
  }
}
