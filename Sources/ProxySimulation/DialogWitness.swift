import CallState
import ProxyCore
import SIPSyntax
import Timekeeping

/// Knows which calls are up and until when, from nothing but the messages on the wire (RFC 4028 §8.2, §8.3).
///
/// * A dialog is up from the first passing of its 2xx on (F2), and early from a 101-199 with a To tag (F4).
/// * It ends when a BYE is answered by 2xx or 481, or by nobody for 64*T1 (F22), at a 481 to a refresh (F24),
///   and otherwise when its session, counted from the last 2xx that was new, expires (A76, A77).
/// * While a refresh of it is under way it does not expire (A89).
/// * A 2xx that passes again brings nothing back, nor does one of a refresh whose dialog has ended meanwhile.
struct DialogWitness {
  /// What should be true of one dialog.
  struct Expectation {
    let callID: String
    var isConfirmed: Bool
    var isTimed = false
    /// When the session expires; the proxy may remove the dialog from here on.
    var expires: MonotonicInstant
    /// The early dialog's INVITE, by branch.
    var invite: String
    /// Refreshes under way, by branch, and when they end by themselves.
    var refreshes: [String: MonotonicInstant] = [:]
    /// Earliest instant at which the last of them was over.
    var refreshedUntil = MonotonicInstant.origin
    /// When a BYE or UPDATE that nobody answers times out: F22, C39.
    var byeTimeout = MonotonicInstant.distantFuture

    /// The dialog must not be removed before; a refresh that timed out by `now` does not hold it.
    func floor(at now: MonotonicInstant) -> MonotonicInstant {
      min(byeTimeout, refreshes.values.contains { $0 > now } ? .distantFuture : expires)
    }
    /// The dialog must be gone afterwards: one second, and the slices of a busy proxy.
    var limit: MonotonicInstant {
      let expiry = refreshes.isEmpty ? max(expires, refreshedUntil) + .milliseconds(1001) : .distantFuture
      return min(expiry, byeTimeout == .distantFuture ? .distantFuture : byeTimeout + DialogWitness.wheelTick)
    }
  }

  /// A request within a dialog that was forwarded and has no final response yet.
  private struct Transaction {
    let dialog: String
    let method: String
    /// The proxy's own branch: another one is another transaction.
    let leftOn: String
    /// Whether the dialog was there when the request passed.
    let isAttached: Bool
    let timesOutAt: MonotonicInstant
    var isOver = false
    /// To tags of the 2xx that have passed.
    var succeeded: Set<String> = []
  }

  /// Wheels of the proxy tick every 8 ms.
  fileprivate static let wheelTick = TimeSpan.milliseconds(10)
  private let configuration: ProxyConfiguration
  private let start: MonotonicInstant
  private var expected: [String: Expectation] = [:]
  private var transactions: [String: Transaction] = [:]
  /// Branches of transactions that end by themselves, in the order of their end.
  private var timeouts: [(at: MonotonicInstant, branch: String)] = []
  private var timedOut = 0
  /// Early dialogs that a BYE ended: the 2xx it overtook does not bring them up.
  private var overBeforeItBegan: Set<String> = []
  /// The datagram that entered last.
  private var arriving: WireMessage?
  /// No expectation's limit is earlier.
  private(set) var earliestLimit = MonotonicInstant.distantFuture
  /// The proxy has not come round to all that is due: nothing is overdue yet.
  var isProxyBehind = false
  /// Whether messages changed what is expected since the last comparison.
  private(set) var hasNews = false

  init(configuration: ProxyConfiguration, start: MonotonicInstant) {
    self.configuration = configuration
    self.start = start
  }

  private static func key(_ message: WireMessage) -> String {
    let (first, second) = (min(message.fromTag, message.toTag), max(message.fromTag, message.toTag))
    return "\(message.callID) \(first) \(second)"
  }

  // MARK: What passes

  /// A datagram enters the proxy; only a 408 that ends there matters (C47).
  mutating func entered(_ message: WireMessage, at now: MonotonicInstant) {
    endOverdueTransactions(at: now)
    arriving = message
    guard message.status == 408, message.cSeqMethod != "INVITE", message.branches.count > 1 else { return }
    conclude(message, branch: message.branches[1], at: now)
  }

  /// A datagram left the proxy.
  mutating func left(_ message: WireMessage, at now: MonotonicInstant) {
    endOverdueTransactions(at: now)
    if message.method != nil {
      requestLeft(message, at: now)
    } else if message.status > 100, let branch = message.branches.first {
      responseLeft(message, branch: branch, at: now)
    }
  }

  private mutating func requestLeft(_ message: WireMessage, at now: MonotonicInstant) {
    guard let method = message.method, ["INVITE", "UPDATE", "BYE"].contains(method),
      message.branches.count > 1,
      transactions[message.branches[1]]?.leftOn != message.branches[0]
    else { return }
    let branch = message.branches[1]
    // What rang at the place before is over when the request goes to another.
    if transactions[branch]?.dialog.isEmpty == true {
      expected = expected.filter { $0.value.isConfirmed || $0.value.invite != branch }
    }
    let dialog = message.toTag.isEmpty ? "" : Self.key(message)
    let isAttached = expected[dialog] != nil
    let end = method == "INVITE" ? MonotonicInstant.distantFuture : now + .seconds(32)
    transactions[branch] = Transaction(
      dialog: dialog, method: method, leftOn: message.branches[0], isAttached: isAttached, timesOutAt: end)
    guard isAttached else { return }
    if method == "BYE" {
      let earliest = min(end, expected[dialog]?.byeTimeout ?? end)
      expected[dialog]?.byeTimeout = earliest
    } else {
      expected[dialog]?.refreshes[branch] = end
      if method == "UPDATE" { timeouts.append((end, branch)) }
    }
    hasNews = true
  }

  private mutating func responseLeft(_ message: WireMessage, branch: String, at now: MonotonicInstant) {
    guard let transaction = transactions[branch], transaction.method == message.cSeqMethod else { return }
    switch message.status {
    case ..<200:
      // One that only answers a repeated INVITE says nothing new.
      guard transaction.dialog.isEmpty, !message.toTag.isEmpty, arriving?.status == message.status else {
        return
      }
      let early = Expectation(
        callID: message.callID, isConfirmed: false, expires: now + .seconds(600), invite: branch)
      expected[Self.key(message), default: early].expires = max(
        expected[Self.key(message)]?.expires ?? .origin, early.expires)
      hasNews = true
    case ..<300 where transaction.method != "BYE":
      succeeded(message, transaction, branch: branch, at: now)
    default:
      conclude(message, branch: branch, at: now)
    }
  }

  private mutating func succeeded(
    _ message: WireMessage, _ transaction: Transaction, branch: String, at now: MonotonicInstant
  ) {
    hasNews = true
    let dialog = Self.key(message)
    let isNew = transactions[branch]?.succeeded.insert(message.toTag).inserted ?? false
    close(branch, at: now)
    guard isNew else { return }
    let isKnown = expected[dialog] != nil
    if transaction.isAttached && !isKnown { return }
    if transaction.dialog.isEmpty && overBeforeItBegan.contains(dialog) { return }
    // A 2xx to UPDATE says nothing about a call that is not up yet.
    if transaction.method == "UPDATE", let known = expected[dialog], !known.isConfirmed { return }
    var expectation =
      expected[dialog]
      ?? Expectation(callID: message.callID, isConfirmed: true, expires: now, invite: branch)
    expectation.isConfirmed = true
    let interval = message.number("session-expires").map { TimeSpan.seconds(Int64($0)) }
    expectation.isTimed = interval != nil
    let life = interval.map { min($0, configuration.maxSession ?? $0) } ?? configuration.untimedLifetime
    expectation.expires = life.map { now + $0 } ?? .distantFuture
    expected[dialog] = expectation
  }

  /// A final response that is no 2xx to a refresh, or the answer to a BYE.
  private mutating func conclude(_ message: WireMessage, branch: String, at now: MonotonicInstant) {
    guard let transaction = transactions[branch], !transaction.isOver else { return }
    hasNews = true
    close(branch, at: now)
    if transaction.dialog.isEmpty {
      expected = expected.filter { $0.value.isConfirmed || $0.value.invite != branch }
      return
    }
    guard transaction.isAttached else { return }
    let endsCall =
      transaction.method == "BYE"
      ? message.status < 300 || message.status == 481 || message.status == 408 : message.status == 481
    if endsCall {
      let wasUp = expected.removeValue(forKey: transaction.dialog)?.isConfirmed ?? true
      if !wasUp && transaction.method == "BYE" { overBeforeItBegan.insert(transaction.dialog) }
    } else if transaction.method == "BYE" {
      expected[transaction.dialog]?.byeTimeout = .distantFuture
    }
  }

  private mutating func close(_ branch: String, at now: MonotonicInstant) {
    guard let transaction = transactions[branch], !transaction.isOver else { return }
    transactions[branch]?.isOver = true
    if expected[transaction.dialog]?.refreshes.removeValue(forKey: branch) != nil {
      expected[transaction.dialog]?.refreshedUntil = now
    }
  }

  private mutating func endOverdueTransactions(at now: MonotonicInstant) {
    guard !isProxyBehind else { return }
    while timedOut < timeouts.count, timeouts[timedOut].at <= now {
      close(timeouts[timedOut].branch, at: now)
      timedOut += 1
      hasNews = true
    }
  }

  // MARK: What the proxy says

  /// Compares every dialog of the proxy with what is expected of it, and the other way round.
  mutating func compare(with table: [DialogView], at now: MonotonicInstant) -> Violation? {
    endOverdueTransactions(at: now)
    hasNews = false
    earliestLimit = timedOut < timeouts.count ? timeouts[timedOut].at : .distantFuture
    var missing = Set(expected.keys)
    for view in table {
      let (first, second) = (min(view.callerTag, view.calleeTag), max(view.callerTag, view.calleeTag))
      let key = "\(view.callID) \(first) \(second)"
      guard let expectation = expected[key] else {
        return Violation("a dialog is \(view.state) that never was or has ended", call: view.callID)
      }
      if let fault = fault(of: view, expectation, at: now) {
        return Violation(fault + " (dialog \(key))", call: view.callID)
      }
      missing.remove(key)
      earliestLimit = min(earliestLimit, expectation.limit)
    }
    for key in missing.sorted() {
      guard let expectation = expected[key] else { continue }
      // Early dialogs may go any time after their INVITE has its final response, or when clocks jump.
      let isSetUp = transactions[expectation.invite]?.isOver ?? true || expectation.expires <= now
      let mayGo = expectation.isConfirmed ? expectation.floor(at: now) <= now : isSetUp
      if !mayGo {
        let left = expectation.expires.duration(since: now).wholeMilliseconds
        return Violation("a dialog was removed \(left) ms early (\(key))", call: expectation.callID)
      }
      expected[key] = nil
    }
    return nil
  }

  private func fault(
    of view: DialogView, _ expectation: Expectation, at now: MonotonicInstant
  ) -> String? {
    if (view.state == .confirmed) != expectation.isConfirmed {
      return "the dialog is \(view.state), which the messages do not say"
    }
    if expectation.limit < now, !isProxyBehind {
      return "the dialog should have gone at \(expectation.limit.nanoseconds / 1_000_000) ms"
    }
    guard expectation.isConfirmed else { return nil }
    if (view.interval != nil) != expectation.isTimed { return "the dialog has the wrong kind of lifetime" }
    let second = max(0, now.duration(since: start).wholeSeconds)
    let due = (expectation.expires.duration(since: start) + TimeSpan(nanoseconds: 999_999_999)).wholeSeconds
    if let shown = view.expiresIn, Int64(shown) != max(0, due - second) {
      return "the dialog expires in \(shown) s, not in \(due - second) s"
    }
    return nil
  }
}
