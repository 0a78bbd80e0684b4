import EventIO
import Testing

@testable import CallkeeperCommand

/// G10, D47.
@Suite("How descriptors are shared out")
struct DescriptorBudgetTests {
  static let rows: [(asked: Int, allowed: Int, got: Int)] = [
    // Enough, or just enough: 192 in reserve and two listeners.
    (10_000, 1_048_576, 10_000), (10_000, 10_194, 10_000), (1, 195, 1),
    // Fewer: the reserve comes first, as long as that leaves something.
    (10_000, 10_193, 9_999), (10_000, 1_024, 830), (10_000, 256, 64), (10_000, 100, 25), (10_000, 3, 1),
  ]

  @Test("Connections never get the descriptors that everything else needs", arguments: rows)
  func shares(_ row: (asked: Int, allowed: Int, got: Int)) {
    var wanted = 0
    let budget = DescriptorBudget(connections: row.asked, listeners: 2) { count in
      wanted = count
      return row.allowed
    }
    #expect(wanted == row.asked + 194)
    #expect(budget.connections == row.got)
    #expect((budget.warning == nil) == (row.got == row.asked))
  }

  @Test("Every worker has descriptors of its own")
  func workers() {
    let budget = DescriptorBudget(connections: 10_000, listeners: 2, workers: 4) { $0 - 1 }
    #expect(budget.connections == 9_999)
    let exact = DescriptorBudget(connections: 10, listeners: 2, workers: 4) { _ in 10 + 192 + 3 * 32 + 8 }
    #expect(exact.connections == 10 && exact.warning == nil)
  }

  @Test("What all may hold is dealt out evenly; no limit stays none")
  func parts() {
    #expect(WorkerShares.part(0, of: 4) == 0)
    #expect(WorkerShares.part(10, of: 4) == 3 && WorkerShares.part(10, of: 1) == 10)
    #expect(WorkerShares.part(1, of: 64) == 1)
    let limits = WorkerShares.part(ConnectionLimits(connections: 8_000), of: 2)
    #expect(limits.connections == 4_000 && limits.allQueueBytes == 128 << 20)
    #expect(limits.queueBytes == ConnectionLimits().queueBytes)
  }

  @Test("What is cut is told with the limit behind it, by run and by check")
  func warns() throws {
    let run = try configuration(["--max-connections", "5000"])
    let cut = try Preparation(run, allowDescriptors: { _ in 1_024 })
    #expect(cut.maxConnections == 830 && cut.warnings.count == 1)
    for word in ["--max-connections 5000", "1024 open files", "830", "ulimit", "LimitNOFILE"] {
      #expect(cut.warnings.first?.contains(word) == true, "\(word)")
    }
    let whole = try Preparation(run, allowDescriptors: { $0 })
    #expect(whole.maxConnections == 5_000 && whole.warnings.isEmpty)
    // One source's share follows from what is left.
    #expect(ConnectionLimits(connections: cut.maxConnections).connectionsOfSource == 207)
  }
}
