import Glibc
import SIPSyntax
import Testing
import Timekeeping

@testable import EventIO
@testable import ProxyCore

/// A TLS listener on loopback with its connections, and no proxy behind it: what arrives is kept.
final class TLSNode {
  let loop: EventLoop
  let counters = Counters()
  let table: ConnectionTable
  let transport: StreamTransport
  private(set) var messages: [String] = []
  /// Flows of the connections that were accepted or established, in their order.
  private(set) var opened: [Flow] = []
  private(set) var closedCount = 0
  /// What TLS refused, in its order.
  private(set) var failures: [HandshakeFailure] = []

  init(_ context: TLSContext, on loop: EventLoop) throws {
    OperatingSystem.ignoreBrokenPipes()
    self.loop = loop
    table = try ConnectionTable(
      loop: loop, limits: ConnectionLimits(), counting: counters, firstGeneration: 7)
    transport = try StreamTransport(binding: loopback4, tls: context)
    table.whenReadable = { [unowned self] connection in
      _ = connection.readMessages(.max) { message, _ in
        messages.append(String(decoding: message.indices.map { message[$0] }, as: UTF8.self))
      }
    }
    table.whenHandshakeFails = { [unowned self] in failures.append($0) }
    table.whenChanged = { [unowned self] in note() }
    try transport.start(listener: 0, in: table)
  }

  /// Sends a request for `domain` to another node, or over a flow that one named; false when that is refused at once.
  @discardableResult
  func send(_ text: String, to remote: SocketAddress, domain: String, over flow: Flow? = nil) -> Bool {
    let bytes = Array((text + domain).utf8)
    var send = Send(
      bytes: ByteRange(0, text.utf8.count),
      flow: flow ?? Flow(listener: 0, remote: remote, local: remote.ip))
    send.peer = ByteRange(text.utf8.count, bytes.count)
    let before = counters[.sendErrors] + counters[.sendBlocked]
    var refused: [RefusedSend] = []
    transport.send([send][...], of: bytes, counting: counters, refused: &refused)
    note()
    return counters[.sendErrors] + counters[.sendBlocked] == before
  }

  /// Lets so much time pass for the connections.
  func pass(_ time: TimeSpan) {
    table.sweep(at: MonotonicClock.now + time)
    note()
  }

  private func note() {
    for notice in table.takeNotices() {
      switch notice {
      case .opened(let flow, _): opened.append(flow)
      case .closed: closedCount += 1
      case .failed: break
      }
    }
    table.closeFinished()
  }
}

/// A node that calls and one that is called, on one loop.
struct TLSNodes {
  let authority: TestAuthority
  let loop: EventLoop
  let caller: TLSNode
  let callee: TLSNode
  let calleeContext: TLSContext

  /// Both trust one authority; `callerNames` nil is a caller without a certificate of its own to show.
  init(
    callee calleeNames: String, caller callerNames: String? = nil, requiring: Bool = false,
    validUntil: Int32 = 3_600
  ) throws {
    let authority = try TestAuthority()
    self.authority = authority
    loop = try EventLoop()
    calleeContext = try TLSContext(
      certificate: authority.issue(calleeNames, validUntil: validUntil, as: "callee.pem"), key: nil,
      trust: authority.trust, requiresClientCertificate: requiring)
    let own = try callerNames.map { try authority.issue($0, as: "caller.pem") }
    let context = try TLSContext(
      certificate: own, key: nil, trust: authority.trust, requiresClientCertificate: false)
    callee = try TLSNode(calleeContext, on: loop)
    caller = try TLSNode(context, on: loop)
  }

  /// Has the caller ask for `domain` at the callee.
  func call(_ number: Int = 0, for domain: String) {
    caller.send(tlsRequest(number), to: callee.transport.bound, domain: domain)
  }

  /// Turns until the callee has `count` messages.
  func arrives(_ count: Int) -> Bool {
    let callee = self.callee
    return loop.turn { callee.messages.count >= count } && callee.messages.count == count
  }

  /// Turns until neither node has a connection.
  func settlesWithoutConnections() -> Bool {
    let (caller, callee) = (self.caller, self.callee)
    return loop.turn { caller.table.count == 0 && callee.table.count == 0 }
  }
}

/// A request that asks to reuse its connection, as RFC 5923 has it.
func tlsRequest(_ number: Int) -> String {
  """
  OPTIONS sips:example.com SIP/2.0\r
  Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK\(number);alias\r
  Max-Forwards: 70\r
  From: <sips:ping@example.net>;tag=1\r
  To: <sips:example.com>\r
  Call-ID: call\(number)\r
  CSeq: 1 OPTIONS\r
  Content-Length: 0\r
  \r

  """
}
