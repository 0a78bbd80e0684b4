import PagedStorage
import Synchronization

/// Pages from the heap, counted: knows what is mapped, checks what comes back, refuses when told to.
final class CountingPages: Sendable {
  private struct State {
    var mapped: [UInt: Int] = [:]
    var bytes = 0
    var most = 0
    var limit = Int.max
    var wrongReleases = 0
    var largestRelease = 0
  }

  private let state = Mutex(State())

  /// Bytes mapped now.
  var mappedBytes: Int { state.withLock { $0.bytes } }
  /// Most bytes ever mapped at a time.
  var mostBytes: Int { state.withLock { $0.most } }
  /// Releases that did not name a whole mapping.
  var wrongReleases: Int { state.withLock { $0.wrongReleases } }

  /// Refuses to have more than that many bytes mapped.
  func refuse(above limit: Int) { state.withLock { $0.limit = limit } }

  var source: PageSource {
    unsafe PageSource(
      map: { [self] byteCount in
        let isAllowed = state.withLock { $0.bytes + byteCount <= $0.limit }
        guard isAllowed else { return nil }
        let address = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: PageSource.pageSize)
        unsafe address.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        let name = UInt(bitPattern: address)
        state.withLock {
          $0.mapped[name] = byteCount
          $0.bytes += byteCount
          $0.most = max($0.most, $0.bytes)
        }
        return unsafe address
      },
      release: { [self] address, byteCount in
        let name = UInt(bitPattern: address)
        let isWhole = state.withLock {
          guard $0.mapped.removeValue(forKey: name) == byteCount else {
            $0.wrongReleases += 1
            return false
          }
          $0.bytes -= byteCount
          return true
        }
        if isWhole { unsafe address.deallocate() }
      })
  }
}

/// SplitMix64: the same seed gives the same test.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}
