import PagedStorage
public import SIPSyntax
public import ServerLocation

/// Names the branch whose request is being sent, or the next hop of one without a branch, for
/// ``Proxy/sendFailed(_:isLocal:at:into:)``. May outlive it.
public struct SendTicket: BitwiseCopyable, Sendable {
  let branch: SlabID
  /// Number of a ``StatelessHops`` entry; 0 for a branch.
  var hop: UInt16 = 0
  /// For the edge: whose request it is when another worker sends it, counted from 1; 0 for the worker that has it.
  public var origin: UInt16 = 0
}

/// One message to send: where its bytes stand in the outbox, and the flow it leaves on.
public struct Send: BitwiseCopyable, Sendable {
  /// Range of the message in ``Outbox/bytes``.
  public var bytes: ByteRange
  /// Socket and addresses.
  public var flow: Flow
  /// For a request: what to report when the system refuses to send it. Nil for responses and most of what is sent
  /// without a transaction; their failure is only counted (B94).
  public var ticket: SendTicket?
  /// Where the domain that led to the next hop stands in ``Outbox/bytes``, for a TLS connection's server name
  /// and the identity that its certificate must prove (G29, G33); empty when none is known.
  public var peer = ByteRange.none
}

/// All effects of one event: the caller lends it, sends what it holds, and clears it for the next.
public struct Outbox: ~Copyable {
  /// The messages' octets, one after the other.
  public internal(set) var bytes: OutputBuffer
  /// The messages, in the order they must leave.
  public internal(set) var sends: [Send] = []
  /// What the DNS must be asked; each gets exactly one ``Proxy/answered(_:with:at:into:)``.
  public internal(set) var questions: [DNSQuestion] = []

  /// An empty outbox that grows once to what a batch needs.
  public init(capacity: Int = 64 * 1024) {
    bytes = OutputBuffer(capacity: capacity)
    sends.reserveCapacity(128)
  }

  /// Forgets all messages, keeps the memory.
  public mutating func removeAll() {
    bytes.removeAll()
    sends.removeAll(keepingCapacity: true)
    if !questions.isEmpty { questions.removeAll(keepingCapacity: true) }
  }

  /// Closes the message that was written since `start` and addresses it.
  mutating func finish(from start: Int, over flow: Flow, branch: SlabID? = nil) {
    let ticket = branch.map { SendTicket(branch: $0) }
    sends.append(Send(bytes: ByteRange(start, bytes.count), flow: flow, ticket: ticket))
  }

  /// Makes the failure of the last message a report about its next hop.
  mutating func note(hop: UInt16) {
    guard !sends.isEmpty else { return }
    sends[sends.count - 1].ticket = SendTicket(branch: .none, hop: hop)
  }

  /// Says which domain the last message's TLS connection must lead to.
  mutating func namePeer(_ host: ByteRange, in source: Span<UInt8>) {
    guard !sends.isEmpty else { return }
    let start = bytes.count
    bytes.append(source, host)
    sends[sends.count - 1].peer = ByteRange(start, bytes.count)
  }
}
