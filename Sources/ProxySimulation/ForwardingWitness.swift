import ProxyCore
import SIPSyntax
import Timekeeping

/// Watches that the proxy passes messages on and does nothing else: RFC 3261 §16, RFC 4028 §8.3, B66, A87.
///
/// * A request that leaves has entered before, but for the proxy's own CANCEL and ACK, and these belong to an
///   INVITE that left, one that was cancelled (or rang for three minutes) or refused.
/// * It goes where its first Route or its Request-URI says, on one branch, or on another where there are several such
///   places and the one before has failed; repeated, it is the same octets.
/// * A response that leaves has entered before, or is one of the few a proxy makes itself. It goes where its
///   request came from, with that request's Via rows.
/// * Bodies, and header fields that B66 does not name, are the same octets on both sides.
/// * A request gets one final response, repeated at most as often as the request itself. An INVITE always gets
///   it, any other request if the next hop answers in time and not with 408 (B79).
struct ForwardingWitness {
  /// A request that entered.
  struct Request {
    let message: WireMessage
    let source: SocketAddress
    let number: Int
    let enteredAt: MonotonicInstant
    var arrivals = 0
    /// The proxy's branch on which it left.
    var branch: String?
    /// A 503 came, or the system refused to send: a 500 may leave (B80, C25).
    var mayFail = false
    /// What went back: the final response that is not a 2xx to INVITE, and how often.
    var answer: [UInt8]?
    var answers = 0
    var hasSucceeded = false
    /// When the first final response left.
    var answeredAt = MonotonicInstant.distantFuture
    /// The clock jumped since, or it came again when its transaction may be over: what happens then is new.
    var isExempt = false

    var isAnswered: Bool { answers > 0 || hasSucceeded }
  }

  /// A request that left.
  struct Outgoing {
    let message: WireMessage
    let destination: Place
    let leftAt: MonotonicInstant
    var count = 1
    var wasHeard = false
    var wasRefused = false
    /// A final response came; what comes after it is late.
    var isOver = false
  }

  /// Where a message went. A stream leads to a host: at its other end may be any port.
  struct Place: Equatable {
    let address: SocketAddress
    let isStream: Bool

    func leads(to other: SocketAddress) -> Bool { isStream ? address.ip == other.ip : address == other }
  }

  let configuration: ProxyConfiguration
  /// Requests that entered, by method and branch of the user agent.
  var requests: [String: Request] = [:]
  /// Requests that left, by method and the proxy's branch.
  var outgoing: [String: Outgoing] = [:]
  /// Responses that entered, by what makes them one of a kind.
  var responses: [String: WireMessage] = [:]
  /// URIs that do not say where they lead: Contacts of clients behind NAT, and names, which may have several places.
  var knownPlaces: [String: [SocketAddress]] = [:]
  /// Hosts whose address the DNS may not have told: a 500 may leave.
  var troubledHosts: Set<String> = []
  /// Hosts that lost a connection: a flow token may lead nowhere (430).
  var brokenHosts: Set<IPAddress> = []
  /// Requests whose final response must leave before the event is over.
  private var owed: Set<String> = []

  init(configuration: ProxyConfiguration) { self.configuration = configuration }

  static func key(_ method: String, _ branch: String) -> String { "\(method) \(branch)" }

  static func key(of response: WireMessage, branch: String) -> String {
    "\(response.status) \(response.cSeqMethod) \(response.toTag) \(branch)"
  }

  // MARK: What happens

  /// A datagram enters the proxy.
  mutating func entered(_ message: WireMessage, from source: SocketAddress, at now: MonotonicInstant) {
    guard let top = message.branches.first else { return }
    guard let method = message.method else { return responseEntered(message, top, at: now) }
    let key = Self.key(method, top)
    let request = Request(message: message, source: source, number: requests.count, enteredAt: now)
    requests[key, default: request].arrivals += 1
    // Timers H, J and L: the transaction ends so long after its final response.
    if let answeredAt = requests[key]?.answeredAt, answeredAt + .milliseconds(31_900) <= now {
      requests[key]?.isExempt = true
    }
    let invite = requests[Self.key("INVITE", top)]
    if method == "CANCEL", let invite, !invite.isAnswered, !invite.isExempt { owed.insert(key) }
  }

  private mutating func responseEntered(_ message: WireMessage, _ top: String, at now: MonotonicInstant) {
    guard message.branches.count > 1 else { return }
    responses[Self.key(of: message, branch: message.branches[1])] = message
    let ours = Self.key(message.cSeqMethod, top)
    guard let left = outgoing[ours] else { return }
    outgoing[ours]?.wasHeard = true
    guard message.status >= 200, !left.isOver else { return }
    outgoing[ours]?.isOver = message.cSeqMethod != "INVITE"
    let key = Self.key(message.cSeqMethod, message.branches[1])
    if message.status == 503 { requests[key]?.mayFail = true }
    if message.cSeqMethod == "INVITE" {
      if message.status >= 300 { outgoing[ours]?.wasRefused = true }
    } else if message.status != 408, message.cSeqMethod != "CANCEL",
      message.status != 503 || !hasSeveralPlaces(left.message), let request = requests[key],
      !request.isAnswered, !request.isExempt,
      request.branch == top, now < left.leftAt + .milliseconds(31_990),
      // The server transaction ends 64*T1 + T4 after it came (RFC 4320 §4.2), wherever its request went meanwhile.
      now < request.enteredAt + .milliseconds(36_990)
    {
      owed.insert(key)
    }
  }

  /// A datagram left the proxy.
  mutating func left(
    _ message: WireMessage, to destination: SocketAddress, isStream: Bool, at now: MonotonicInstant
  ) -> Violation? {
    let place = Place(address: destination, isStream: isStream)
    let fault =
      message.method == nil
      ? faultOfResponse(message, to: place, at: now) : faultOfRequest(message, to: place, at: now)
    return fault.map { Violation("\($0)\n\(Self.text(message))", call: message.callID) }
  }

  /// The system refused to send a request that just left.
  mutating func refused(_ message: WireMessage) {
    guard let method = message.method, message.branches.count > 1 else { return }
    let key = Self.key(method, message.branches[1])
    requests[key]?.mayFail = true
    if let request = requests[key], !request.isAnswered, !hasSeveralPlaces(message) { owed.insert(key) }
  }

  /// The connection of a request broke: its branch fails, unless it has been heard (C25).
  mutating func failed(_ message: WireMessage) {
    guard let method = message.method, message.branches.count > 1 else { return }
    requests[Self.key(method, message.branches[1])]?.mayFail = true
  }

  /// Hours have passed in between: transactions may have ended, and repetitions count as new.
  mutating func clockJumped() {
    for key in requests.keys { requests[key]?.isExempt = true }
  }

  // MARK: What must have happened

  /// The event is over: what was owed must have left.
  mutating func check() -> Violation? {
    guard !owed.isEmpty else { return nil }
    defer { owed = [] }
    let failed = owed.filter { requests[$0]?.isAnswered == false }.compactMap { requests[$0] }
    guard let first = failed.min(by: { $0.number < $1.number }) else { return nil }
    let text = "a \(first.message.method ?? "") was not answered at once (B82, B95, C25)"
    return Violation(text, call: first.message.callID)
  }

  /// Nothing is left to happen: every INVITE has its final response (B77, B91, B92).
  func checkEnd() -> Violation? {
    let silent = requests.values.filter {
      $0.message.method == "INVITE" && !$0.isAnswered && !$0.isExempt
    }
    guard let first = silent.min(by: { $0.number < $1.number }) else { return nil }
    return Violation(
      "an INVITE never got a final response\n\(Self.text(first.message))", call: first.message.callID)
  }

  private static func text(_ message: WireMessage) -> String {
    ([message.startLine] + message.rows.map(\.text)).joined(separator: "\n")
  }
}
