import Testing
import Timekeeping

@Suite("A90: instants and spans saturate and never trap")
struct MonotonicInstantTests {
  @Test("adding and subtracting at the ends of the clock")
  func saturation() {
    #expect(MonotonicInstant.distantFuture + .seconds(1) == .distantFuture)
    #expect(MonotonicInstant.origin + .seconds(-1) == .origin)
    #expect(TimeSpan.seconds(.max).nanoseconds == .max)
    #expect(TimeSpan.seconds(.min).nanoseconds == .min)
    #expect((TimeSpan.seconds(1) + TimeSpan(nanoseconds: .max)).nanoseconds == .max)
    #expect((TimeSpan(nanoseconds: .min) * 2).nanoseconds == .min)
  }

  @Test("the time between two instants, either way round")
  func duration() {
    let early = MonotonicInstant(nanoseconds: 5)
    let late = early + .milliseconds(3)
    #expect(late.duration(since: early).wholeMilliseconds == 3)
    #expect(early.duration(since: late) == .milliseconds(-3))
    #expect(MonotonicInstant.distantFuture.duration(since: .origin).nanoseconds == .max)
  }
}
