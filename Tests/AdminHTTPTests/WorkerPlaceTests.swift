import Testing

@testable import AdminHTTP

@Suite("Identifiers and cursors of several workers")
struct WorkerPlaceTests {
  @Test("With one worker they are what its table says")
  func alone() {
    let place = WorkerPlace(index: 0, count: 1)
    for id: UInt64 in [1, 7 << 32 | 1, UInt64.max] {
      #expect(place.publicID(of: id) == id && place.id(of: id) == id)
    }
    #expect(place.cursor(at: 9) == 9 && place.position(of: 9) == 9)
    #expect(place.cursor(behind: nil) == nil && place.position(of: 1 << 32) == nil)
  }

  @Test("No two dialogs share an identifier, and each leads back", arguments: [2, 3, 64])
  func identifiers(_ count: Int) {
    var seen: Set<UInt64> = []
    for index in 0..<count {
      let place = WorkerPlace(index: index, count: count)
      for record: UInt64 in [0, 1, 2, 50_000_000] {
        let id = record << 32 | 0xFFFF_FFFF
        let shown = place.publicID(of: id)
        #expect(seen.insert(shown).inserted)
        #expect(WorkerPlace.owner(ofID: shown, among: count) == index && place.id(of: shown) == id)
        #expect(WorkerPlace(index: (index + 1) % count, count: count).id(of: shown) == nil)
      }
    }
  }

  @Test("A walk goes on in the next table, and ends behind the last")
  func cursors() {
    let (first, last) = (WorkerPlace(index: 0, count: 2), WorkerPlace(index: 1, count: 2))
    #expect(first.cursor(behind: 5) == 5)
    #expect(first.cursor(behind: nil).flatMap(last.position) == 0)
    #expect(last.cursor(behind: 5).flatMap(last.position) == 5)
    #expect(last.cursor(behind: nil) == nil && first.position(of: 1 << 32) == nil)
  }

  @Test(
    "A request is answered by the worker it concerns",
    arguments: [
      ("/stats", 0), ("/metrics", 0), ("/nothing", 0), ("/", 0), ("/dialogs", 0), ("/dialogs/count", 0),
      ("/dialogs?cursor=4294967296", 1), ("/dialogs?cursor=9&limit=2", 0), ("/dialogs?cursor=x", 0),
      ("/dialogs?cursor=99999999999999999", 0), ("/dialogs/12884901889", 1), ("/dialogs/x", 0),
      ("/why?call-id=a", 1), ("/why", 0),
    ])
  func owners(_ target: String, _ worker: Int) {
    let request = AdminRequest(method: "GET", target: target)
    #expect(AdminService.worker(for: request, of: 2) { $0 == Array("a".utf8) ? 1 : 0 } == worker)
    #expect(AdminService.worker(for: request, of: 1) { _ in 1 } == 0)
  }
}
