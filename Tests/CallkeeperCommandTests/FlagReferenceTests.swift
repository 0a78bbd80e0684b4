import ArgumentParser
import Foundation
import Testing

@testable import CallkeeperCommand

@Suite("Docs/FLAGS.md")
struct FlagReferenceTests {
  private static let path = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Docs/FLAGS.md")

  @Test("The page is what the definitions say; Scripts/flags writes it again")
  func isCurrent() throws {
    if ProcessInfo.processInfo.environment["CALLKEEPER_TESTS_WRITE_FLAGS"] == "1" {
      try Data(FlagReference.page.utf8).write(to: Self.path)
    }
    let found = try String(contentsOf: Self.path, encoding: .utf8)
    #expect(found == FlagReference.page, "Docs/FLAGS.md is not current: run Scripts/flags")
  }

  @Test("Every definition is a flag of run and check, and they have no others", arguments: ["run", "check"])
  func isComplete(_ command: String) {
    let help = Callkeeper.helpMessage(for: command == "run" ? RunCommand.self : CheckCommand.self)
    let shown = help.split(separator: "\n").compactMap { line in
      line.drop { $0 == " " }.hasPrefix("--")
        ? line.split { $0 == " " || $0 == "," }.first.map(String.init) : nil
    }
    #expect(Set(shown) == Set(Flags.all.map { "--\($0.name)" } + ["--version"]))
  }

  @Test("Every default is legal")
  func defaultsAreLegal() throws {
    _ = try RunConfiguration(try Settings(given: [:], environment: { _ in nil }, readFile: { _ in nil }))
  }

  @Test("Every flag's value on the command line reaches the settings under its name", arguments: Flags.all)
  func reaches(_ flag: FlagDefinition) throws {
    let arguments = flag.isSwitch ? ["--\(flag.name)"] : ["--\(flag.name)", "word"]
    let options = try RunOptions.parse(arguments)
    #expect(options.given == [flag.name: [flag.isSwitch ? "true" : "word"]])
  }
}
