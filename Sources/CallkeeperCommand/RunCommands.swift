import ArgumentParser
import EventIO
import Glibc
import Logging
import ProxyCore

/// `callkeeper run`, which is also what `callkeeper` without a command does.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Carry calls in the foreground; logs go to stderr.")

  @OptionGroup var options: RunOptions

  func run() throws {
    let settings = try Settings(given: options.given, environment: OperatingSystem.environment)
    let configuration = try RunConfiguration(settings)
    let preparation = try Preparation(configuration)
    let log = configuration.log.logger()
    for warning in preparation.warnings { Shell.warn(of: warning, in: log) }
    let shell = try Shell(configuration, preparation, log: log)
    try shell.run()
  }
}

/// `callkeeper version`.
struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Print the name and the version.")

  func run() throws {
    try printLine("\(Program.name) \(Program.version)")
  }
}
