import CallState
import Glibc
import PagedStorage
import ProxyCore
import ProxySimulation
import Synchronization
import Testing
import Timekeeping

/// Memory that the operating system gives or refuses.
private final class Pages: Sendable {
  let isRefusing = Atomic(false)

  var source: PageSource {
    unsafe PageSource(
      map: { count in
        guard !self.isRefusing.load(ordering: .relaxed), let memory = unsafe aligned_alloc(4096, count) else {
          return nil
        }
        unsafe memset(memory, 0, count)
        return unsafe memory
      },
      release: { memory, _ in unsafe free(memory) })
  }
}

@Suite("RFC 3261 §17: when memory is refused")
struct MemoryTests {
  /// G10: without its copy an INVITE could neither be acknowledged nor cancelled, so it is refused while that can
  /// still be said, and nothing of it stays.
  @Test(
    "A request that cannot be stored is answered 503 and not forwarded", arguments: ["INVITE", "MESSAGE"])
  func unstored(method: String) throws {
    let pages = Pages()
    var environment = ProxyDriver.environment()
    environment.pages = pages.source
    let stage = Stage(
      ProxyDriver(try ProxyDriver.configuration(sessionExpires: nil), environment: environment))
    stage.bob(
      .answer(200, to: try #require(stage.alice(.request(branch: "z9hG4bKwarm", callID: "warm")).first)))
    pages.isRefusing.store(true, ordering: .relaxed)
    let large = Draft.request(method).with(body: [UInt8](repeating: 32, count: 30_000))
    #expect(stage.alice(large).map(\.status) == [503])
    #expect(stage.count(.droppedOutOfMemory) == 1)
    stage.expectEmptyTables(#_sourceLocation)
  }
}
