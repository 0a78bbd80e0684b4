import Foundation
import SIPSyntax
import Synchronization
import Timekeeping

@testable import EventIO

/// A folder of its own for one test, removed at the end.
final class ScratchFolder {
  let path: String

  init() throws {
    path = "/tmp/callkeeper-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension EventLoop {
  /// Turns until `condition` holds; false when it does not after a bounded number of turns.
  ///
  /// A timer of 10 ms ends turns in which nothing happens.
  func turn(until condition: () -> Bool) -> Bool {
    let heartbeat = try? timer {}
    for _ in 0..<1_000 {
      if condition() { return true }
      heartbeat?.arm(after: .milliseconds(10))
      turn(waiting: true)
    }
    return condition()
  }
}

/// A value that another thread delivers.
final class Delivery<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)

  /// What was delivered, if it was.
  var received: Value? { value.withLock { $0 } }

  /// Runs `body` on a thread of its own.
  init(_ body: @escaping @Sendable () -> Value) {
    Thread.detachNewThread { [self] in
      let result = body()
      value.withLock { $0 = result }
    }
  }
}

let loopback4 = SocketAddress(ip: IPAddress(v4: 0x7F00_0001), port: 0)
let loopback6 = SocketAddress(ip: IPAddress(v6High: 0, v6Low: 1), port: 0)

/// A blocking socket connected to the Unix socket at `path`, or an errno with its sign turned.
func connectedSocket(_ path: String) -> Int32 {
  var name = sockaddr_un()
  name.sun_family = sa_family_t(AF_UNIX)
  unsafe withUnsafeMutableBytes(of: &name.sun_path) { bytes in
    unsafe bytes.copyBytes(from: Array(path.utf8.prefix(bytes.count - 1)))
  }
  let client = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
  let status = unsafe withUnsafePointer(to: &name) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
      unsafe connect(client, pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
  return status == 0 ? client : -errno
}

/// A non-blocking socket connected to a listener on IPv4, or an errno with its sign turned.
func connectedSocket(_ address: SocketAddress) -> Int32 {
  var name = sockaddr_in()
  name.sin_family = sa_family_t(AF_INET)
  name.sin_port = address.port.bigEndian
  name.sin_addr.s_addr = address.ip.v4.bigEndian
  let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  let status = unsafe withUnsafePointer(to: name) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
      unsafe connect(client, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  guard status == 0 else { return -errno }
  _ = fcntl(client, F_SETFL, O_NONBLOCK)
  return client
}
