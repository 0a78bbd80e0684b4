import Testing
import Timekeeping

@testable import load

@Suite("RFC 3261 §17.1: when requests are sent again")
struct RepetitionTests {
  private func times(_ pattern: Repetitions<Int>.Pattern) -> (repeated: [Int64], givenUp: Int64?) {
    var repetitions = Repetitions<Int>()
    repetitions.begin(1, pattern, at: .origin)
    var repeated: [Int64] = []
    for step in 0...400 {
      let now = MonotonicInstant.origin + .milliseconds(Int64(step) * 100)
      while let due = repetitions.takeDue(at: now) {
        if due.isLast { return (repeated, Int64(step) * 100) }
        repeated.append(Int64(step) * 100)
        repetitions.repeated(due, at: now)
      }
    }
    return (repeated, nil)
  }

  @Test("INVITE: the pause doubles, and it is given up after 32 s")
  func invite() {
    let found = times(.invite)
    #expect(found.repeated == [500, 1_500, 3_500, 7_500, 15_500, 31_500])
    #expect(found.givenUp == 32_000)
  }

  @Test("others: the pause doubles up to 4 s, and they are given up after 32 s")
  func other() {
    let found = times(.other)
    #expect(found.repeated == [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500])
    #expect(found.givenUp == 32_000)
  }

  @Test("a queue gives back what was put in, in order, however much")
  func order() {
    var queue = DelayQueue<Int>(delay: .milliseconds(10))
    var taken: [Int] = []
    for number in 0..<20_000 {
      let now = MonotonicInstant.origin + .milliseconds(Int64(number))
      queue.append(number, at: now)
      while let element = queue.takeDue(at: now) { taken.append(element) }
    }
    #expect(taken == Array(0..<19_990))
    #expect(!queue.isEmpty)
  }

  @Test("things begin evenly, and what is a little late is made up for")
  func pace() {
    var pace = Pace(100, 5, from: .origin)
    let due = [0, 9, 10].map { pace.next(at: .origin + .milliseconds($0)) }
    #expect(due == [true, false, true])
    let late = (0..<3).map { _ in pace.next(at: .origin + .milliseconds(40)) }
    #expect(late == [true, true, true])
    #expect(pace.isDone)
    #expect(pace.latest == .milliseconds(20))
    #expect(pace.slipped == .zero)
  }

  @Test("what is much later moves the schedule instead of making a burst")
  func slipping() {
    var pace = Pace(100, 100, from: .origin)
    let late = (0..<5).map { _ in pace.next(at: .origin + .milliseconds(500)) }
    #expect(late == [true, true, true, false, false])
    #expect(pace.slipped == .milliseconds(480))
    let next = pace.next(at: .origin + .milliseconds(510))
    #expect(next)
  }

  @Test("a call takes 16 bytes")
  func size() {
    #expect(MemoryLayout<Call>.stride == 16)
  }
}
