public import CallState
public import ProxyCore
import SIPSyntax
import SessionTimers
public import Timekeeping

/// Who can be asked about single dialogs; a proxy is.
public protocol DialogSource: ~Copyable {
  /// One page of the table, from a cursor on; 0 begins.
  func dialogs(from cursor: UInt32, limit: Int, at now: MonotonicInstant) -> DialogPage
  /// One dialog; nil when it has ended.
  func dialog(_ id: UInt64, at now: MonotonicInstant) -> DialogView?
  /// The session-timer decisions remembered of a call, a part of the table at a time.
  func decisions(callID: [UInt8], from cursor: UInt32, at now: MonotonicInstant) -> DecisionPage
}

extension Proxy: DialogSource {}

/// What the API tells besides single dialogs: the same for any number of workers, whose counters are summed.
public struct AdminFacts: Sendable {
  /// The counters of every worker.
  public var counters: [Counters]
  /// Whether new calls are refused because the process is about to end.
  public var isDraining: Bool
  /// The program's version.
  public var version: String
  /// When the process began to serve.
  public var startedAt: MonotonicInstant
  /// Now, on the clock of `startedAt`.
  public var now: MonotonicInstant
  /// Now by the wall clock, in seconds since 1970; for people only.
  public var secondsSince1970: Int64
  /// Where SIP is received, such as `udp:192.0.2.10:5060`.
  public var listeners: [String]
  /// The number of the worker that answers.
  public var worker = 0

  /// Gathers the facts for one answer.
  public init(
    counters: [Counters], isDraining: Bool, version: String, startedAt: MonotonicInstant,
    now: MonotonicInstant, secondsSince1970: Int64, listeners: [String] = []
  ) {
    self.counters = counters
    self.isDraining = isDraining
    self.version = version
    self.startedAt = startedAt
    self.now = now
    self.secondsSince1970 = secondsSince1970
    self.listeners = listeners
  }

  /// A counter over all workers.
  func sum(_ counter: Counter) -> UInt64 { counters.reduce(0) { $0 &+ $1[counter] } }
  /// A gauge over all workers.
  func sum(_ gauge: Gauge) -> Int { counters.reduce(0) { $0 &+ $1[gauge] } }

  /// Whole seconds since the start.
  var uptime: Int64 { max(0, now.duration(since: startedAt).wholeSeconds) }
}

/// The query API: request in, response out, over what a proxy and its counters say at this moment.
///
/// Answers about numbers never touch the table; a page of dialogs costs its length.
public enum AdminService {
  /// Dialogs on a page when the request does not say.
  public static let defaultPage = 100
  /// Dialogs on a page at most; a request for more gets this many.
  public static let longestPage = 1_000

  /// Answers a request.
  public static func respond<Source: DialogSource & ~Copyable>(
    to request: AdminRequest, with facts: AdminFacts, asking source: borrowing Source
  ) -> AdminResponse {
    guard request.method == "GET" || request.method == "HEAD" else {
      return .refusal(405, "only GET and HEAD are served")
    }
    let path = request.segments.map { String(decoding: $0, as: UTF8.self) }
    switch (path.count, path.first) {
    case (1, "dialogs"): return page(request, facts, source)
    case (2, "dialogs") where path[1] == "count": return count(facts)
    case (2, "dialogs"): return dialog(request.segments[1], facts, source)
    case (1, "why"): return decisions(request, facts, source)
    case (1, "stats"): return statistics(facts)
    case (1, "metrics"):
      return AdminResponse(
        status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: metricsText(facts))
    case (1, "healthz"): return .json { $0.field("status", "ok") }
    case (1, "readyz"):
      return .json(status: facts.isDraining ? 503 : 200) {
        $0.field("status", facts.isDraining ? "draining" : "ready")
      }
    default:
      return .refusal(
        404, "no such resource; try /dialogs/count /dialogs /why /stats /metrics /healthz /readyz")
    }
  }

  private static func count(_ facts: AdminFacts) -> AdminResponse {
    .json { $0.dialogCounts(facts) }
  }

  private static func page<Source: DialogSource & ~Copyable>(
    _ request: AdminRequest, _ facts: AdminFacts, _ source: borrowing Source
  ) -> AdminResponse {
    switch DialogListing.asked(by: request, facts) {
    case .refused(let refusal): return refusal
    case .listing(var listing):
      listing.add(from: source, facts)
      return listing.response(facts)
    }
  }

  static let badCursor = AdminResponse.refusal(400, "cursor must be the cursor of an earlier page")

  /// Where a walk goes on in a worker's table; 0 when the request does not say, nil when it says nonsense.
  static func cursor(of request: AdminRequest, _ facts: AdminFacts) -> UInt32? {
    guard let value = request.value(of: "cursor"), !value.isEmpty else { return 0 }
    return decimal(value).flatMap { facts.place.position(of: $0) }
  }

  private static func dialog<Source: DialogSource & ~Copyable>(
    _ segment: [UInt8], _ facts: AdminFacts, _ source: borrowing Source
  ) -> AdminResponse {
    guard let id = decimal(segment) else {
      return .refusal(400, "a dialog's id is a number, as /dialogs gives it")
    }
    guard let own = facts.place.id(of: id), let dialog = source.dialog(own, at: facts.now) else {
      return .refusal(404, "no such dialog; it may have ended")
    }
    return .json { $0.dialog(dialog, id: id, facts) }
  }

  private static func decisions<Source: DialogSource & ~Copyable>(
    _ request: AdminRequest, _ facts: AdminFacts, _ source: borrowing Source
  ) -> AdminResponse {
    guard let callID = request.value(of: "call-id"), !callID.isEmpty else {
      return .refusal(400, "call-id is missing: /why?call-id=...")
    }
    guard let cursor = cursor(of: request, facts) else { return badCursor }
    let page = source.decisions(callID: callID, from: cursor, at: facts.now)
    return .json { json in
      json.field("call_id", callID)
      json.array("decisions") { json in
        for report in page.reports {
          json.object { $0.decision(report, facts) }
        }
      }
      json.field("cursor", page.next.map { String(facts.place.cursor(at: $0)) })
    }
  }

  private static func statistics(_ facts: AdminFacts) -> AdminResponse {
    .json { json in
      json.field("version", facts.version)
      json.field("uptime", facts.uptime)
      json.field("draining", facts.isDraining)
      json.field("listen", facts.listeners.joined(separator: ","))
      json.object("dialogs") { $0.dialogCounts(facts) }
      json.object("gauges") { json in
        for gauge in Gauge.allCases { json.field(gauge.snakeCase, facts.sum(gauge)) }
      }
      json.object("counters") { json in
        for counter in Counter.allCases { json.field(counter.snakeCase, facts.sum(counter)) }
      }
    }
  }
}

extension JSONWriter {
  fileprivate mutating func dialogCounts(_ facts: AdminFacts) {
    let timed = facts.sum(Gauge.dialogsTimed)
    let untimed = facts.sum(Gauge.dialogsUntimed)
    field("active", timed + untimed)
    field("early", facts.sum(Gauge.dialogsEarly))
    field("timed", timed)
    field("untimed", untimed)
  }

  mutating func dialog(_ dialog: DialogView, id: UInt64, _ facts: AdminFacts) {
    field("id", String(id))
    field("call_id", dialog.text.callID)
    field("caller_tag", dialog.text.callerTag)
    field("callee_tag", dialog.text.calleeTag)
    field("caller", dialog.text.callerContact.isEmpty ? nil : dialog.text.callerContact)
    field("callee", dialog.text.calleeContact.isEmpty ? nil : dialog.text.calleeContact)
    field("state", dialog.state == .early ? "early" : "confirmed")
    field("interval", dialog.interval?.seconds)
    field("refresher", dialog.refresher.map { $0 == .caller ? "caller" : "callee" })
    // The record goes within a second after the session, and is not said to outlive it.
    field("expires_in", dialog.expiresIn.map { min($0, dialog.interval?.seconds ?? .max) })
    field("created", facts.secondsSince1970 - Int64(dialog.age))
  }

  fileprivate mutating func decision(_ report: DecisionReport, _ facts: AdminFacts) {
    field("dialog", report.dialog.map { String(facts.place.publicID(of: $0)) })
    field("clause", report.name)
    field("citation", report.citation)
    field("explanation", report.explanation)
    field("request", report.isUpdate ? "UPDATE" : "INVITE")
    field("from", report.fromCaller ? "caller" : "callee")
    field("value_in", report.valueIn.seconds)
    field("value_out", report.valueOut.seconds)
    field("age", report.age)
  }
}

extension SessionTimerDecision.Value {
  /// The interval; of one too long to be remembered, the longest that is. Nil when there was none.
  fileprivate var seconds: UInt32? {
    switch self {
    case .absent: nil
    case .exactly(let seconds), .atLeast(let seconds): seconds
    }
  }
}
