import AdminHTTP
import ProxyCore
import Testing
import Timekeeping

@testable import AdminHTTP

@Suite("/metrics: the Prometheus text format")
struct MetricsTests {
  static func facts(_ counters: [Counters] = [Counters()]) -> AdminFacts {
    AdminFacts(
      counters: counters, isDraining: false, version: "1.2.3", startedAt: .origin,
      now: .origin + .seconds(90), secondsSince1970: 1_700_000_090)
  }

  static func lines(_ facts: AdminFacts) -> [Substring] {
    String(decoding: metricsText(facts), as: UTF8.self).split(separator: "\n")
  }

  static let names: [(swift: String, metric: String)] = [
    ("timerBFired", "timer_b_fired"), ("answered200", "answered_200"), ("minSERaised", "min_se_raised"),
    ("dialogsEndedBy481", "dialogs_ended_by_481"), ("requestsReceived", "requests_received"),
    ("sessionExpiresInsertedInResponse", "session_expires_inserted_in_response"),
  ]

  @Test("Swift names become snake case", arguments: names)
  func spells(_ row: (swift: String, metric: String)) {
    #expect(MetricName.snakeCase(of: row.swift) == row.metric)
  }

  @Test("Every family has one HELP and one TYPE line, directly before all its samples")
  func familiesAreWhole() {
    var seen: Set<String> = []
    var current = ""
    for line in Self.lines(Self.facts()) {
      let words = line.split(separator: " ")
      if line.hasPrefix("# HELP ") {
        current = String(words[2])
        #expect(seen.insert(current).inserted, "\(current) is opened twice")
        #expect(words.count > 4 && line.hasSuffix("."), "\(current) has no sentence as help")
      } else if line.hasPrefix("# TYPE ") {
        #expect(words[2] == current)
        #expect(
          (words[3] == "counter") == current.hasSuffix("_total"), "counters, and only they, end in _total")
      } else {
        let name = line.prefix { $0 != "{" && $0 != " " }
        #expect(name == current, "\(line) stands outside its family")
      }
    }
  }

  @Test("Names are lower-case words with the program's prefix")
  func namesAreLegal() {
    for line in Self.lines(Self.facts()) where line.hasPrefix("# TYPE ") {
      let name = line.split(separator: " ")[2]
      #expect(name.hasPrefix("callkeeper_"))
      #expect(name.allSatisfy { $0 == "_" || $0.isASCII && ($0.isLowercase || $0.isNumber) })
      #expect(!name.contains("__"))
      // Prometheus' own linter takes a letter alone, as in timer_b, for a unit.
      #expect(name.split(separator: "_").allSatisfy { $0.count > 1 })
    }
  }

  @Test("Every counter and every gauge appears once")
  func nothingIsMissing() {
    let samples = Self.lines(Self.facts()).filter { !$0.hasPrefix("#") }
    // Build, uptime, draining and active dialogs besides.
    #expect(samples.count == Counter.allCases.count + Gauge.allCases.count + 4)
    #expect(Set(samples.map { $0.prefix { $0 != " " } }).count == samples.count)
  }

  @Test("Counters of several workers are summed")
  func sums() {
    let workers = [Counters(), Counters(), Counters()]
    for (index, counters) in workers.enumerated() {
      counters.add(UInt64(index + 1), to: .answered422)
      counters.set(.dialogsTimed, to: 10)
      counters.set(.dialogsUntimed, to: 1)
    }
    let lines = Self.lines(Self.facts(workers))
    #expect(lines.contains("callkeeper_answers_total{status=\"422\"} 6"))
    #expect(lines.contains("callkeeper_timers_fired_total{timer=\"b\"} 0"))
    #expect(lines.contains("callkeeper_dialogs_active 33"))
    #expect(lines.contains("callkeeper_uptime_seconds 90"))
    #expect(lines.contains("callkeeper_build_info{version=\"1.2.3\"} 1"))
  }
}
