/// Which of several workers a name or a cursor of the API means.
///
/// Identifiers of several workers take turns, and a walk goes through one table after the other; with one worker both
/// are what its table says.
struct WorkerPlace: Equatable {
  /// The worker's number.
  let index: Int
  /// How many there are.
  let count: Int

  /// The identifier that the API shows for a dialog of this worker.
  func publicID(of id: UInt64) -> UInt64 {
    let record = (id >> 32) * UInt64(count) + UInt64(index)
    return record << 32 | (id & 0xFFFF_FFFF)
  }

  /// The dialog that an identifier names; nil for one of another worker.
  func id(of publicID: UInt64) -> UInt64? {
    guard WorkerPlace.owner(ofID: publicID, among: count) == index else { return nil }
    let record = (publicID >> 32) / UInt64(count)
    return record << 32 | (publicID & 0xFFFF_FFFF)
  }

  /// Whose dialog an identifier names.
  static func owner(ofID publicID: UInt64, among count: Int) -> Int { Int((publicID >> 32) % UInt64(count)) }

  /// A cursor to a place in this worker's table.
  func cursor(at position: UInt32) -> UInt64 { UInt64(index) << 32 | UInt64(position) }

  /// The cursor behind a page: in this table, or at the start of the next worker's; nil at the end of the last.
  func cursor(behind position: UInt32?) -> UInt64? {
    if let position { return cursor(at: position) }
    return index + 1 < count ? UInt64(index + 1) << 32 : nil
  }

  /// The place in this worker's table that a cursor means; nil for one that no page gave.
  func position(of cursor: UInt64) -> UInt32? {
    WorkerPlace.owner(ofCursor: cursor) == index ? UInt32(truncatingIfNeeded: cursor) : nil
  }

  /// Whose table a cursor points into.
  static func owner(ofCursor cursor: UInt64) -> Int { Int(cursor >> 32) }
}

extension AdminFacts {
  /// The worker that answers, among all.
  var place: WorkerPlace { WorkerPlace(index: worker, count: max(1, counters.count)) }
}

extension AdminService {
  /// Whether a request is for a page of dialogs, to which several workers may have something to add.
  public static func asksForPage(_ request: AdminRequest) -> Bool {
    (request.method == "GET" || request.method == "HEAD") && request.segments.count == 1
      && request.segments[0].elementsEqual("dialogs".utf8)
  }

  /// Which of `count` workers answers a request: any can that is about counters; the first says what is wrong with one.
  public static func worker(
    for request: AdminRequest, of count: Int, ofCall: (_ callID: [UInt8]) -> Int
  ) -> Int {
    guard count > 1, let resource = request.segments.first else { return 0 }
    if resource.elementsEqual("why".utf8) {
      return request.value(of: "call-id").map(ofCall) ?? 0
    }
    guard resource.elementsEqual("dialogs".utf8) else { return 0 }
    if request.segments.count == 2, let id = decimal(request.segments[1]) {
      return WorkerPlace.owner(ofID: id, among: count)
    }
    let cursor = request.value(of: "cursor").flatMap { decimal($0) } ?? 0
    let owner = WorkerPlace.owner(ofCursor: cursor)
    return owner < count ? owner : 0
  }
}
