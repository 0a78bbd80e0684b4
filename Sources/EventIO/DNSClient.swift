internal import CCares
import Glibc
public import SIPSyntax
public import ServerLocation
import Timekeeping

/// Asks DNS servers from within an ``EventLoop``, without ever waiting for one (D57).
///
/// c-ares sends, repeats, and goes over to TCP when a reply is cut off; replies are read by ``ServerLocation``, which
/// keeps their times to live. Names of `/etc/hosts`, `localhost` and numeric names are answered without a server.
/// Answers come in a later turn of the loop, never within ``ask(_:_:)``, and a bounded number of them in each.
@safe
public final class DNSClient {
  /// Questions that may be open at one time; one more fails (G10).
  public static let maximumOpen = 2_048
  /// After this a question ends with the next patrol, however many servers are silent.
  static let timeLimit = TimeSpan.milliseconds(4_500)
  /// Answers delivered in one turn.
  private static let deliveriesAtOnce = 64
  /// How often open questions are looked through for those whose time is over.
  private static let patrolInterval = TimeSpan.milliseconds(250)
  /// Seconds the names of the hosts file are good for, which may change.
  private static let hostsTimeToLive: UInt32 = 10

  private let loop: EventLoop
  private let sockets: DNSSockets
  private var hosts: HostsFile
  /// Owned: made in `init`, destroyed in `deinit`, which ends every question that c-ares has open.
  private var channel: OpaquePointer?

  /// Fires when c-ares wants to repeat or give up.
  private var retryTimer: LoopEvent?
  /// Fires when answers are left for a turn of their own.
  private var deliveryTimer: LoopEvent?
  /// Fires while questions are open, to end those that take too long.
  private var patrolTimer: LoopEvent?
  private var isPatrolling = false

  /// Questions in the order they were asked; ended ones among them until they are the first.
  private var order: [OpenQuestion] = []
  private var answers: [(question: OpenQuestion, answer: DNSAnswer)] = []
  /// Questions that c-ares has not ended yet.
  public private(set) var openCount = 0

  /// A client of the given servers, or of those the system is configured for when there are none.
  public convenience init(loop: EventLoop, servers: [SocketAddress]) throws(EventIOError) {
    try self.init(loop: loop, servers: servers, hostsPath: "/etc/hosts")
  }

  init(loop: EventLoop, servers: [SocketAddress], hostsPath: String) throws(EventIOError) {
    self.loop = loop
    sockets = DNSSockets(loop: loop)
    hosts = HostsFile(path: hostsPath)
    unsafe channel = nil
    unsafe channel = try Self.makeChannel(servers, sockets)
    sockets.isReady = { [unowned self] readable, writable in process(readable, writable) }
    retryTimer = try loop.timer { [unowned self] in process(-1, -1) }
    deliveryTimer = try loop.timer { [unowned self] in deliver() }
    patrolTimer = try loop.timer { [unowned self] in patrol() }
  }

  deinit {
    if let channel = unsafe channel { unsafe ck_dns_close(channel) }
  }

  /// Asks; `done` is called exactly once, unless the client goes away before.
  public func ask(_ question: DNSQuestion, _ done: @escaping (DNSAnswer) -> Void) {
    let open = OpenQuestion(question, client: self, done)
    if let known = localAnswer(to: question) {
      end(open, with: known)
    } else if openCount >= Self.maximumOpen {
      end(open, with: .failure)
    } else if let channel = unsafe channel {
      openCount += 1
      open.start = MonotonicClock.now
      order.append(open)
      // Retained until c-ares calls back, which it does exactly once.
      let context = unsafe Unmanaged.passRetained(open).toOpaque()
      unsafe ck_dns_ask(
        channel, question.name.description, CInt(question.type.wireValue),
        { context, reply, length in
          guard let context = unsafe context else { return }
          let open = unsafe Unmanaged<OpenQuestion>.fromOpaque(context).takeRetainedValue()
          guard let client = open.client else { return }
          client.openCount -= 1
          client.end(open, with: unsafe DNSClient.answer(reply, length, to: open.question))
        }, context)
      if !isPatrolling { isPatrolling = patrolTimer?.arm(after: Self.patrolInterval) ?? false }
    }
    settle()
  }

  /// What needs no server.
  private func localAnswer(to question: DNSQuestion) -> DNSAnswer? {
    let family: IPAddress.Family
    switch question.type {
    case .a: family = .v4
    case .aaaa: family = .v6
    case .srv, .naptr: return nil
    }
    if let numeric = IPAddress(question.name.description) {
      return numeric.family == family
        ? .records([.address(numeric)], timeToLive: .max >> 1) : .none(timeToLive: .max >> 1)
    }
    guard let found = hosts.addresses(of: question.name, family) else { return nil }
    return found.isEmpty
      ? .none(timeToLive: Self.hostsTimeToLive)
      : .records(found.map { .address($0) }, timeToLive: Self.hostsTimeToLive)
  }

  @unsafe
  private static func answer(
    _ reply: UnsafePointer<UInt8>?, _ length: CInt, to question: DNSQuestion
  ) -> DNSAnswer {
    guard let reply = unsafe reply, length > 0 else { return .failure }
    let octets = unsafe UnsafeBufferPointer(start: reply, count: Int(length)).span
    return DNSAnswer(reply: octets, to: question) ?? .failure
  }

  private func end(_ open: OpenQuestion, with answer: DNSAnswer) {
    guard !open.isEnded else { return }
    open.isEnded = true
    answers.append((open, answer))
  }

  /// Lets c-ares read, write or repeat, then delivers what came of it.
  private func process(_ readable: Int32, _ writable: Int32) {
    guard let channel = unsafe channel else { return }
    unsafe ck_dns_process(channel, readable, writable)
    settle()
  }

  /// After every event: arms the timers for what is left to do.
  private func settle() {
    guard let channel = unsafe channel else { return }
    if !answers.isEmpty { deliveryTimer?.arm(after: .zero) }
    let wait = unsafe ck_dns_wait(channel)
    if wait >= 0 {
      retryTimer?.arm(after: TimeSpan(nanoseconds: wait * 1_000))
    } else {
      retryTimer?.disarm()
    }
  }

  private func deliver() {
    let batch = Array(answers.prefix(Self.deliveriesAtOnce))
    answers.removeFirst(batch.count)
    for (question, answer) in batch { question.done(answer) }
    settle()
  }

  /// Ends questions whose time is over; c-ares ends them for itself later, and is not listened to then.
  private func patrol() {
    let now = MonotonicClock.now
    let ended = order.prefix { $0.isEnded || $0.start + Self.timeLimit <= now }
    for question in ended { end(question, with: .failure) }
    order.removeFirst(ended.count)
    isPatrolling = !order.isEmpty && patrolTimer?.arm(after: Self.patrolInterval) == true
    settle()
  }
}

/// A question that has been asked and not been answered.
private final class OpenQuestion {
  let question: DNSQuestion
  let done: (DNSAnswer) -> Void
  weak var client: DNSClient?
  var start = MonotonicInstant.origin
  var isEnded = false

  init(_ question: DNSQuestion, client: DNSClient, _ done: @escaping (DNSAnswer) -> Void) {
    self.question = question
    self.client = client
    self.done = done
  }
}

extension DNSClient {
  /// A channel that reports its sockets, and asks every server twice within the time limit.
  @unsafe
  private static func makeChannel(
    _ servers: [SocketAddress], _ sockets: DNSSockets
  ) throws(EventIOError) -> OpaquePointer {
    let count = servers.isEmpty ? Int(ck_dns_server_count()) : servers.count
    // The second round waits twice as long as the first, so that both take three times this for each server.
    let milliseconds = max(250, 1_400 / max(1, count))
    let list = servers.map(\.description).joined(separator: ",")
    var channel: OpaquePointer?
    let watch: ck_dns_watch = { context, socket, readable, writable in
      guard let context = unsafe context else { return }
      unsafe Unmanaged<DNSSockets>.fromOpaque(context).takeUnretainedValue()
        .watch(socket, readable: readable != 0, writable: writable != 0)
    }
    // Unretained: the client owns both and destroys the channel first.
    let context = unsafe Unmanaged.passUnretained(sockets).toOpaque()
    let error = unsafe ck_dns_open(
      &channel, servers.isEmpty ? nil : list, CInt(milliseconds), watch, context)
    guard error == 0, let channel = unsafe channel else {
      throw EventIOError(operation: "start", errorNumber: error, address: "the DNS client")
    }
    return unsafe channel
  }
}
