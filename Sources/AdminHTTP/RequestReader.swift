/// Takes an HTTP/1.x request apart as its bytes arrive (RFC 9112 §2 and §3).
///
/// Only the request line matters here: header fields are walked over, and a body is left unread, because no
/// resource takes one and the connection ends with the answer. Each byte is looked at once, however small the
/// pieces are in which a client sends them.
public struct RequestReader: Sendable {
  /// What the bytes so far amount to.
  public enum Progress: Sendable {
    /// The header section is not at its end.
    case incomplete
    /// A whole request.
    case request(AdminRequest)
    /// No request; the answer says why.
    case malformed(AdminResponse)
  }

  /// Bytes that request line and header section may have together.
  public static let longestHead = 16_384

  private var line: [UInt8] = []
  private var requestLine: [UInt8]?
  private var received = 0

  /// A reader that has seen nothing.
  public init() {}

  /// Takes the next bytes; what follows the header section is ignored.
  public mutating func append(_ bytes: some Sequence<UInt8>) -> Progress {
    for byte in bytes {
      received += 1
      if received > RequestReader.longestHead {
        return .malformed(.refusal(431, "request line and header fields are too long"))
      }
      if byte != 0x0A {
        line.append(byte)
        continue
      }
      // RFC 9112 §2.2: a bare line feed may be taken for a line's end.
      if line.last == 0x0D { line.removeLast() }
      if line.isEmpty {
        // RFC 9112 §2.2: empty lines in front of the request line are ignored.
        guard let requestLine else { continue }
        return RequestReader.request(requestLine)
      }
      if requestLine == nil { requestLine = line }
      line.removeAll(keepingCapacity: true)
    }
    return .incomplete
  }

  private static func request(_ line: [UInt8]) -> Progress {
    let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[0].isEmpty, parts[2].starts(with: "HTTP/".utf8),
      line.allSatisfy({ 0x20..<0x7F ~= $0 })
    else { return .malformed(.refusal(400, "not an HTTP request")) }
    guard parts[2].starts(with: "HTTP/1.".utf8) else {
      return .malformed(.refusal(505, "only HTTP/1.0 and HTTP/1.1 are served"))
    }
    var target = parts[1]
    // RFC 9112 §3.2.2: a server takes the absolute form too.
    if target.first != UInt8(ascii: "/"), target.starts(with: "http://".utf8) {
      target = target.dropFirst(7).drop { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
    }
    return .request(
      AdminRequest(
        method: String(decoding: parts[0], as: UTF8.self), target: String(decoding: target, as: UTF8.self)))
  }
}

extension AdminResponse {
  /// The answer as bytes for a connection that ends with it; `date` is the wall clock as HTTP writes it.
  ///
  /// An answer to HEAD has the header section that GET would get, and no body (RFC 9110 §9.3.2).
  public func bytes(date: String, isForHEAD: Bool = false) -> [UInt8] {
    var head = "HTTP/1.1 \(status) \(reason)\r\nDate: \(date)\r\nContent-Type: \(contentType)\r\n"
    head += "Content-Length: \(body.count)\r\nCache-Control: no-store\r\nConnection: close\r\n"
    // RFC 9110 §15.5.6.
    if status == 405 { head += "Allow: GET, HEAD\r\n" }
    head += "\r\n"
    var bytes: [UInt8] = []
    bytes.reserveCapacity(head.utf8.count + body.count)
    bytes += head.utf8
    if !isForHEAD { bytes += body }
    return bytes
  }
}
