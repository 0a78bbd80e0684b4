import ArgumentParser
import Testing

@testable import CallkeeperCommand

@Suite("Which proxy a query asks")
struct QueryOptionsTests {
  private func path(
    _ arguments: [String], environment: [String: String] = [:], file: String = "t1 = 9\ncontrol = /by-file"
  ) throws -> String {
    try QueryOptions.parse(arguments).path(
      environment: { environment[$0] }, readFile: { $0 == "f.conf" ? Array(file.utf8) : nil })
  }

  @Test("The flag wins over the variable, the variable over the file")
  func precedence() throws {
    let both = ["CALLKEEPER_CONTROL": "/by-variable", "CALLKEEPER_CONFIG": "f.conf"]
    #expect(try path(["--control", "/by-flag"], environment: both) == "/by-flag")
    #expect(try path([], environment: both) == "/by-variable")
    #expect(try path([], environment: ["CALLKEEPER_CONFIG": "f.conf"]) == "/by-file")
    #expect(try path(["--config", "f.conf"]) == "/by-file")
  }

  @Test("An empty variable counts as not set, and other settings do not concern a query")
  func ignored() throws {
    let environment = ["CALLKEEPER_CONTROL": "", "CALLKEEPER_ALLOW": ",", "CALLKEEPER_CONFIG": "f.conf"]
    #expect(try path([], environment: environment) == "/by-file")
  }

  @Test("A file that cannot be read is told")
  func unreadable() {
    let error = #expect(throws: CommandError.self) { _ = try path(["--config", "missing.conf"]) }
    #expect(error?.status == .configuration)
  }

  @Test("How many dialogs are asked for is checked, and the range told")
  func limit() throws {
    #expect(try DialogsCommand.bound(nil) == 100)
    #expect(try DialogsCommand.bound("0") == .max)
    #expect(try DialogsCommand.bound("7") == 7)
    for wrong in ["x", "-1", "4294967296", ""] {
      let error = #expect(throws: CommandError.self) { _ = try DialogsCommand.bound(wrong) }
      #expect(error?.status == .usage)
      #expect(error?.description == "--limit \(wrong): must be 0 to 4294967295, 0 for all")
    }
  }
}
