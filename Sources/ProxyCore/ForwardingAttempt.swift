// RFC 3261 section 16.6 item 7, RFC 3263 sections 4.2 and 4.3: several ways for one request (B61, D54, D55).
//
// Left open: what is kept for it. A request with one known address keeps nothing here. One whose name is being
// looked up, that has several addresses, or that left UDP because of its size keeps its octets as received, so that
// every further try is made from the very message the client sent.

import PagedStorage
import SIPSyntax
import ServerLocation
import Timekeeping

/// One way a request can go.
struct AttemptTarget: BitwiseCopyable {
  var address: SocketAddress
  var transport: TransportProtocol
  /// The request may be larger than a datagram should be: TCP was tried because of that, and refused (D4).
  var ignoresSize = false
  /// TCP stands here only because of the size of the request (D3).
  var switchedForSize = false
}

/// What a server transaction keeps as long as its request may have to be sent another way.
///
/// The record owns ``original``; the server transaction owns the record.
struct ForwardingAttempt: SlabRecord {
  var generation: UInt32 = 0
  var freeLink: UInt32 = 0
  /// The transaction the request belongs to.
  let server: SlabID
  /// How the request came.
  let arrival: Flow
  /// Whether it came over a connection that its client had opened: that may be gone when the request leaves.
  private let isFromClient: Bool
  /// The request as it was received.
  let original: Blob
  /// Ways that remain are those from ``next`` on.
  var targets = InlineArray<8, AttemptTarget?>(repeating: nil)
  var count = 0
  var next = 0
  /// The two ways of a request that is too large for a datagram; they come before the others.
  private var overTCP: AttemptTarget?
  private var overUDP: AttemptTarget?
  var pushesNextHop = false
  /// One of the ways gave no answer in time: the last word is 408 and not 500.
  var hasTimedOut = false
  /// How often it began to wait again for the DNS.
  var resumptions = 0

  init(server: SlabID, arrival: Flow, isFromClient: Bool, original: Blob) {
    self.server = server
    self.arrival = arrival
    self.isFromClient = isFromClient
    self.original = original
  }

  /// The request as if it arrived again.
  func arriving(at now: MonotonicInstant) -> Arrival {
    Arrival(flow: arrival, now: now, isFromClient: isFromClient)
  }

  /// Puts a way that is too large for a datagram in front of those that remain: over TCP, unless that is known to be
  /// dead, and over UDP after all (D3, D4).
  mutating func switchForSize(_ address: SocketAddress, tcpIsDead: Bool) {
    if !tcpIsDead {
      overTCP = AttemptTarget(address: address, transport: .tcp, switchedForSize: true)
    }
    overUDP = AttemptTarget(address: address, transport: .udp, ignoresSize: true)
  }

  /// Adds a way; those beyond the eighth are not tried.
  mutating func append(_ target: AttemptTarget) {
    guard count < 8 else { return }
    targets[count] = target
    count += 1
  }

  /// Takes the next way.
  mutating func takeNext() -> AttemptTarget? {
    if let target = overTCP {
      overTCP = nil
      return target
    }
    if let target = overUDP {
      overUDP = nil
      return target
    }
    guard next < count else { return nil }
    defer { next += 1 }
    return targets[next]
  }
}

/// The attempts of one worker, and which of them wait for which location.
struct AttemptTable: ~Copyable {
  var slab: Slab<ForwardingAttempt>
  private var waiting: [LocationID: [SlabID]] = [:]

  init(pages: PageSource) { slab = Slab(pages: pages, recordsPerChunk: 256) }

  /// Lets an attempt wait until a location is settled.
  mutating func wait(_ attempt: SlabID, for location: LocationID) {
    waiting[location, default: []].append(attempt)
  }

  /// The attempts that waited for a location; some may be gone since.
  mutating func takeWaiting(for location: LocationID) -> [SlabID] {
    waiting.removeValue(forKey: location) ?? []
  }
}
