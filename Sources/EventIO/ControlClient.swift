internal import CSystemShims
import Glibc

extension ControlSocket {
  /// Asks the proxy behind the socket at `path` and waits for the whole answer, at most `seconds` for each part.
  public static func get(
    _ target: String, from path: String, seconds: Int32 = 5
  ) throws(EventIOError) -> (status: Int, body: [UInt8]) {
    let connected = unsafe ck_unix_connect(path, seconds)
    let socket = try EventIOError.check(
      connected < 0 ? -patience(-connected) : connected, "connect to", path)
    defer { close(socket) }
    let request = Array("GET \(target) HTTP/1.0\r\n\r\n".utf8)
    var sent = 0
    while sent < request.count {
      let count = unsafe request.withUnsafeBytes { bytes in
        unsafe send(socket, bytes.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw EventIOError(operation: "ask", errorNumber: patience(errno), address: path)
      }
      sent += count
    }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe chunk.withUnsafeMutableBytes { bytes in
        unsafe read(socket, bytes.baseAddress, bytes.count)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw EventIOError(operation: "read from", errorNumber: patience(errno), address: path)
      }
      if count == 0 { break }
      answer.append(contentsOf: chunk[..<count])
    }
    guard let parsed = HTTPAnswer(answer) else {
      throw EventIOError(operation: "understand the answer of", errorNumber: EPROTO, address: path)
    }
    return (parsed.status, parsed.body)
  }
}

/// The system says EAGAIN when a socket's time limit ran out; ETIMEDOUT is what it means.
private func patience(_ errorNumber: Int32) -> Int32 {
  errorNumber == EAGAIN ? ETIMEDOUT : errorNumber
}

/// Status and body of an HTTP/1.0 or 1.1 answer that ends with the connection.
struct HTTPAnswer {
  /// The status code.
  let status: Int
  /// What follows the header section.
  let body: [UInt8]

  /// Takes a whole answer apart; nil when it is none.
  init?(_ bytes: [UInt8]) {
    let blank: [UInt8] = [13, 10, 13, 10]
    guard bytes.starts(with: "HTTP/1.".utf8), bytes.count > 12,
      let status = Int(String(decoding: bytes[9..<12], as: UTF8.self)),
      let end = bytes.indices.dropLast(3).first(where: { bytes[$0..<$0 + 4].elementsEqual(blank) })
    else { return nil }
    self.status = status
    body = Array(bytes[(end + 4)...])
  }
}
