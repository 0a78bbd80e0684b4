import Glibc
public import PagedStorage
public import ProxyCore
import SIPSyntax
public import ServerLocation
import SessionTimers
public import Timekeeping

/// A message that left the proxy, with helpers to look at it.
public struct SentMessage: CustomStringConvertible, Sendable {
  /// The octets on the wire.
  public let bytes: [UInt8]
  /// Where they went.
  public let flow: Flow
  /// What to report if it cannot be sent.
  public let ticket: SendTicket?
  /// The domain that a TLS connection for it must prove; empty when none is known.
  public let peer: String

  /// Wraps octets and their flow.
  public init(bytes: [UInt8], flow: Flow, ticket: SendTicket? = nil, peer: String = "") {
    self.bytes = bytes
    self.flow = flow
    self.ticket = ticket
    self.peer = peer
  }

  /// The message as text; octets that are not UTF-8 are replaced.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Destination and text.
  public var description: String { "to \(flow.remote):\n\(text)" }

  /// Destination as `address:port`.
  public var destination: String { flow.remote.description }

  /// Lines of the header section, the start line first; folding is not undone.
  public var lines: [String] {
    var lines: [String] = []
    var line: [UInt8] = []
    for byte in bytes {
      if byte == 10 {
        if line.last == 13 { line.removeLast() }
        if line.isEmpty { break }
        lines.append(String(decoding: line, as: UTF8.self))
        line.removeAll()
      } else {
        line.append(byte)
      }
    }
    return lines
  }

  /// The first line.
  public var startLine: String { lines.first ?? "" }

  /// The method of a request, nil for a response.
  public var method: String? {
    startLine.hasPrefix("SIP/2.0 ") ? nil : startLine.split(separator: " ").first.map(String.init)
  }

  /// The status of a response, nil for a request.
  public var status: Int? {
    startLine.hasPrefix("SIP/2.0 ")
      ? startLine.split(separator: " ").dropFirst().first.flatMap { Int($0) } : nil
  }

  /// Values of all rows with this name (long form as written), in order, without leading blanks.
  public func values(_ name: String) -> [String] {
    lines.dropFirst().compactMap { line in
      guard let colon = line.firstIndex(of: ":") else { return nil }
      var label = line[..<colon]
      while label.last == " " || label.last == "\t" { label.removeLast() }
      guard label.lowercased() == name.lowercased() else { return nil }
      return String(line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
    }
  }

  /// Value of the first row with this name.
  public func value(_ name: String) -> String? { values(name).first }

  /// Octets behind the empty line.
  public var body: [UInt8] {
    var position = 0
    while position + 3 < bytes.count {
      if bytes[position] == 13, bytes[position + 1] == 10, bytes[position + 2] == 13,
        bytes[position + 3] == 10
      {
        return Array(bytes[(position + 4)...])
      }
      position += 1
    }
    return []
  }
}

/// Drives a real proxy with a virtual clock: datagrams in, datagrams out, no socket and no waiting.
public final class ProxyDriver {
  /// The proxy under test.
  public var proxy: Proxy
  /// The virtual clock.
  public private(set) var now = MonotonicInstant(nanoseconds: 1_000_000_000)
  private var outbox = Outbox()
  /// What the proxy asked the DNS and nobody has answered yet, in order.
  public private(set) var questions: [DNSQuestion] = []
  /// Answers every question at once, as a DNS without any delay would; nil leaves them open.
  public var zone: ((DNSQuestion) -> DNSAnswer)?

  /// The configuration most tests want: one UDP listener on 192.0.2.10:5060, IPv6 on [2001:db8::10]:5060,
  /// everybody allowed.
  public static func configuration(
    sessionExpires: UInt32? = 1800, minSE: UInt32 = 90, honorsRefresherUAS: Bool = false
  ) throws -> ProxyConfiguration {
    let policy = try SessionTimerPolicy(
      sessionExpires: sessionExpires.map { DeltaSeconds($0) }, minSE: DeltaSeconds(minSE),
      honorsRefresherUAS: honorsRefresherUAS)
    let listeners = ["192.0.2.10:5060", "[2001:db8::10]:5060"].compactMap { SocketAddress($0) }.map {
      Listener(transport: .udp, bound: $0)
    }
    return ProxyConfiguration(
      listeners: listeners, sessionTimers: policy,
      allowed: ["0.0.0.0/0", "::/0"].compactMap { AddressBlock($0) })
  }

  /// Keys fixed, so that every run gives the same octets; pages from malloc.
  public static func environment(processKey: HashKey = HashKey(1, 2)) -> ProxyEnvironment {
    let pages = unsafe PageSource(
      map: { count in
        guard let memory = unsafe aligned_alloc(4096, count) else { return nil }
        unsafe memset(memory, 0, count)
        return unsafe memory
      },
      release: { memory, _ in unsafe free(memory) })
    return ProxyEnvironment(
      processKey: processKey, tokenKey: HashKey(3, 4), pages: pages,
      sourceAddress: { _ in IPAddress("192.0.2.10") })
  }

  /// A proxy on the given configuration.
  public init(_ configuration: ProxyConfiguration, environment: ProxyEnvironment = ProxyDriver.environment())
  {
    proxy = Proxy(
      configuration: configuration, environment: environment,
      startingAt: MonotonicInstant(nanoseconds: 1_000_000_000))
  }

  /// Delivers a datagram, or one message of a stream's connection, and returns what the proxy sends because of it,
  /// in order.
  @discardableResult
  public func deliver(
    _ bytes: [UInt8], from source: String, listener: UInt16 = 0, connection: ConnectionID = .none
  ) -> [SentMessage] {
    guard let flow = flow(from: source, listener: listener, connection: connection) else { return [] }
    proxy.receive(bytes.span, over: flow, at: now, into: &outbox)
    return drain()
  }

  /// Delivers a message written with line feeds; they become CR LF. A missing empty line is added.
  @discardableResult
  public func deliver(
    _ text: String, from source: String, listener: UInt16 = 0, connection: ConnectionID = .none
  ) -> [SentMessage] {
    deliver(Self.wire(text), from: source, listener: listener, connection: connection)
  }

  /// Tells the proxy that a connection with a peer is there, as the edge does before its first message.
  public func connectionOpened(
    _ connection: ConnectionID, from source: String, listener: UInt16, byPeer: Bool = true
  ) {
    guard let flow = flow(from: source, listener: listener, connection: connection) else { return }
    proxy.connectionOpened(flow, byPeer: byPeer)
  }

  /// Tells the proxy that a connection is gone.
  public func connectionClosed(_ connection: ConnectionID) { proxy.connectionClosed(connection) }

  /// What a message from a peer arrives over. Listener 0 stands for listener 1 when the peer has an IPv6 address.
  private func flow(from source: String, listener: UInt16, connection: ConnectionID) -> Flow? {
    guard let remote = SocketAddress(source) else { preconditionFailure("no address: \(source)") }
    let local = remote.ip.family == .v4 ? IPAddress("192.0.2.10") : IPAddress("2001:db8::10")
    let index = remote.ip.family == .v6 && listener == 0 ? 1 : listener
    return local.map { Flow(listener: index, remote: remote, local: $0, connection: connection) }
  }

  /// Octets of a message written with line feeds in the header section and an optional body.
  public static func wire(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for byte in text.utf8 where byte != 13 {
      if byte == 10 { bytes.append(13) }
      bytes.append(byte)
    }
    let end: [UInt8] = [13, 10, 13, 10]
    let hasEnd = bytes.indices.contains { start in
      start + 4 <= bytes.count && Array(bytes[start..<start + 4]) == end
    }
    if !hasEnd { bytes += bytes.suffix(2) == [13, 10] ? [13, 10] : end }
    return bytes
  }

  /// Reports that the system refused to send a message and returns what the proxy sends because of it.
  @discardableResult
  public func refuse(_ message: SentMessage) -> [SentMessage] {
    guard let ticket = message.ticket else { return [] }
    proxy.sendFailed(ticket, at: now, into: &outbox)
    return drain()
  }

  /// Answers one of ``questions`` and returns what the proxy sends because of it.
  @discardableResult
  public func answer(_ question: DNSQuestion, with answer: DNSAnswer) -> [SentMessage] {
    questions.removeAll { $0 == question }
    proxy.answered(question, with: answer, at: now, into: &outbox)
    return drain()
  }

  /// Lets the proxy ask what its configuration needs.
  public func begin() {
    proxy.begin(at: now, into: &outbox)
    _ = drain()
  }

  /// Moves the clock, firing every timer at its own instant, and returns all that was sent.
  @discardableResult
  public func advance(by span: TimeSpan) -> [SentMessage] {
    let target = now + span
    var sent: [SentMessage] = []
    while let deadline = proxy.nextDeadline, deadline <= target {
      now = max(now, deadline)
      proxy.advance(to: now, into: &outbox)
      sent += drain()
      if let next = proxy.nextDeadline, next <= now { now = now + TimeSpan(nanoseconds: 1) }
    }
    now = max(now, target)
    proxy.advance(to: now, into: &outbox)
    return sent + drain()
  }

  private func drain() -> [SentMessage] {
    let all = outbox.bytes.bytes
    var sent = outbox.sends.map { send in
      SentMessage(
        bytes: Array(all[send.bytes.lowerBound..<send.bytes.upperBound]), flow: send.flow,
        ticket: send.ticket,
        peer: String(decoding: all[send.peer.lowerBound..<send.peer.upperBound], as: UTF8.self))
    }
    questions += outbox.questions
    outbox.removeAll()
    if let zone, let question = questions.first { sent += answer(question, with: zone(question)) }
    return sent
  }
}
