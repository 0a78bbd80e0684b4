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
  /// G10, B87: a request whose copy could not be kept is forwarded all the same; without the copy the proxy can say
  /// nothing of its own, so the transaction ends with whatever ends its branch, and is not kept for ever.
  @Test(
    "A request that could not be stored is forwarded, and its transaction ends however the branch does",
    arguments: [503, 404, 200, nil], ["INVITE", "MESSAGE"])
  func unstored(status: Int?, method: String) throws {
    let pages = Pages()
    var environment = ProxyDriver.environment()
    environment.pages = pages.source
    let stage = Stage(
      ProxyDriver(try ProxyDriver.configuration(sessionExpires: nil), environment: environment))
    stage.bob(
      .answer(200, to: try #require(stage.alice(.request(branch: "z9hG4bKwarm", callID: "warm")).first)))
    pages.isRefusing.store(true, ordering: .relaxed)
    let large = Draft.request(method).with(body: [UInt8](repeating: 32, count: 30_000))
    let sent = try #require(stage.alice(large).first)
    #expect(sent.method == method)
    if let status { stage.bob(.answer(status, to: sent)) }
    stage.alice(.request("ACK", toTag: "b"))
    stage.expectEmptyTables(#_sourceLocation)
  }
}
