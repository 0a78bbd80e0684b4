import PagedStorage
import SIPSyntax
import Timekeeping

@testable import ServerLocation

/// What a DNS would say; everything not written into it does not exist.
struct Zone {
  var answers: [DNSQuestion: DNSAnswer] = [:]
  var timeToLive: UInt32 = 300

  mutating func srv(_ name: String, _ servers: [(Int, Int, Int, String)]) {
    set(
      name, .srv,
      servers.map {
        .srv(priority: UInt16($0.0), weight: UInt16($0.1), port: UInt16($0.2), target: known($0.3))
      })
  }

  mutating func naptr(_ name: String, _ services: [(Int, Int, String, String)], flags: String = "s") {
    set(
      name, .naptr,
      services.map {
        .naptr(
          order: UInt16($0.0), preference: UInt16($0.1), flags: flags, service: $0.2, replacement: known($0.3)
        )
      })
  }

  mutating func host(_ name: String, _ addresses: String...) {
    let all = addresses.compactMap { IPAddress($0) }
    precondition(all.count == addresses.count)
    for (type, family) in [(DNSRecordType.a, IPAddress.Family.v4), (.aaaa, .v6)] {
      let records = all.filter { $0.family == family }.map { DNSRecord.address($0) }
      if !records.isEmpty { set(name, type, records) }
    }
  }

  mutating func set(_ name: String, _ type: DNSRecordType, _ records: [DNSRecord]) {
    answers[ask(name, type)] = .records(records, timeToLive: timeToLive)
  }

  mutating func fail(_ name: String, _ type: DNSRecordType) { answers[ask(name, type)] = .failure }
}

func known(_ name: String) -> DNSName {
  guard let name = DNSName(name) else { preconditionFailure("no name: \(name)") }
  return name
}

func ask(_ name: String, _ type: DNSRecordType) -> DNSQuestion { DNSQuestion(name: known(name), type: type) }

func seconds(_ count: Double) -> MonotonicInstant {
  MonotonicInstant.origin + .milliseconds(Int64(count * 1000))
}

func to(
  _ host: String, port: UInt16? = nil, _ transport: TransportProtocol? = nil, secure: Bool = false
) -> Destination {
  Destination(host: known(host), port: port, transport: transport, isSecure: secure)
}

let everything: SupportedTransports = [
  SupportedTransports(.udp, .v4), SupportedTransports(.udp, .v6), SupportedTransports(.tcp, .v4),
  SupportedTransports(.tcp, .v6), SupportedTransports(.tls, .v4), SupportedTransports(.tls, .v6),
]
let onlyIPv4: SupportedTransports = [
  SupportedTransports(.udp, .v4), SupportedTransports(.tcp, .v4), SupportedTransports(.tls, .v4),
]

/// A locator beside the zone that answers it.
struct Resolver {
  var locator: ServerLocator
  var zone: Zone
  var now = seconds(0)
  /// Everything asked so far.
  var asked: [DNSQuestion] = []
  var settled: [LocationID] = []

  init(
    _ zone: Zone = Zone(), supported: SupportedTransports = onlyIPv4, limits: LocatorLimits = LocatorLimits(),
    seed: UInt64 = 1
  ) {
    locator = ServerLocator(key: HashKey(seed, 7), supported: supported, limits: limits)
    self.zone = zone
  }

  /// Locates and answers every question at once until the location is settled.
  mutating func targets(_ destination: Destination) -> [String] {
    guard case .targets(let targets) = result(destination) else { return [] }
    return targets.map(\.description)
  }

  mutating func result(_ destination: Destination) -> LocationResult {
    var questions: [DNSQuestion] = []
    let first = locator.locate(destination, at: now, asking: &questions)
    guard case .pending(let id) = first else { return first }
    answer(questions)
    guard settled.contains(id) else { return first }
    var further: [DNSQuestion] = []
    let final = locator.locate(destination, at: now, asking: &further)
    precondition(further.isEmpty, "a settled location asked again")
    return final
  }

  /// Answers questions from the zone, and those that follow from them.
  mutating func answer(_ questions: [DNSQuestion]) {
    var open = questions
    while !open.isEmpty {
      let question = open.removeFirst()
      precondition(!open.contains(question), "asked twice at once: \(question)")
      asked.append(question)
      locator.answered(
        question, with: zone.answers[question] ?? .none(timeToLive: 60), at: now, asking: &open,
        settled: &settled)
      drain(asking: &open)
    }
  }

  /// Lets the locator finish what it left for later calls.
  mutating func drain(asking questions: inout [DNSQuestion]) {
    while let deadline = locator.nextDeadline, deadline <= now {
      locator.advance(to: now, asking: &questions, settled: &settled)
    }
  }

  /// Lets time pass.
  mutating func advance(to instant: MonotonicInstant) {
    now = instant
    var questions: [DNSQuestion] = []
    locator.advance(to: now, asking: &questions, settled: &settled)
    drain(asking: &questions)
    precondition(questions.isEmpty, "time alone asked the DNS")
  }
}
