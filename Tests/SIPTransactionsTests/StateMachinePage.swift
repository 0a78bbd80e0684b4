import SIPTransactions
import Timekeeping

/// Docs/STATE-MACHINES.md, printed from the machines themselves: what the page says is what runs.
enum StateMachinePage {
  /// The whole page.
  static var text: String {
    ([
      "# State machines", "",
      "Printed by `Scripts/state-machines --write` from the four machines in `Sources/SIPTransactions`, driven",
      "through every state they can reach. Do not edit: a test fails when this page is not what the code does.",
      "",
      "A cell says what the owner of the machine is told to do, and the state after. A timer has a row only in the",
      "states in which it runs; `does not occur` marks what the transport makes impossible.", "",
      "## Timers", "",
    ] + timers + [""]
      + machine(
        InviteClientTransaction.self, "RFC 3261 section 17.1.1, RFC 6026 Figure 5: an INVITE that we sent.")
      + machine(
        InviteServerTransaction.self,
        "RFC 3261 section 17.2.1, RFC 6026 Figure 7: an INVITE that we received. Proceeding is split by whether "
          + "anything was sent.")
      + machine(
        NonInviteClientTransaction.self, "RFC 3261 section 17.1.2, Figure 6: any other request that we sent.")
      + machine(
        NonInviteServerTransaction.self,
        "RFC 3261 section 17.2.2, Figure 8, RFC 4320: any other request that we received. The rows are those at "
          + "the moment it arrives, when a 100 over UDP is too early; later `100 from core` in Trying is sent."
      )
      + ["## Actions", "", "| action | meaning |", "|---|---|"]
      + actions.map { "| `\($0.name)` | \($0.meaning) |" })
      .joined(separator: "\n") + "\n"
  }

  /// What each action asks of the owner of the machine.
  static let actions: [(name: String, meaning: String)] = [
    ("absorb", "the repeated request goes no further"),
    ("absorbed", "the ACK ends here"),
    ("acknowledgeAgain", "send the ACK of the final response once more"),
    ("acknowledgeAndPassUp", "send an ACK and give the response to the core"),
    ("ackMissing", "nobody acknowledged: tell the core, free the transaction"),
    ("discard", "the core's response is not sent"),
    ("drop", "the response goes no further"),
    ("inform", "tell the core that the transport failed"),
    ("passToCore", "give the ACK to the core"),
    ("passUp", "give the response to the core"),
    ("resendFinal", "send the last final response again"),
    ("resendProvisional", "send the last provisional response again"),
    ("retransmit", "send the request again"),
    ("retransmitFinal", "send the final response again"),
    ("send", "send the core's response"),
    ("sendTrying", "send a 100 of our own"),
    ("terminated", "free the transaction"),
    ("timedOut", "no answer came: tell the core, free the transaction"),
  ]

  /// Both tables of one machine.
  static func tables<M: TabulatedMachine>(_ type: M.Type) -> (udp: [StateTableRow], reliable: [StateTableRow])
  {
    (M.stateTable(reliable: false), M.stateTable(reliable: true))
  }

  private static func machine<M: TabulatedMachine>(_ type: M.Type, _ about: String) -> [String] {
    let (udp, reliable) = tables(type)
    var lines = [
      "## \(M.title)", "", about, "", "| state | event | over UDP | over TCP and TLS |", "|---|---|---|---|",
    ]
    let others = Dictionary(uniqueKeysWithValues: reliable.map { ("\($0.state) \($0.event)", $0) })
    for row in udp {
      let other = others["\(row.state) \(row.event)"]
      lines.append("| \(row.state) | \(row.event) | \(cell(row)) | \(cell(other)) |")
    }
    return lines + [""]
  }

  private static func cell(_ row: StateTableRow?) -> String {
    guard let row else { return "does not occur" }
    let next = row.next == row.state ? "stays" : "to \(row.next)"
    return row.action == "-" ? next : "`\(row.action)`, \(next)"
  }

  /// The lengths with the default T1, read off the machines' own deadlines.
  private static var timers: [String] {
    let timers = TransactionTimers()
    return [
      "With T1 = \(milliseconds(timers.t1)) (`--t1`), T2 = \(milliseconds(timers.t2)), "
        + "T4 = \(milliseconds(timers.t4)), each from the entry into the state:",
      "", "| machine | state | timer | over UDP | over TCP and TLS |", "|---|---|---|---|---|",
    ] + lengths(InviteClientTransaction.self) + lengths(InviteServerTransaction.self)
      + lengths(NonInviteClientTransaction.self) + lengths(NonInviteServerTransaction.self) + [
        "",
        "Timers A, E and G are the first interval: A doubles each time, E and G double up to T2. In Proceeding, E",
        "runs out once as it was set and is T2 from then on. A state that only a timer leads to keeps the timers",
        "that ran before.",
      ]
  }

  private static func lengths<M: TabulatedMachine>(_ type: M.Type) -> [String] {
    let udp = M.freshInEachState(reliable: false)
    let reliable = M.freshInEachState(reliable: true)
    return M.State.allCases.flatMap { state -> [String] in
      (udp[state]?.runningTimers ?? []).map { timer in
        let other = reliable[state]?.runningTimers.first { $0.name == timer.name }
        return "| \(M.title) | \(state.rawValue) | \(timer.name) | \(length(timer.at)) | "
          + "\(other.map { length($0.at) } ?? "none") |"
      }
    }
  }

  private static func length(_ instant: MonotonicInstant) -> String {
    milliseconds(instant.duration(since: .origin))
  }

  private static func milliseconds(_ span: TimeSpan) -> String {
    let whole = span.wholeMilliseconds
    return whole % 1000 == 0 ? "\(whole / 1000) s" : "\(whole) ms"
  }
}

extension TabulatedMachine {
  /// One machine in each state that events alone reach from the beginning, all at the clock's origin; fewest
  /// events first, so that its timers have just been started.
  static func freshInEachState(reliable: Bool) -> [State: Self] {
    let fresh = fresh(reliable: reliable)
    var found = [fresh.state: fresh]
    var open = [fresh]
    while !open.isEmpty {
      let machine = open.removeFirst()
      for event in Event.allCases {
        var next = machine
        _ = next.apply(event)
        if found[next.state] == nil {
          found[next.state] = next
          open.append(next)
        }
      }
    }
    return found
  }
}
