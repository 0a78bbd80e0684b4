import SIPSyntax
import ServerLocation
import Timekeeping

/// How badly the simulated DNS behaves. The shares are per thousand.
struct NamingProfile: Sendable {
  /// Answers that teach nothing.
  var failures: Int
  /// Answers that come when nobody waits for them any more, and teach nothing.
  var silences: Int
  /// Answers that take the long way.
  var straying: Int
  /// Milliseconds the ordinary way takes; three in a row stay below the five seconds that a request waits.
  var delay: ClosedRange<Int>
  /// Seconds answers may be kept, one of them for each.
  var timesToLive: [UInt32]
}

/// What the DNS holds of one host.
struct SimulatedZone: Sendable {
  /// A NAPTR record that leads to the SRV record.
  var hasNAPTR: Bool
  /// An SRV record that leads to another name of the host.
  var hasSRV: Bool
  /// URIs name the port, so that nothing but the address is asked for.
  var isAskedByPort: Bool
  /// Another server stands before the host, and nobody is there.
  var hasDeadServer: Bool
}

/// A DNS that knows the hosts of a run and answers late, wrongly or never, as the seed wants it.
///
/// A host has its address under its own name and, for its SRV record, under `server.` and its name. A dead server has its
/// own name there, `dead.`, or is the first of the host's addresses.
struct SimulatedDNS {
  private struct Host {
    let address: SocketAddress
    /// Where the server is that is not there.
    let dead: SocketAddress?
    let zone: SimulatedZone
    let isTCP: Bool
  }

  private let profile: NamingProfile
  private var random: SeededGenerator
  private var hosts: [String: Host] = [:]
  private var open: Set<DNSQuestion> = []
  /// Hosts whose address may not have been found: what was asked of them may be refused.
  private(set) var troubled: Set<String> = []

  init(profile: NamingProfile, random: SeededGenerator) {
    self.profile = profile
    self.random = random
  }

  /// Gives a host its name.
  mutating func add(
    _ name: String, at address: SocketAddress, besides dead: SocketAddress?, _ zone: SimulatedZone,
    isTCP: Bool
  ) {
    hosts[name] = Host(address: address, dead: dead, zone: zone, isTCP: isTCP)
  }

  /// Where a host is; nil when it has no name here.
  func address(of name: String) -> SocketAddress? { hosts[name]?.address }

  /// Takes a question; nil when it has been asked already and not been answered.
  mutating func ask(_ question: DNSQuestion) -> (answer: DNSAnswer, after: TimeSpan)? {
    guard open.insert(question).inserted else { return nil }
    let name = Self.host(of: question.name)
    if random.chance(profile.silences) {
      troubled.insert(name)
      return (.failure, random.span(milliseconds: 6000...40_000))
    }
    if random.chance(profile.failures) {
      // Without NAPTR and SRV records the address is still found.
      if question.type == .a { troubled.insert(name) }
      return (.failure, delay())
    }
    let isStray = random.chance(profile.straying)
    if isStray { troubled.insert(name) }
    let way = isStray ? random.span(milliseconds: 1500...9000) : delay()
    return (answer(to: question, about: name), way)
  }

  /// A question was answered and may be asked again.
  mutating func close(_ question: DNSQuestion) { open.remove(question) }

  private mutating func delay() -> TimeSpan { random.span(milliseconds: profile.delay) }

  private mutating func answer(to question: DNSQuestion, about name: String) -> DNSAnswer {
    let timeToLive = random.pick(profile.timesToLive)
    guard let host = hosts[name] else { return .none(timeToLive: timeToLive) }
    let found = records(of: host, question, name)
    return found.isEmpty ? .none(timeToLive: timeToLive) : .records(found, timeToLive: timeToLive)
  }

  private func records(of host: Host, _ question: DNSQuestion, _ name: String) -> [DNSRecord] {
    let text = question.name.description
    let service = "_sip.\(host.isTCP ? "_tcp" : "_udp").\(name)"
    switch question.type {
    case .a where text == name:
      let places = [host.dead, host.address].compactMap(\.self)
      return places.map { .address($0.ip) }
    case .a where text == "dead.\(name)":
      guard let dead = host.dead else { return [] }
      return [.address(dead.ip)]
    case .a where text == "server.\(name)": return [.address(host.address.ip)]
    case .a, .aaaa: return []
    case .srv:
      guard host.zone.hasSRV, text == service else { return [] }
      let servers = host.dead == nil ? ["server"] : ["dead", "server"]
      return servers.enumerated().compactMap { priority, label in
        DNSName("\(label).\(name)").map {
          .srv(priority: UInt16(priority), weight: 0, port: host.address.port, target: $0)
        }
      }
    case .naptr:
      guard host.zone.hasNAPTR, text == name, let replacement = DNSName(service) else { return [] }
      return [
        .naptr(
          order: 0, preference: 0, flags: "s", service: host.isTCP ? "SIP+D2T" : "SIP+D2U",
          replacement: replacement)
      ]
    }
  }

  /// The host that a question is about, whichever of its names it asks for.
  private static func host(of name: DNSName) -> String {
    var labels = name.bytes.split(separator: UInt8(ascii: "."))
    while let first = labels.first,
      first.first == UInt8(ascii: "_") || first.elementsEqual("server".utf8)
        || first.elementsEqual("dead".utf8)
    {
      labels.removeFirst()
    }
    return labels.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".")
  }
}
