import Foundation
import SIPTransactions
import Testing

@Suite("Docs/STATE-MACHINES.md")
struct StateMachinePageTests {
  private static let path = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Docs/STATE-MACHINES.md")

  @Test("The page is what the machines do; Scripts/state-machines --write prints it again")
  func isCurrent() throws {
    if ProcessInfo.processInfo.environment["CALLKEEPER_TESTS_WRITE_STATE_MACHINES"] == "1" {
      try Data(StateMachinePage.text.utf8).write(to: Self.path)
    }
    let found = try String(contentsOf: Self.path, encoding: .utf8)
    #expect(
      found == StateMachinePage.text,
      "Docs/STATE-MACHINES.md is not current: run Scripts/state-machines --write")
  }

  @Test("Every action that a machine can ask for is explained, and no other")
  func explainsEveryAction() {
    let tables = [
      StateMachinePage.tables(InviteClientTransaction.self),
      StateMachinePage.tables(InviteServerTransaction.self),
      StateMachinePage.tables(NonInviteClientTransaction.self),
      StateMachinePage.tables(NonInviteServerTransaction.self),
    ]
    let asked = Set(tables.flatMap { $0.udp + $0.reliable }.map(\.action)).subtracting(["-"])
    #expect(asked == Set(StateMachinePage.actions.map(\.name)))
  }

  @Test("A reliable transport has no state or event that UDP has not")
  func reliableIsAPart() {
    func isPart<M: TabulatedMachine>(_ type: M.Type) -> Bool {
      let (udp, reliable) = StateMachinePage.tables(type)
      let known = Set(udp.map { "\($0.state) \($0.event)" })
      return reliable.allSatisfy { known.contains("\($0.state) \($0.event)") }
    }
    #expect(isPart(InviteClientTransaction.self))
    #expect(isPart(InviteServerTransaction.self))
    #expect(isPart(NonInviteClientTransaction.self))
    #expect(isPart(NonInviteServerTransaction.self))
  }
}
