import ArgumentParser
import EventIO
import Glibc
import ProxyCore
import SIPSyntax

/// `callkeeper check`: everything `run` does before it serves, nothing that lasts, and every mistake at once.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Say what run would do with these flags; bind nothing for longer than a moment.")

  @OptionGroup var options: RunOptions

  func run() throws {
    var mistakes = Mistakes()
    let settings = Settings(
      given: options.given, environment: OperatingSystem.environment, noting: &mistakes)
    let configuration = RunConfiguration(settings, noting: &mistakes)
    for line in settings.listing { try printLine(line) }
    // Addresses are looked up and tried only when they are those that were meant.
    if mistakes.found.isEmpty {
      let preparation = Preparation(configuration, noting: &mistakes)
      let rehearsal = CheckCommand.rehearse(configuration, preparation, noting: &mistakes)
      for warning in preparation.warnings + rehearsal.warnings {
        try printLine("# warning: \(printable(warning))")
      }
      for line in rehearsal.plan { try printLine("# would \(line)") }
    }
    // The last line is written by whoever catches the error, like that of any other command.
    guard let first = mistakes.found.first, let last = mistakes.found.last else { return }
    for mistake in mistakes.found.dropLast() {
      writeLine("\(Program.name): \(mistake.description)", to: STDERR_FILENO)
    }
    throw CommandError(first.status, last.description)
  }

  /// What `run` would do, and what of it is unwise.
  struct Rehearsal {
    var plan: [String]
    var warnings: [String]
  }

  /// Opens what `run` would open, all at the same time, and lets go of it. Notes what is in its way.
  static func rehearse(
    _ run: RunConfiguration, _ preparation: Preparation, noting mistakes: inout Mistakes
  ) -> Rehearsal {
    // Held until the end, so that an address named twice is in its own way, as it is for run.
    let tls: TLSContext? = mistakes.keep(nil) { try run.tls.map(Shell.tlsContext) }
    var held = ListenerSockets(tls: tls)
    var plan: [String?] = []
    for listener in preparation.listen where listener.transport != .tls || tls != nil {
      plan.append(
        mistakes.keep(nil) {
          try held.open(listener).map { "listen on \($0)" }
        })
    }
    plan.append(
      mistakes.keep(nil) {
        let path = try run.control ?? ControlSocket.pathForServer(making: false)
        try ControlSocket.probe(path)
        return "answer queries on \(printable(path))"
      })
    if let address = preparation.http {
      plan.append(
        mistakes.keep(nil) {
          try AdminServer.probe(address)
          return "answer queries on http:\(address)"
        })
    }
    if let hop = run.nextHop {
      let place = hop.address.map { "\($0)" } ?? "what DNS says of \(hop.host.host)"
      plan.append("send by --next-hop to \(place)")
    }
    let advice = TLSAdvice(run, preparation.listen)
    return Rehearsal(plan: plan.compactMap { $0 }, warnings: tls.map(advice.warnings) ?? [])
  }
}
