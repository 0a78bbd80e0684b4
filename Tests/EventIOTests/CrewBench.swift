import AdminHTTP
import PagedStorage
import SIPSyntax
import SessionTimers
import Timekeeping

@testable import EventIO
@testable import ProxyCore

/// Several workers that listen on UDP and TCP of loopback. All loops turn on the test's own thread, unless it starts
/// the others.
final class CrewBench {
  let crew: Crew
  /// Where they take datagrams and connections.
  let datagramAddress: SocketAddress
  let address: SocketAddress

  init(_ count: Int = 3) throws {
    OperatingSystem.ignoreBrokenPipes()
    let shared = [
      try ListeningTransport(.udp, binding: loopback4, isShared: true),
      try ListeningTransport(.tcp, binding: loopback4, isShared: true),
    ]
    (datagramAddress, address) = (shared[0].bound, shared[1].bound)
    let configuration = ProxyConfiguration(
      listeners: shared.map { Listener(transport: $0.transport, bound: $0.bound) }, sessionTimers: .standard,
      allowed: ["127.0.0.0/8"].compactMap { AddressBlock($0) })
    let probe = try SourceAddressProbe()
    let parts = try (0..<count).map { index in
      WorkerParts(
        loop: try EventLoop(),
        transports: index == 0
          ? shared : try shared.map { try ListeningTransport($0.transport, joining: $0.bound) },
        limits: ConnectionLimits(), dnsServers: [], configuration: configuration,
        environment: ProxyEnvironment(
          processKey: HashKey(1, UInt64(index)), tokenKey: HashKey(3, 4), pages: OperatingSystem.pages,
          sourceAddress: { probe.source(toward: $0) }))
    }
    crew = try Crew(parts, key: HashKey(5, 6))
  }

  /// A counter over all workers.
  func sum(_ counter: Counter) -> UInt64 { crew.counters.reduce(0) { $0 + $1[counter] } }

  /// Turns all loops, or the first one only, until `condition` holds; false when it does not in time.
  func turn(firstOnly: Bool = false, until condition: () -> Bool) -> Bool {
    let heartbeat = try? crew.first.loop.timer {}
    for _ in 0..<2_000 {
      if condition() { return true }
      if !firstOnly { for worker in crew.workers.dropFirst() { worker.loop.turn(waiting: false) } }
      heartbeat?.arm(after: .milliseconds(1))
      crew.first.loop.turn(waiting: true)
    }
    return condition()
  }

  /// Turns until `phone` has `count` datagrams that `isWanted`, and returns them.
  func datagrams(
    _ count: Int, at phone: Phone, firstOnly: Bool = false, where isWanted: (String) -> Bool = { _ in true }
  ) -> [String] {
    var found: [String] = []
    _ = turn(firstOnly: firstOnly) {
      found += phone.datagrams.filter(isWanted)
      return found.count >= count
    }
    return found
  }

  /// Answers a request of the query API.
  func ask(_ target: String) -> (status: Int, body: String)? {
    var answer: AdminResponse?
    let facts = AdminFacts(
      counters: crew.counters, isDraining: false, version: "1", startedAt: crew.first.startedAt,
      now: MonotonicClock.now, secondsSince1970: 0)
    crew.respond(to: AdminRequest(method: "GET", target: target), with: facts) { answer = $0 }
    _ = turn { answer != nil }
    return answer.map { ($0.status, String(decoding: $0.body, as: UTF8.self)) }
  }
}

/// A request over UDP from a phone to another through the proxy; each number is a call of its own.
func datagramRequest(
  _ method: String = "MESSAGE", from phone: Phone, to other: Phone, number: Int, cSeq: Int = 1
) -> String {
  let contact = method == "INVITE" ? "\r\nContact: <sip:a@\(phone.address)>" : ""
  return streamRequest(method, to: "sip:b@\(other.address)", number: number)
    .replacing("SIP/2.0/TCP 127.0.0.1:5060", with: "SIP/2.0/UDP \(phone.address)")
    .replacing("branch=z9hG4bK", with: "branch=z9hG4bK\(cSeq)x")
    .replacing("CSeq: \(number + 1) ", with: "CSeq: \(cSeq) ")
    .replacing("\r\nContent-Length", with: contact + "\r\nContent-Length")
}
