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
    for warning in preparation.warnings {
      log.warning("configuration.unwise", metadata: ["text": "\(warning)"])
    }
    let shell = try Shell(configuration, preparation, log: log)
    let status = shell.run()
    if status != .ok { throw CommandError(status, "ended") }
  }
}

/// `callkeeper check`: everything `run` does before it serves, and nothing that lasts.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Say what run would do with these flags; bind nothing for longer than a moment.")

  @OptionGroup var options: RunOptions

  func run() throws {
    let settings = try Settings(given: options.given, environment: OperatingSystem.environment)
    let configuration = try RunConfiguration(settings)
    let preparation = try Preparation(configuration)
    for line in settings.listing { writeLine(line, to: STDOUT_FILENO) }
    for warning in preparation.warnings { writeLine("# warning: \(warning)", to: STDOUT_FILENO) }
    do throws(EventIOError) {
      for address in preparation.listen {
        writeLine("# would listen on udp:\(try UDPTransport.probe(address))", to: STDOUT_FILENO)
      }
    } catch {
      throw CommandError(starting: error, "stop what uses it, or choose another")
    }
    if let hop = preparation.nextHop {
      let addresses = hop.addresses.map { "\($0)" }.joined(separator: " ")
      writeLine("# would send by --next-hop to \(addresses)", to: STDOUT_FILENO)
    }
  }
}

/// `callkeeper version`.
struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Print the name and the version.")

  func run() {
    writeLine("\(Program.name) \(Program.version)", to: STDOUT_FILENO)
  }
}
