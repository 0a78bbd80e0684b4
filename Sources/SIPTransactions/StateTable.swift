// The state tables of Docs/STATE-MACHINES.md, made by driving the machines themselves: what is printed is
// what runs. Not for the packet path: everything here allocates.

package import Timekeeping

/// What one event does in one state of one machine.
package struct StateTableRow: Hashable, Sendable {
  /// The state before, by its name in the RFC.
  package let state: String
  /// What happens, such as "1xx" or "Timer A".
  package let event: String
  /// What the owner of the machine is told to do; "-" when nothing.
  package let action: String
  /// The state after.
  package let next: String

  /// A row of these four cells.
  package init(state: String, event: String, action: String, next: String) {
    self.state = state
    self.event = event
    self.action = action
    self.next = next
  }
}

/// A transaction machine that can show its own table.
package protocol TabulatedMachine: BitwiseCopyable {
  /// Everything but time that can happen to the machine.
  associatedtype Event: CaseIterable, RawRepresentable, Sendable where Event.RawValue == String
  /// The machine's states.
  associatedtype State: CaseIterable, RawRepresentable, Hashable, Sendable where State.RawValue == String

  /// The machine's name as a heading.
  static var title: String { get }
  /// A machine that has just begun, at the clock's origin.
  static func fresh(reliable: Bool) -> Self
  /// Where the machine stands.
  var state: State { get }
  /// The timers that run in the present state, by their names in the RFC.
  var runningTimers: [(name: String, at: MonotonicInstant)] { get }
  /// Lets `event` happen and answers the action's name.
  mutating func apply(_ event: Event) -> String
  /// Lets time pass and answers the action's name.
  mutating func fire(at now: MonotonicInstant) -> String
}

extension TabulatedMachine {
  /// Every (state, event) pair of the machine with its action and next state; a timer has a row only where it
  /// runs. States that the transport makes unreachable have no rows.
  package static func stateTable(reliable: Bool) -> [StateTableRow] {
    let samples = samples(reliable: reliable)
    return State.allCases.flatMap { state in samples[state].map { rows(from: $0) } ?? [] }
  }

  /// One machine in each reachable state, found by trying every event from those already found.
  static func samples(reliable: Bool) -> [State: Self] {
    let fresh = fresh(reliable: reliable)
    var found = [fresh.state: fresh]
    var open = [fresh]
    while let machine = open.popLast() {
      for (_, step) in steps {
        var next = machine
        _ = step(&next)
        if found.updateValueIfAbsent(next, forKey: next.state) { open.append(next) }
      }
      for timer in machine.runningTimers {
        var next = machine
        _ = next.fire(at: timer.at)
        if found.updateValueIfAbsent(next, forKey: next.state) { open.append(next) }
      }
    }
    return found
  }

  private static var steps: [(String, (inout Self) -> String)] {
    Event.allCases.map { event in (event.rawValue, { $0.apply(event) }) }
  }

  private static func rows(from machine: Self) -> [StateTableRow] {
    func row(_ event: String, _ step: (inout Self) -> String) -> StateTableRow {
      var next = machine
      let action = step(&next)
      return StateTableRow(
        state: machine.state.rawValue, event: event, action: action == "nothing" ? "-" : action,
        next: next.state.rawValue)
    }
    return steps.map { row($0, $1) }
      + machine.runningTimers.map { timer in row(timer.name) { $0.fire(at: timer.at) } }
  }
}

extension Dictionary {
  fileprivate mutating func updateValueIfAbsent(_ value: Value, forKey key: Key) -> Bool {
    guard self[key] == nil else { return false }
    self[key] = value
    return true
  }
}
