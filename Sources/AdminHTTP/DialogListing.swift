import CallState
import ProxyCore

/// One page of `/dialogs`, to which one worker after the other adds what its table has.
///
/// With one worker it is a page of that worker's table. With several, a page that is not full when a table ends goes
/// on in the next worker's.
public struct DialogListing: Sendable {
  private let limit: Int
  private var rows: [(dialog: DialogView, id: UInt64)] = []
  /// Where the walk goes on; nil at the end.
  private var cursor: UInt64?

  /// What a request for a page leads to.
  public enum Asked: Sendable {
    /// An empty page, to be filled from the worker that the request's cursor names on.
    case listing(DialogListing)
    /// The request is wrong.
    case refused(AdminResponse)
  }

  /// Reads the page that a request asks for; `facts.worker` is the one that its cursor names.
  public static func asked(by request: AdminRequest, _ facts: AdminFacts) -> Asked {
    var limit = UInt64(AdminService.defaultPage)
    if let value = request.value(of: "limit") {
      guard let number = decimal(value), number > 0 else {
        return .refused(.refusal(400, "limit must be a number from 1 to \(AdminService.longestPage)"))
      }
      limit = min(number, UInt64(AdminService.longestPage))
    }
    guard let position = AdminService.cursor(of: request, facts) else {
      return .refused(AdminService.badCursor)
    }
    return .listing(DialogListing(limit: Int(limit), cursor: facts.place.cursor(at: position)))
  }

  private init(limit: Int, cursor: UInt64) {
    self.limit = limit
    self.cursor = cursor
  }

  /// Adds what the table of `facts.worker` has.
  public mutating func add<Source: DialogSource & ~Copyable>(
    from source: borrowing Source, _ facts: AdminFacts
  ) {
    guard let cursor, let position = facts.place.position(of: cursor) else { return }
    let page = source.dialogs(from: position, limit: limit - rows.count, at: facts.now)
    rows += page.dialogs.map { ($0, facts.place.publicID(of: $0.publicID)) }
    self.cursor = facts.place.cursor(behind: page.next)
  }

  /// The worker whose table comes next on this page; nil when it is complete.
  public var nextWorker: Int? {
    guard let cursor, rows.count < limit, UInt32(truncatingIfNeeded: cursor) == 0 else { return nil }
    return WorkerPlace.owner(ofCursor: cursor)
  }

  /// The page as it is.
  public func response(_ facts: AdminFacts) -> AdminResponse {
    // About what a dialog takes, so that a long page is not copied each time it outgrows its memory.
    .json(capacity: rows.count * 320) { json in
      json.array("dialogs") { json in
        for (dialog, id) in rows {
          json.object { $0.dialog(dialog, id: id, facts) }
        }
      }
      json.field("cursor", cursor.map { String($0) })
    }
  }
}
