import ArgumentParser
import EventIO
import Glibc
import SIPSyntax

/// Calls through a proxy, from both ends, and says what became of them and how long they took.
@main
struct Load: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract:
      "Makes calls through a SIP proxy over UDP, as caller and as callee, and prints what it saw as JSON.",
    discussion: """
      First the idle calls are set up, which stay in the proxy; then the calls, which are held, refreshed and hung \
      up; probes are made beside both. Requests are repeated as RFC 3261 says, so that a lost datagram costs a \
      repetition and not a call. The proxy must route by the Request-URI. Exit code 1: some call failed.
      """)

  @Option(help: "The proxy, ADDRESS:PORT; loopback and private addresses only.")
  var proxy: Endpoint

  @Option(help: "Where the caller's first port is bound; port 0 is any.")
  var caller = Endpoint("127.0.0.1:0")

  @Option(help: "Where the callee is bound; port 0 is any.")
  var callee = Endpoint("127.0.0.1:0")

  @Option(help: "Calls to make, hold and hang up.")
  var calls = 0

  @Option(help: "Calls begun in a second.")
  var rate = 100.0

  @Option(help: "Seconds that a call is held.")
  var hold = 1.0

  @Option(help: "Refreshes of each call by UPDATE, evenly over the time it is held.")
  var refreshes = 0

  @Option(help: "Session intervals in seconds, separated by commas: one for all calls, or several in turn.")
  var intervals = Intervals(seconds: [1_800])

  @Option(help: "Calls to set up before the others and to leave to the proxy.")
  var idle = 0

  @Option(help: "Idle calls begun in a second; as many as --rate says unless told.")
  var rampRate: Double?

  @Option(
    help: "Give each idle call the interval that ends so many seconds after the start: all fall due at once.")
  var dueIn = 0.0

  @Option(help: "Probes begun in a second: whole calls without a pause, whose set-up time is counted apart.")
  var probeRate = 0.0

  @Option(help: "Seconds to go on, with the probes, after the last call.")
  var linger = 0.0

  @Option(help: "Ports to call from, in turn.")
  var sources = 8

  @Flag(help: "Call from one port only.")
  var oneSource = false

  @Option(help: "Microseconds between two looks at the clock: calls due within one begin together.")
  var tick = 1_000

  @Flag(help: "Also print a line for every second, with the set-up time of each probe.")
  var eachSecond = false

  func validate() throws {
    func demand(_ condition: Bool, _ text: String) throws {
      if !condition { throw ValidationError(text) }
    }
    for (flag, address) in [("--proxy", proxy), ("--caller", caller), ("--callee", callee)] {
      let ip = address.address.ip
      try demand(ip.isLoopback || ip.isPrivate, "\(flag) takes a loopback or private address.")
      try demand(ip.family == proxy.address.ip.family, "\(flag) and --proxy are of different families.")
    }
    try demand(proxy.address.port > 0, "--proxy needs a port.")
    try demand((0...20_000_000).contains(calls), "--calls takes 0 to 20000000.")
    try demand((0...20_000_000).contains(idle), "--idle takes 0 to 20000000.")
    try demand(calls + idle > 0 || probeRate > 0, "Nothing to do: give --calls, --idle or --probe-rate.")
    try demand((0.01...1_000_000).contains(rate), "--rate takes 0.01 to 1000000.")
    try demand((0.01...1_000_000).contains(rampRate ?? rate), "--ramp-rate takes 0.01 to 1000000.")
    try demand((0...86_400).contains(hold), "--hold takes 0 to 86400 seconds.")
    try demand((0...Call.refreshLimit).contains(refreshes), "--refreshes takes 0 to \(Call.refreshLimit).")
    try demand((0...100_000).contains(probeRate), "--probe-rate takes 0 to 100000.")
    try demand((0...86_400).contains(linger), "--linger takes 0 to 86400 seconds.")
    try demand((1...64).contains(sources), "--sources takes 1 to 64.")
    try demand((50...100_000).contains(tick), "--tick takes 50 to 100000 microseconds.")
    let ramp = Double(idle) / (rampRate ?? rate)
    try demand(
      dueIn == 0 || (90 + ramp...86_400).contains(dueIn),
      "--due-in takes seconds that leave the last idle call, begun after \(Int(ramp)) s, an interval of 90 s."
    )
  }

  func run() throws {
    let plan = LoadPlan(
      proxy: proxy.address, caller: caller.address, callee: callee.address, sources: oneSource ? 1 : sources,
      idle: idle, rampRate: rampRate ?? rate, calls: calls, rate: rate, hold: hold, refreshes: refreshes,
      intervals: intervals.seconds, dueIn: dueIn, probeRate: probeRate, linger: linger, tick: tick)
    let run = try LoadRun(
      plan, run: RunName(.random(in: 0...(.max))),
      eachSecond: eachSecond ? { print(LoadReport.second($1, of: $0)) } : nil)
    try run.play()
    print(LoadReport.summary(of: run))
    if Purpose.allCases.contains(where: { run.caller.tally[$0].failed > 0 }) { throw ExitCode.failure }
  }

  /// Writes at once: whoever reads lines of a running generator must not wait for a buffer to fill.
  private func print(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = unsafe rest.withUnsafeBytes { unsafe write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if written < 0, errno != EINTR { return }
      rest = rest.dropFirst(max(0, written))
    }
  }
}

/// An address with a port on the command line.
struct Endpoint: ExpressibleByArgument, CustomStringConvertible {
  /// The address.
  let address: SocketAddress

  /// Reads `ADDRESS:PORT`, IPv6 in brackets.
  init?(argument: String) {
    guard let address = SocketAddress(argument) else { return nil }
    self.address = address
  }

  /// A default of ours, in the form of `init(argument:)`.
  fileprivate init(_ text: StaticString) {
    address = SocketAddress(text.description) ?? SocketAddress(ip: IPAddress(v4: 0x7F00_0001), port: 0)
  }

  var description: String { address.description }
  var defaultValueDescription: String { description }
}

/// Session intervals on the command line.
struct Intervals: ExpressibleByArgument {
  /// In seconds, at least one.
  let seconds: [UInt32]

  fileprivate init(seconds: [UInt32]) { self.seconds = seconds }

  /// Reads numbers from 90 to 86400, separated by commas.
  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { UInt32($0) }.filter { (90...86_400).contains($0) }
    guard !numbers.isEmpty, numbers.count == parts.count else { return nil }
    seconds = numbers
  }

  var defaultValueDescription: String { seconds.map(String.init).joined(separator: ",") }
}
