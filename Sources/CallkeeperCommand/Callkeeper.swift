import ArgumentParser
import EventIO
import Glibc

/// The program: its commands, and how their errors become one line and an exit status.
struct Callkeeper: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: Program.name,
    abstract: "A call-stateful SIP proxy that keeps count of calls by RFC 4028 session timers.",
    discussion: """
      Every flag of run has an environment variable (--min-se is CALLKEEPER_MIN_SE) and may stand in a file \
      named by --config; a flag wins over the environment, the environment over the file.
      """,
    version: "\(Program.name) \(Program.version)",
    subcommands: [
      RunCommand.self, CountCommand.self, DialogsCommand.self, WhyCommand.self, StatsCommand.self,
      CheckCommand.self, VersionCommand.self,
    ],
    defaultSubcommand: RunCommand.self)
}

/// Runs the program with its arguments, the name in front not included, and returns its exit status.
public func runCallkeeper(_ arguments: [String]) -> Int32 {
  OperatingSystem.occupyStandardDescriptors()
  do {
    var command = try Callkeeper.parseAsRoot(arguments)
    try command.run()
    return ExitStatus.ok.rawValue
  } catch let error as CommandError {
    writeLine("\(Program.name): \(error.description)", to: STDERR_FILENO)
    return error.status.rawValue
  } catch let error as EventIOError {
    writeLine("\(Program.name): \(printable(error.description))", to: STDERR_FILENO)
    return ExitStatus.cannotCreate.rawValue
  } catch {
    // Help and version are errors to argument-parser, with status 0.
    if Callkeeper.exitCode(for: error) == .success {
      let isWritten = writeLine(Callkeeper.fullMessage(for: error), to: STDOUT_FILENO)
      return (isWritten ? ExitStatus.ok : ExitStatus.cannotWrite).rawValue
    }
    writeLine(usageLine(for: error), to: STDERR_FILENO)
    return ExitStatus.usage.rawValue
  }
}

/// A command line that cannot be understood, told in one line.
func usageLine(for error: any Error) -> String {
  let message = Callkeeper.message(for: error).split(separator: "\n").first.map(String.init) ?? "usage error"
  return "\(Program.name): \(printable(message)) (see \(Program.name) --help)"
}
