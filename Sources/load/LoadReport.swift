import AdminHTTP
import EventIO
import Glibc
import Timekeeping

/// What a run found, as JSON: one object for a second that has passed, one at the end.
enum LoadReport {
  /// The whole run.
  static func summary(of run: LoadRun) -> [UInt8] {
    let tally = run.caller.tally
    let load = tally[.load]
    var json = JSONWriter(capacity: 2_048)
    json.object { json in
      json.field("completed", load.completed)
      json.field("failed", Purpose.allCases.reduce(0) { $0 + tally[$1].failed })
      json.field("repeated", tally.repeated + run.callee.repeated)
      json.field("interrupted", run.wasInterrupted)
      json.field("milliseconds", run.duration.wholeMilliseconds)
      for purpose in Purpose.allCases { write(tally[purpose], of: purpose, to: &json) }
      json.field("refreshes", tally.refreshes)
      json.object("repeats") { json in
        json.field("invite", tally.repeatedInvites)
        json.field("update", tally.repeatedUpdates)
        json.field("bye", tally.repeatedByes)
        json.field("answer", run.callee.repeated)
      }
      json.object("refusals") { json in
        for (status, count) in tally.refusals.sorted(by: { $0.key < $1.key }) {
          json.field(status == 0 ? "no answer" : String(status), count)
        }
      }
      run.caller.ringing.write("ringing_us", to: &json)
      run.caller.answered.write("answered_us", to: &json)
      run.caller.probesRinging.write("probe_ringing_us", to: &json)
      run.caller.probesAnswered.write("probe_answered_us", to: &json)
      run.caller.refreshed.write("refreshed_us", to: &json)
      json.object("oddities") { json in
        json.field("changed_intervals", tally.changedIntervals)
        json.field("faulty_answers", tally.faultyAnswers)
        json.field("duplicate_answers", tally.duplicateAnswers)
        json.field("never_acknowledged", run.callee.neverAcknowledged)
        json.field("requests_to_caller", tally.requestsToCaller)
        json.field("unknown_datagrams", tally.unknown + run.callee.unknown)
      }
      writeGenerator(run, to: &json)
    }
    json.endLine()
    return json.bytes
  }

  /// One second of the run, with the set-up time of each of its probes.
  static func second(_ number: Int, of run: LoadRun) -> [UInt8] {
    let tally = run.caller.tally
    var json = JSONWriter(capacity: 1_024)
    json.object { json in
      json.field("second", number)
      json.field("clock_ms", MonotonicClock.now.nanoseconds / 1_000_000)
      json.field("idle", tally[.idle].completed)
      json.field("completed", tally[.load].completed)
      json.field("failed", Purpose.allCases.reduce(0) { $0 + tally[$1].failed })
      json.field("repeated", tally.repeated + run.callee.repeated)
      json.array("probe_answered_us") { json in
        for probe in run.caller.takeRecentProbes() { json.element(probe) }
      }
    }
    json.endLine()
    return json.bytes
  }

  private static func write(_ tally: PurposeTally, of purpose: Purpose, to json: inout JSONWriter) {
    let name =
      switch purpose {
      case .idle: "idle"
      case .load: "calls"
      case .probe: "probes"
      }
    json.object(name) { json in
      json.field("started", tally.started)
      json.field("answered", tally.answered)
      json.field("completed", tally.completed)
      json.field("failed", tally.failed)
    }
  }

  /// Whether the generator itself kept up: what it cost, was late, or lost.
  private static func writeGenerator(_ run: LoadRun, to json: inout JSONWriter) {
    let ports = run.callerPorts + [run.calleePort]
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    json.object("generator") { json in
      json.field("cpu_ms", time.tv_sec * 1_000 + time.tv_nsec / 1_000_000)
      json.field("late_us", run.lateness.nanoseconds / 1_000)
      json.field("slipped_ms", run.slipped.wholeMilliseconds)
      json.field("unsent", ports.reduce(0) { $0 + $1.unsent })
      json.field("refused", ports.reduce(0) { $0 + $1.refused })
      json.field("dropped", ports.reduce(0) { $0 + $1.dropped })
    }
  }
}
