import PagedStorage
import Timekeeping

extension DialogTable {
  /// Walks the whole table and compares it with the counters (F35); nil when they agree, else what does not.
  ///
  /// For tests and simulations: O(table).
  public func auditCounts() -> String? {
    var walked = DialogCounts()
    var linked = 0
    var textBytes = 0
    for place in 0..<records.endIndex where records.isLive(index: place) {
      let record = records[place]
      walked.move(from: nil, to: record.standing)
      if record.links.isLinked { linked += 1 }
      textBytes += Int(record.text.count)
      if record.standing == .ended && !record.flags.contains(.chained) {
        return "record \(place) has ended and was not freed"
      }
      let isDetached = record.standing != .ended && !record.links.isLinked
      if isDetached && record.expiresAt != DialogRecord.never && record.openRefreshes == 0 {
        return "record \(place) has an expiration and is not in the wheel"
      }
    }
    let pairs: [(String, Int, Int)] = [
      ("early", counts.early, walked.early),
      ("timed", counts.timed, walked.timed),
      ("untimed", counts.untimed, walked.untimed),
      ("index entries", index.count, walked.total),
      ("wheel entries", wheel.count, linked),
      ("text bytes", texts.storedBytes, textBytes),
      ("made less ended", Int(counts.created &+ counts.adopted &- counts.ended.total), walked.total),
    ]
    for (name, counted, found) in pairs where counted != found {
      return "\(name): counted \(counted), found \(found)"
    }
    return nil
  }

  /// Whether nothing at all is held: no dialog, no record kept for a chain, no text, no wheel entry.
  public var isEmpty: Bool {
    records.count == 0 && index.count == 0 && texts.storedBytes == 0 && wheel.count == 0
  }
}
