import CLibevent
import Glibc
import Testing

@testable import EventIO

/// One end of a TLS connection that is not a transport's: what happened to it, and what came in.
@safe
final class TLSEnd {
  /// What became of a connection.
  enum Outcome: Equatable {
    case shakingHands, established, ended
    case failed(String)
  }

  let context: TLSContext
  /// Kept, because the connection must not outlive it.
  private let loop: EventLoop
  private(set) var outcome = Outcome.shakingHands
  private(set) var received: [UInt8] = []
  /// Owned; nil once closed.
  private(set) var connection: OpaquePointer?

  init(_ context: TLSContext, _ made: OpaquePointer?, on loop: EventLoop) throws {
    self.context = context
    self.loop = loop
    unsafe connection = made
    let connection = try unsafe #require(made)
    let end = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe bufferevent_setcb(
      connection, { _, end in unsafe TLSEnd.at(end).receive() }, nil,
      { _, what, end in unsafe TLSEnd.at(end).notice(what) },
      end)
    _ = unsafe bufferevent_enable(connection, Int16(EV_READ | EV_WRITE))
  }

  deinit { close(politely: false) }

  private static func at(_ end: UnsafeMutableRawPointer?) -> TLSEnd {
    guard let end = unsafe end else { preconditionFailure("called back without an end") }
    return unsafe Unmanaged<TLSEnd>.fromOpaque(end).takeUnretainedValue()
  }

  var isSettled: Bool { outcome != .shakingHands }

  /// Whom the peer proved to be.
  var peer: CertificateIdentities? {
    guard let connection = unsafe connection else { return nil }
    return unsafe context.identities(of: connection)
  }

  func proves(_ domain: String) -> Bool {
    guard let connection = unsafe connection else { return false }
    return unsafe context.peerMatches(connection, domain.utf8)
  }

  func send(_ bytes: [UInt8]) {
    guard let connection = unsafe connection else { return }
    #expect(unsafe bufferevent_write(connection, bytes, bytes.count) == 0)
  }

  /// Closes; `politely` with the close alert.
  func close(politely: Bool) {
    guard let connection = unsafe connection else { return }
    if politely { unsafe context.sayFarewell(to: connection) }
    unsafe bufferevent_free(connection)
    unsafe self.connection = nil
  }

  private func receive() {
    guard let connection = unsafe connection else { return }
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe bufferevent_read(connection, &chunk, chunk.count)
      guard count > 0 else { return }
      received += chunk[..<count]
    }
  }

  private func notice(_ what: Int16) {
    guard let connection = unsafe connection else { return }
    if Int32(what) & BEV_EVENT_CONNECTED != 0 { outcome = .established }
    if Int32(what) & BEV_EVENT_EOF != 0 { outcome = .ended }
    if Int32(what) & BEV_EVENT_ERROR != 0 {
      outcome = .failed(unsafe context.failure(of: connection) ?? "without TLS")
    }
  }
}

/// Two connected sockets; whoever takes one over closes it.
func socketPair() throws -> (Int32, Int32) {
  var sockets: [Int32] = [-1, -1]
  let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)
  try #require(unsafe socketpair(AF_UNIX, kind, 0, &sockets) == 0)
  return (sockets[0], sockets[1])
}

/// A server and a client that meet on one loop.
struct TLSMeeting {
  let loop: EventLoop
  let server: TLSEnd
  let client: TLSEnd

  /// Lets both turn until each knows what became of its handshake. In TLS 1.3 a client is done before the server
  /// has seen its certificate: then an exchange of one byte settles it.
  init(
    server: TLSContext, client: TLSContext, domain: String? = "example.com", on loop: EventLoop? = nil
  ) throws {
    OperatingSystem.ignoreBrokenPipes()
    self.loop = try loop ?? EventLoop()
    let sockets = try socketPair()
    self.server = try unsafe TLSEnd(
      server, server.makeServer(loop: self.loop, socket: sockets.0), on: self.loop)
    self.client = try unsafe TLSEnd(
      client, client.makeClient(loop: self.loop, socket: sockets.1, domain: domain), on: self.loop)
    let (first, second) = (self.server, self.client)
    #expect(self.loop.turn { first.isSettled && second.isSettled })
    if first.outcome == .established { first.send([0]) }
    #expect(self.loop.turn { second.outcome != .established || !second.received.isEmpty })
  }
}
