import Glibc
import PagedStorage
import ProxyCore
import SIPSyntax
import SessionTimers
import Timekeeping

/// One datagram that reaches the proxy, and when.
struct TracedEvent {
  let bytes: [UInt8]
  let flow: Flow
  let now: MonotonicInstant
}

/// Everything that reaches a proxy while calls are set up and ended, recorded once and played as often as one likes.
///
/// A call is INVITE, 180, 200, ACK, BYE, 200 with session timers and Record-Route, 200 ms between two calls, so that 160
/// of them have transactions at a time. The same keys give the same branches: the answers in the trace fit every proxy
/// that it is played to.
struct CallTrace {
  private(set) var events: [TracedEvent] = []
  private let caller = Peer("127.0.0.2:5071")
  private let callee = Peer("127.0.0.3:5072")
  private var now = Self.start

  static let start = MonotonicInstant(nanoseconds: 1_000_000_000)

  /// Records `calls` calls after one another.
  init(calls: Int) {
    var proxy = CallTrace.proxy()
    var outbox = Outbox()
    for number in 0..<calls {
      now = now + .milliseconds(200)
      proxy.advance(to: now, into: &outbox)
      outbox.removeAll()
      let invite = send(CallText.invite(number, caller.text, callee.text), from: caller, to: &proxy, &outbox)
      _ = send(CallText.answer("180 Ringing", to: invite, callee.text), from: callee, to: &proxy, &outbox)
      let accept = CallText.answer("200 OK", to: invite, callee.text)
      let accepted = send(accept, from: callee, to: &proxy, &outbox)
      for method in ["ACK", "BYE"] {
        let request = CallText.request(method, after: accepted, number, caller.text, callee.text)
        let forwarded = send(request, from: caller, to: &proxy, &outbox)
        if method == "BYE" {
          _ = send(CallText.answer("200 OK", to: forwarded, callee.text), from: callee, to: &proxy, &outbox)
        }
      }
    }
  }

  /// Gives the datagram to the proxy, notes it, and returns the one message that leaves because of it.
  private mutating func send(
    _ text: String, from peer: Peer, to proxy: inout Proxy, _ outbox: inout Outbox
  ) -> String {
    let event = TracedEvent(bytes: Array(text.utf8), flow: peer.flow, now: now)
    events.append(event)
    proxy.receive(event.bytes.span, over: event.flow, at: now, into: &outbox)
    guard outbox.sends.count == 1, let message = outbox.sends.first else {
      fatalError("\(outbox.sends.count) messages left because of\n\(text)")
    }
    let octets = outbox.bytes.bytes
    let sent = (message.bytes.lowerBound..<message.bytes.upperBound).map { octets[$0] }
    outbox.removeAll()
    return String(decoding: sent, as: UTF8.self)
  }

  /// Plays the trace to a proxy, with the timers that fire meanwhile.
  func play(to proxy: inout Proxy, _ outbox: inout Outbox) {
    for event in events {
      if event.bytes.first == UInt8(ascii: "I") { proxy.advance(to: event.now, into: &outbox) }
      proxy.receive(event.bytes.span, over: event.flow, at: event.now, into: &outbox)
      outbox.removeAll()
    }
  }

  /// A proxy on 127.0.0.1:5060 with fixed keys.
  static func proxy() -> Proxy {
    guard let address = SocketAddress("127.0.0.1:5060"), let policy = try? SessionTimerPolicy() else {
      fatalError("the configuration of the benchmark")
    }
    let configuration = ProxyConfiguration(
      listeners: [Listener(transport: .udp, bound: address)], sessionTimers: policy,
      allowed: ["127.0.0.0/8"].compactMap { AddressBlock($0) })
    return Proxy(
      configuration: configuration,
      environment: ProxyEnvironment(
        processKey: HashKey(1, 2), tokenKey: HashKey(3, 4), pages: .system,
        sourceAddress: { _ in IPAddress("127.0.0.1") }),
      startingAt: start)
  }
}

extension PageSource {
  /// Anonymous mappings, which do not count as heap allocations.
  static let system = unsafe PageSource(
    map: { count in
      let memory = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      return unsafe memory == MAP_FAILED ? nil : memory
    },
    release: { memory, count in unsafe munmap(memory, count) })
}

/// A user agent of the trace.
private struct Peer {
  let text: String
  let flow: Flow

  init(_ text: String) {
    guard let remote = SocketAddress(text), let local = IPAddress("127.0.0.1") else {
      fatalError("no address: \(text)")
    }
    self.text = text
    flow = Flow(listener: 0, remote: remote, local: local)
  }
}
