import Glibc
import SIPSyntax
import ServerLocation

/// The names of `/etc/hosts` and what follows from them, kept in memory so that no question reads a file.
///
/// The file is read at start, and again when its time of change or size differs from what was read; that is asked for
/// with every question and costs one system call.
struct HostsFile {
  private let path: String
  private var addresses: [DNSName: [IPAddress]] = [:]
  private var version: Version?

  /// Octets of the longest file that is read; more of it is left out.
  private static let maximumLength = 4 << 20

  private struct Version: Equatable {
    var size: Int
    var seconds: Int
    var nanoseconds: Int
  }

  init(path: String) {
    self.path = path
    refresh()
  }

  /// Addresses of one family when the file has the name, or when it is `localhost` or below it (RFC 6761 §6.3).
  ///
  /// Empty when the name is known and has no address of the family; nil when the DNS must be asked.
  mutating func addresses(of name: DNSName, _ family: IPAddress.Family) -> [IPAddress]? {
    refresh()
    if let known = addresses[name] { return known.filter { $0.family == family } }
    guard name == Self.localhost || name.description.hasSuffix(".localhost") else { return nil }
    return [family == .v4 ? IPAddress(v4: 0x7F00_0001) : IPAddress(v6High: 0, v6Low: 1)]
  }

  private static let localhost = DNSName("localhost")

  private mutating func refresh() {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      (addresses, version) = ([:], nil)
      return
    }
    let current = Version(
      size: status.st_size, seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    guard current != version else { return }
    version = current
    addresses = [:]
    for line in Self.content(of: path).split(separator: UInt8(ascii: "\n")) { take(line) }
  }

  /// One line: an address, then names, then perhaps a comment.
  private mutating func take(_ line: ArraySlice<UInt8>) {
    let text = line.prefix { $0 != UInt8(ascii: "#") }
    let words = text.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
    guard let first = words.first, let address = IPAddress(String(decoding: first, as: UTF8.self)) else {
      return
    }
    for word in words.dropFirst() {
      guard let name = DNSName(String(decoding: word, as: UTF8.self)) else { continue }
      addresses[name, default: []].append(address)
    }
  }

  private static func content(of path: String) -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while content.count < maximumLength {
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
      }
      guard count > 0 else { break }
      content.append(contentsOf: buffer.prefix(count))
    }
    return content
  }
}
