import PagedStorage
import SIPSyntax
import SessionTimers
import Timekeeping

@testable import EventIO
@testable import ProxyCore

/// A worker that listens on TCP and UDP of loopback.
final class StreamBench {
  let loop: EventLoop
  let worker: Worker
  /// Where the TCP listener is.
  let address: SocketAddress
  /// Where it takes datagrams.
  let datagramAddress: SocketAddress
  var counters: Counters { worker.counters }
  var connections: ConnectionTable { worker.connections }

  init(_ ip: SocketAddress = loopback4, adjusting adjust: (inout ConnectionLimits) -> Void = { _ in }) throws
  {
    // What a peer does must not end the tests.
    OperatingSystem.ignoreBrokenPipes()
    var limits = ConnectionLimits()
    adjust(&limits)
    loop = try EventLoop()
    let transports = [
      try ListeningTransport(.udp, binding: ip), try ListeningTransport(.tcp, binding: ip),
    ]
    address = transports[1].bound
    datagramAddress = transports[0].bound
    let configuration = ProxyConfiguration(
      listeners: transports.map { Listener(transport: $0.transport, bound: $0.bound) },
      sessionTimers: .standard, allowed: ["127.0.0.0/8", "::1"].compactMap { AddressBlock($0) })
    let probe = try SourceAddressProbe()
    worker = try Worker(
      loop: loop, transports: transports, limits: limits, configuration: configuration,
      environment: ProxyEnvironment(
        processKey: HashKey(1, 2), tokenKey: HashKey(3, 4), pages: OperatingSystem.pages,
        sourceAddress: { probe.source(toward: $0) }))
  }

  /// A request over TCP that the proxy answers itself.
  func ping(_ number: Int = 0, length: String? = nil, body: String = "") -> String {
    streamRequest("OPTIONS", to: "sip:\(address)", number: number, length: length, body: body)
  }

  /// Turns the loop until `condition` holds.
  func turn(until condition: () -> Bool) -> Bool { loop.turn(until: condition) }

  /// A connection that has been accepted.
  func connect() -> StreamPeer {
    let before = counters[.connectionsAccepted]
    let peer = StreamPeer(connectingTo: address)
    _ = turn { counters[.connectionsAccepted] > before }
    return peer
  }

  /// Waits until a peer has `count` messages and returns them.
  func messages(_ count: Int, at peer: StreamPeer) -> [String] {
    var found: [String] = []
    _ = turn {
      found = peer.messages
      return found.count >= count
    }
    return found
  }

  /// Waits for a connection to `listener` and accepts it.
  func accept(from listener: StreamListener) -> StreamPeer? {
    var peer: StreamPeer?
    _ = turn {
      peer = listener.accept()
      return peer != nil
    }
    return peer
  }

  /// Lets so much time pass for the connections as if nothing else happened meanwhile.
  func pass(_ time: TimeSpan) {
    connections.sweep(at: MonotonicClock.now + time)
    connections.whenChanged()
  }
}

/// A request over TCP, for the proxy to forward.
func streamRequest(
  _ method: String = "MESSAGE", to uri: String, number: Int = 0, length: String? = nil, body: String = ""
) -> String {
  """
  \(method) \(uri) SIP/2.0\r
  Via: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK\(method)\(number)\r
  Max-Forwards: 70\r
  From: <sip:ping@127.0.0.1>;tag=1\r
  To: <sip:127.0.0.1>\r
  Call-ID: call\(number)\r
  CSeq: \(number + 1) \(method)\r
  \(length ?? "Content-Length: \(body.utf8.count)")\r
  \r
  \(body)
  """
}

/// The response to a request as a user agent gives it.
func streamResponse(_ status: Int, to request: String) -> String {
  let kept = request.split(separator: "\r\n").filter { line in
    ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].contains { line.hasPrefix($0) }
  }
  let rows = kept.map { $0.hasPrefix("To:") ? $0 + ";tag=uas" : $0 }
  return (["SIP/2.0 \(status) Said"] + rows + ["Content-Length: 0", "", ""]).joined(separator: "\r\n")
}
