import PagedStorage
import SIPSyntax
import Testing
import Timekeeping

@testable import ServerLocation

@Suite("G10: hostile zones and floods of names")
struct HostileZoneTests {
  @Test("Names that lead back to themselves end in three steps")
  func circles() {
    var zone = Zone()
    zone.naptr("loop.example", [(1, 1, "SIP+D2U", "loop.example"), (1, 2, "SIP+D2T", "loop.example")])
    zone.srv("loop.example", [(0, 0, 5060, "loop.example")])
    var resolver = Resolver(zone)
    #expect(resolver.result(to("loop.example")) == .failed(.notFound))
    #expect(resolver.asked.count == 3)
  }

  @Test("Of a thousand SRV records 64 are followed, sixteen questions at a time")
  func thousandServers() {
    var zone = Zone()
    zone.srv("_sip._udp.big.example", (0..<1_000).map { ($0 / 10, 1, 5060, "h\($0).example") })
    for index in 0..<1_000 { zone.host("h\(index).example", "10.0.\(index / 250).\(index % 250)") }
    var resolver = Resolver(zone)
    var open: [DNSQuestion] = []
    _ = resolver.locator.locate(to("big.example", .udp), at: resolver.now, asking: &open)
    var most = 0
    while let question = open.popLast() {
      resolver.locator.answered(
        question, with: zone.answers[question] ?? .failure, at: resolver.now, asking: &open,
        settled: &resolver.settled)
      most = max(most, resolver.locator.openQuestionCount)
    }
    #expect(most == 16)
    let targets = resolver.targets(to("big.example", .udp))
    #expect(targets.count == 64 && Set(targets).count == 64)
    #expect(resolver.locator.cachedCount == 65)
  }

  @Test("Of a thousand addresses 64 are tried; of a thousand services eight of each transport are followed")
  func thousandOthers() {
    var zone = Zone()
    zone.set("a.example", .a, (0..<1_000).map { .address(IPAddress(v4: 0x0A00_0000 + UInt32($0))) })
    zone.naptr("n.example", (0..<1_000).map { (1, $0, "SIP+D2U", "s\($0).example") })
    zone.host("n.example", "192.0.2.1")
    var resolver = Resolver(zone)
    #expect(resolver.targets(to("a.example", port: 5060)).count == 64)
    resolver.asked = []
    #expect(resolver.targets(to("n.example")) == ["udp:192.0.2.1:5060"])
    #expect(resolver.asked.count == 10)
  }

  @Test("Names of 253 octets work, and have no services where the labels do not fit")
  func longNames() {
    let host = String(repeating: "a.", count: 126) + "a"
    var zone = Zone()
    zone.host(host, "192.0.2.1")
    var resolver = Resolver(zone)
    #expect(resolver.targets(to(host)) == ["udp:192.0.2.1:5060"])
    #expect(resolver.asked == [ask(host, .naptr), ask(host, .a)])
  }

  @Test("A flood of names displaces itself before what calls use")
  func fairEviction() {
    var limits = LocatorLimits()
    (limits.cachedAnswers, limits.openQuestions) = (64, 16)
    var zone = Zone()
    for index in 0..<16 { zone.host("good\(index).example", "192.0.2.\(index + 1)") }
    var resolver = Resolver(zone, limits: limits)
    for index in 0..<16 { _ = resolver.targets(to("good\(index).example", port: 5060)) }
    for round in 0..<600 {
      _ = resolver.result(to("flood\(round).example", port: 5060))
      #expect(resolver.locator.cachedCount <= 64)
      _ = resolver.targets(to("good\(round % 16).example", port: 5060))
    }
    let good = Set((0..<16).map { ask("good\($0).example", .a) })
    #expect(resolver.asked.count { good.contains($0) } == 16, "a name in use was displaced")
  }

  @Test("The octets of all answers are bounded, whatever their number")
  func octets() {
    var limits = LocatorLimits()
    limits.cachedOctets = 100_000
    var zone = Zone()
    let long = String(repeating: "b", count: 60)
    var resolver = Resolver(limits: limits)
    for round in 0..<100 {
      zone.answers.removeAll()
      zone.srv(
        "_sip._udp.z\(round).example",
        (0..<64).map { (0, 1, 5060, "h\($0).\(long).\(long).z\(round).example") })
      resolver.zone = zone
      _ = resolver.result(to("z\(round).example", .udp))
      #expect(resolver.locator.cachedOctets <= 100_000)
    }
  }

  @Test("Beyond the limit of open questions a location fails, and what is known still works")
  func openQuestions() {
    var limits = LocatorLimits()
    limits.openQuestions = 8
    var zone = Zone()
    zone.host("known.example", "192.0.2.1")
    var resolver = Resolver(zone, limits: limits)
    _ = resolver.targets(to("known.example", port: 5060))
    var questions: [DNSQuestion] = []
    var results: [LocationResult] = []
    for index in 0..<20 {
      results.append(
        resolver.locator.locate(to("h\(index).example", port: 5060), at: resolver.now, asking: &questions))
    }
    #expect(questions.count == 8)
    #expect(results.count { $0 == .failed(.busy) } == 12)
    #expect(resolver.targets(to("known.example", port: 5060)).count == 1)
    resolver.answer(questions)
    #expect(resolver.locator.openQuestionCount == 0 && resolver.locator.pendingCount == 0)
  }

  @Test("Beyond the limit of waiting locations one fails, even for a destination that is being located")
  func pendingLocations() {
    var limits = LocatorLimits()
    limits.pendingLocations = 5
    var resolver = Resolver(limits: limits)
    var questions: [DNSQuestion] = []
    let results = (0..<9).map { index in
      resolver.locator.locate(
        to(index < 3 ? "a.example" : "b\(index % 2).example", port: 1), at: resolver.now, asking: &questions)
    }
    #expect(results.count { $0 == .failed(.busy) } == 4)
    #expect(questions.count == 3)
    resolver.answer(questions)
    #expect(resolver.settled.count == 5)
  }

  @Test("What silence leaves open is settled after five seconds with what is known by then")
  func timeLimit() {
    var zone = Zone()
    zone.srv("_sip._udp.half.example", [(0, 1, 5060, "good.example"), (1, 1, 5060, "silent.example")])
    zone.host("good.example", "192.0.2.1")
    var resolver = Resolver(zone)
    var questions: [DNSQuestion] = []
    var waiting: [LocationID] = []
    for destination in [to("half.example", .udp), to("silent.example", port: 5060)] {
      guard case .pending(let id) = resolver.locator.locate(destination, at: resolver.now, asking: &questions)
      else { continue }
      waiting.append(id)
    }
    let silent = ask("silent.example", .a)
    resolver.now = seconds(1)
    resolver.answer(questions.filter { $0 != silent })
    #expect(resolver.settled.isEmpty && resolver.locator.nextDeadline == seconds(5))
    resolver.advance(to: seconds(4.999))
    #expect(resolver.settled.isEmpty)
    resolver.advance(to: seconds(5))
    #expect(Set(resolver.settled) == Set(waiting))
    var none: [DNSQuestion] = []
    let half = resolver.locator.locate(to("half.example", .udp), at: resolver.now, asking: &none)
    #expect(
      half
        == .targets([
          ServerTarget(transport: .udp, address: SocketAddress(ip: IPAddress(v4: 0xC000_0201), port: 5060))
        ]))
    let dead = resolver.locator.locate(to("silent.example", port: 5060), at: resolver.now, asking: &none)
    #expect(dead == .failed(.unanswered) && none.isEmpty)
    // The late answer is of use to those that ask later.
    zone.host("silent.example", "192.0.2.2")
    resolver.zone = zone
    resolver.now = seconds(6)
    resolver.answer([silent])
    #expect(resolver.targets(to("silent.example", port: 5060)) == ["udp:192.0.2.2:5060"])
  }

  @Test("Thousands that wait for one answer are told in portions; each is told once")
  func portions() {
    var resolver = Resolver()
    resolver.zone.host("a.example", "192.0.2.1")
    var questions: [DNSQuestion] = []
    for _ in 0..<3_000 {
      _ = resolver.locator.locate(to("a.example", port: 5060), at: resolver.now, asking: &questions)
    }
    for port in 1...500 {
      _ = resolver.locator.locate(to("a.example", port: UInt16(port)), at: resolver.now, asking: &questions)
    }
    #expect(questions == [ask("a.example", .a)])
    var further: [DNSQuestion] = []
    var most = 0
    resolver.locator.answered(
      questions[0], with: resolver.zone.answers[questions[0]] ?? .failure, at: resolver.now, asking: &further,
      settled: &resolver.settled)
    most = resolver.settled.count
    while let deadline = resolver.locator.nextDeadline, deadline <= resolver.now {
      let before = resolver.settled.count
      resolver.now = resolver.now + .milliseconds(1)
      resolver.locator.advance(to: resolver.now, asking: &further, settled: &resolver.settled)
      most = max(most, resolver.settled.count - before)
      // A request that comes while others are being told need not wait.
      #expect(
        resolver.locator.locate(to("a.example", port: 5060), at: resolver.now, asking: &further)
          != .failed(.busy))
    }
    #expect(most <= 128)
    #expect(resolver.settled.count == 3_500 && Set(resolver.settled).count == 3_500)
    #expect(further.isEmpty && resolver.locator.pendingCount == 0)
  }

  @Test("Any zone and any order of answers ends with nothing waiting", arguments: 0..<16 as Range<UInt64>)
  func randomZones(seed: UInt64) {
    var random = SelectionGenerator(key: HashKey(seed, 99))
    func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }
    var limits = LocatorLimits()
    (limits.cachedAnswers, limits.openQuestions, limits.pendingLocations) = (24, 12, 20)
    limits.cachedOctets = 6_000
    var locator = ServerLocator(key: HashKey(seed, 1), supported: everything, limits: limits)
    let names = (0..<12).map { "n\($0).example" }
    let transports: [TransportProtocol?] = [nil, .udp, .tcp, .tls]
    var (now, open, settled) = (seconds(0), [DNSQuestion](), [LocationID]())
    var waiting: [LocationID: Destination] = [:]
    func records(_ type: DNSRecordType) -> [DNSRecord] {
      (0..<(1 + pick(20))).map { _ in
        switch type {
        case .a: .address(IPAddress(v4: UInt32(1 + pick(9))))
        case .aaaa: .address(IPAddress(v6High: UInt64(pick(4)) << 60, v6Low: UInt64(pick(4))))
        case .srv:
          .srv(
            priority: UInt16(pick(3)), weight: UInt16(pick(3)), port: UInt16(pick(3)),
            target: pick(9) == 0 ? .root : known(names[pick(12)]))
        case .naptr:
          .naptr(
            order: UInt16(pick(3)), preference: UInt16(pick(3)), flags: "S",
            service: ["SIP+D2U", "SIP+D2T", "SIPS+D2T", "x"][pick(4)],
            replacement: known(["_sip._udp.", "_sip._tcp.", "", "_sips._tcp."][pick(4)] + names[pick(12)]))
        }
      }
    }
    for _ in 0..<1_500 {
      now = now + .milliseconds(Int64(pick(400)))
      if pick(2) == 0 || open.isEmpty {
        let destination = to(
          names[pick(12)], port: pick(3) == 0 ? UInt16(pick(3)) : nil, transports[pick(4)],
          secure: pick(3) == 0)
        switch locator.locate(destination, at: now, asking: &open) {
        case .pending(let id): #expect(waiting.updateValue(destination, forKey: id) == nil)
        case .targets(let targets): check(targets, of: destination)
        case .failed: break
        }
      } else {
        let question = open.remove(at: pick(open.count))
        let answer: DNSAnswer =
          switch pick(6) {
          case 0: .failure
          case 1: .none(timeToLive: UInt32(pick(100)))
          default: .records(records(question.type), timeToLive: pick(3) == 0 ? 0 : UInt32(pick(100)))
          }
        locator.answered(question, with: answer, at: now, asking: &open, settled: &settled)
      }
      if let deadline = locator.nextDeadline, deadline <= now {
        locator.advance(to: now, asking: &open, settled: &settled)
      }
      for id in settled {
        guard let destination = waiting.removeValue(forKey: id) else {
          return #expect(Bool(false), "told twice")
        }
        let before = open.count
        switch locator.locate(destination, settled: id, at: now, asking: &open) {
        case .pending: #expect(Bool(false), "a settled location waits")
        case .targets(let targets): check(targets, of: destination)
        case .failed: break
        }
        #expect(open.count == before)
      }
      settled.removeAll()
      #expect(Set(open).count == open.count && locator.openQuestionCount == open.count)
      #expect(locator.cachedCount <= 24 && waiting.count == locator.pendingCount && waiting.count <= 20)
    }
    while let question = open.popLast() {
      locator.answered(question, with: .failure, at: now, asking: &open, settled: &settled)
    }
    while let deadline = locator.nextDeadline {
      now = max(now, deadline)
      locator.advance(to: now, asking: &open, settled: &settled)
    }
    #expect(settled.count == waiting.count && locator.pendingCount == 0 && locator.cachedCount == 0)
  }

  /// What must hold of targets whatever the zone says.
  func check(_ targets: [ServerTarget], of destination: Destination) {
    #expect(!targets.isEmpty && targets.count <= 64 && Set(targets).count == targets.count)
    for target in targets {
      if destination.isSecure { #expect(target.transport == .tls) }
      if let port = destination.port { #expect(target.address.port == port) }
      if let transport = destination.transport, !destination.isSecure {
        #expect(target.transport == transport)
      }
      #expect(target.address.port != 0 && !target.address.ip.isUnspecified)
    }
  }
}
