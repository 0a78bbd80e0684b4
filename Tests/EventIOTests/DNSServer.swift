import Glibc
import SIPSyntax
import ServerLocation

@testable import EventIO

/// A small DNS server on loopback, over UDP and TCP, in the turns of the loop of the client it serves.
final class DNSServer {
  /// What it does with a question.
  enum Reaction {
    /// Answers with these records and this code; no records are a denial with an SOA record.
    case records([Record], code: UInt8 = 0)
    /// Says nothing.
    case silence
    /// Answers with the header of a reply and these octets behind the question.
    case octets([UInt8], answers: UInt16)
    /// Sends these octets alone.
    case garbage([UInt8])
  }

  /// A record as it goes into a reply; without owner it is that of the question.
  struct Record {
    var owner: String?
    var type: UInt16
    var timeToLive: UInt32
    var data: [UInt8]
  }

  /// A question that came in.
  struct Query: Equatable {
    var name: String
    var type: UInt16
    var overTCP = false
  }

  let address: SocketAddress
  /// What to do with a question; silence unless told.
  var react: (Query) -> Reaction = { _ in .silence }
  private(set) var queries: [Query] = []
  private let datagrams: Int32
  private let listener: Int32
  private var events: [LoopEvent] = []
  private var connections: [Int32: LoopEvent] = [:]
  private let loop: EventLoop

  init(loop: EventLoop) throws {
    self.loop = loop
    (datagrams, listener, address) = try Self.open()
    events.append(try loop.whenReadable(datagrams) { [unowned self] in receive() })
    events.append(try loop.whenReadable(listener) { [unowned self] in accept() })
  }

  /// A UDP and a TCP socket on one port of loopback. A port that is free for the one may be taken for the other, so a
  /// few are tried.
  private static func open() throws -> (datagrams: Int32, listener: Int32, address: SocketAddress) {
    for _ in 0..<32 {
      let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
      let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      _ = unsafe withName(&name) { unsafe bind(datagrams, $0, $1) }
      unsafe withUnsafeMutablePointer(to: &name) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          _ = unsafe getsockname(datagrams, $0, &length)
        }
      }
      let status = unsafe withName(&name) { unsafe bind(listener, $0, $1) }
      if status == 0, listen(listener, 8) == 0 {
        let port = UInt16(bigEndian: name.sin_port)
        return (datagrams, listener, SocketAddress(ip: IPAddress(v4: 0x7F00_0001), port: port))
      }
      close(datagrams)
      close(listener)
    }
    throw EventIOError(operation: "bind", errorNumber: errno, address: "UDP and TCP")
  }

  deinit {
    events = []
    for descriptor in [datagrams, listener] + connections.keys { close(descriptor) }
  }

  private static func withName(
    _ name: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    unsafe withUnsafePointer(to: &name) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  private func receive() {
    var buffer = [UInt8](repeating: 0, count: 2_048)
    var name = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let count = unsafe withUnsafeMutablePointer(to: &name) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe recvfrom(datagrams, &buffer, buffer.count, 0, $0, &length)
      }
    }
    guard count > 12, let reply = reply(to: Array(buffer.prefix(count)), overTCP: false) else { return }
    _ = unsafe Self.withName(&name) { address, size in
      unsafe Int32(sendto(datagrams, reply, reply.count, 0, address, size))
    }
  }

  private func accept() {
    let connection = Glibc.accept(listener, nil, nil)
    guard connection >= 0 else { return }
    connections[connection] = try? loop.whenReadable(connection) { [unowned self] in serve(connection) }
  }

  private func serve(_ connection: Int32) {
    var buffer = [UInt8](repeating: 0, count: 2_048)
    let count = unsafe read(connection, &buffer, buffer.count)
    // On loopback a query comes in one piece.
    guard count > 14, let reply = reply(to: Array(buffer[2..<count]), overTCP: true) else {
      connections[connection] = nil
      close(connection)
      return
    }
    let framed = UInt16(reply.count).octets + reply
    _ = unsafe write(connection, framed, framed.count)
  }

  private func reply(to query: [UInt8], overTCP: Bool) -> [UInt8]? {
    var labels: [String] = []
    var position = 12
    while query[position] != 0 {
      let length = Int(query[position])
      labels.append(String(decoding: query[(position + 1)...(position + length)], as: UTF8.self))
      position += 1 + length
    }
    let type = UInt16(query[position + 1]) << 8 | UInt16(query[position + 2])
    let question = query[12..<(position + 5)]
    let seen = Query(name: labels.joined(separator: "."), type: type, overTCP: overTCP)
    queries.append(seen)
    func header(_ flags: UInt16, answers: Int, authorities: Int) -> [UInt8] {
      let counts: [UInt16] = [flags, 1, UInt16(answers), UInt16(authorities), 0]
      return Array(query[..<2]) + counts.flatMap(\.octets)
    }
    switch react(seen) {
    case .silence: return nil
    case .garbage(let octets): return octets
    case .octets(let octets, let answers):
      return header(0x8180, answers: Int(answers), authorities: 0) + question + octets
    case .records(let records, let code):
      let flags = 0x8180 | UInt16(code)
      if records.isEmpty {
        var authority = Record(owner: nil, type: 6, timeToLive: 300, data: Self.name("ns.example"))
        authority.data += Self.name("root.example") + [UInt8](repeating: 0, count: 19) + [42]
        return header(flags, answers: 0, authorities: 1) + question + Self.octets(of: authority)
      }
      let body = records.flatMap { Self.octets(of: $0) }
      if body.count > 1_100, !overTCP { return header(flags | 0x0200, answers: 0, authorities: 0) + question }
      return header(flags, answers: records.count, authorities: 0) + question + body
    }
  }

  static func octets(of record: Record) -> [UInt8] {
    let fields: [UInt16] = [
      record.type, 1, UInt16(record.timeToLive >> 16), UInt16(record.timeToLive & 0xFFFF),
      UInt16(record.data.count),
    ]
    return (record.owner.map { name($0) } ?? [0xC0, 12]) + fields.flatMap(\.octets) + record.data
  }

  /// A name on the wire, uncompressed.
  static func name(_ text: String) -> [UInt8] {
    text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
  }

  static func a(_ address: String, _ timeToLive: UInt32 = 300, owner: String? = nil) -> Record {
    let ip = IPAddress(address)?.v4 ?? 0
    return Record(
      owner: owner, type: 1, timeToLive: timeToLive,
      data: UInt16(ip >> 16).octets + UInt16(ip & 0xFFFF).octets)
  }

  static func alias(_ target: String, _ timeToLive: UInt32 = 300, owner: String? = nil) -> Record {
    Record(owner: owner, type: 5, timeToLive: timeToLive, data: name(target))
  }

  static func srv(_ priority: UInt16, _ weight: UInt16, _ port: UInt16, _ target: String) -> Record {
    Record(
      owner: nil, type: 33, timeToLive: 120,
      data: [priority, weight, port].flatMap(\.octets) + name(target))
  }

  static func naptr(_ order: UInt16, _ service: String, _ target: String, regexp: String = "") -> Record {
    let texts: [UInt8] = ["s", service, regexp].flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    return Record(
      owner: nil, type: 35, timeToLive: 60, data: [order, 1].flatMap(\.octets) + texts + name(target))
  }
}

extension UInt16 {
  /// Most significant octet first.
  fileprivate var octets: [UInt8] { [UInt8(self >> 8), UInt8(self & 0xFF)] }
}
