import Testing
import Timekeeping

@testable import CallkeeperCommand

@Suite("A gate before the log")
struct LogGateTests {
  @Test("One line a minute passes and says how many were held back")
  func oneAMinute() {
    var gate = LogGate()
    let start = MonotonicInstant.origin + .seconds(5)
    #expect(gate.pass(at: start) == 0)
    #expect(gate.pass(at: start) == nil)
    #expect(gate.pass(at: start + .seconds(59)) == nil)
    #expect(gate.pass(at: start + .seconds(60)) == 2)
    #expect(gate.pass(at: start + .seconds(500)) == 0)
  }
}
