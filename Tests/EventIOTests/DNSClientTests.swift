import Foundation
import SIPSyntax
import ServerLocation
import Testing
import Timekeeping

@testable import EventIO

@Suite("The DNS client", .serialized)
struct DNSClientTests {
  /// A loop with a server and a client that asks it.
  final class Bench {
    let loop: EventLoop
    let server: DNSServer
    let client: DNSClient
    private let folder: ScratchFolder
    /// Turns of the loop until the last answer.
    private(set) var turns = 0

    init(hosts: String = "") throws {
      folder = try ScratchFolder()
      try Data(hosts.utf8).write(to: URL(fileURLWithPath: folder.path + "/hosts"))
      loop = try EventLoop()
      server = try DNSServer(loop: loop)
      client = try DNSClient(loop: loop, servers: [server.address], hostsPath: folder.path + "/hosts")
    }

    /// Asks all at once and turns the loop until all are answered.
    func ask(_ questions: [DNSQuestion]) -> [DNSQuestion: DNSAnswer] {
      var answers: [DNSQuestion: DNSAnswer] = [:]
      var calls = 0
      for question in questions {
        client.ask(question) { answer in
          calls += 1
          answers[question] = answer
        }
      }
      #expect(calls == 0, "answered within ask")
      turns = 0
      // A question takes up to five seconds, and timers of tests make turns short.
      for _ in 0..<10 where calls < questions.count {
        _ = loop.turn(until: {
          turns += 1
          return calls == questions.count
        })
      }
      #expect(calls == questions.count)
      return answers
    }

    func ask(_ name: String, _ type: DNSRecordType) -> DNSAnswer? {
      let question = DNSQuestion(name: dnsName(name), type: type)
      return ask([question])[question]
    }
  }

  @Test("Each type of record arrives with its values and its time to live")
  func types() throws {
    let bench = try Bench()
    bench.server.react = { query in
      switch query.type {
      case 1: .records([DNSServer.a("192.0.2.1", 300), DNSServer.a("192.0.2.2", 200)])
      case 28:
        .records([
          .init(
            owner: nil, type: 28, timeToLive: 7,
            data: [0x20, 1, 0xD, 0xB8] + [UInt8](repeating: 0, count: 11) + [1])
        ])
      case 33: .records([DNSServer.srv(10, 20, 5060, "Sip.Example.COM")])
      default:
        .records([
          DNSServer.naptr(50, "SIP+D2U", "_sip._udp.example.com"),
          DNSServer.naptr(60, "SIP+D2T", "example.com", regexp: "!.*!sip:x@y!"),
        ])
      }
    }
    let (a, b) = (IPAddress(v4: 0xC000_0201), IPAddress(v4: 0xC000_0202))
    #expect(bench.ask("example.com", .a) == .records([.address(a), .address(b)], timeToLive: 200))
    let six = IPAddress(v6High: 0x2001_0DB8_0000_0000, v6Low: 1)
    #expect(bench.ask("example.com", .aaaa) == .records([.address(six)], timeToLive: 7))
    #expect(
      bench.ask("_sip._udp.example.com", .srv)
        == .records(
          [.srv(priority: 10, weight: 20, port: 5060, target: dnsName("sip.example.com"))], timeToLive: 120))
    #expect(
      bench.ask("example.com", .naptr)
        == .records(
          [
            .naptr(
              order: 50, preference: 1, flags: "s", service: "SIP+D2U",
              replacement: dnsName("_sip._udp.example.com"))
          ], timeToLive: 60))
    #expect(bench.client.openCount == 0)
  }

  @Test("A chain of aliases is followed; its least time to live counts, and a circle ends")
  func aliases() throws {
    let bench = try Bench()
    bench.server.react = { query in
      if query.name == "circle.example" {
        return .records([
          DNSServer.alias("other.example"), DNSServer.alias("circle.example", owner: "other.example"),
        ])
      }
      return .records([
        DNSServer.alias("b.example", 500), DNSServer.alias("c.example", 30, owner: "B.example"),
        DNSServer.a("192.0.2.9", 400, owner: "c.example"),
        DNSServer.a("192.0.2.66", owner: "stranger.example"),
      ])
    }
    #expect(bench.ask("a.example", .a) == .records([.address(IPAddress(v4: 0xC000_0209))], timeToLive: 30))
    #expect(bench.ask("circle.example", .a) == .some(.none(timeToLive: 5)))
  }

  @Test("A thousand records come over TCP, for they do not fit into a datagram")
  func thousand() throws {
    let bench = try Bench()
    bench.server.react = { query in
      .records((0..<1_000).map { DNSServer.srv(UInt16($0), 1, 5060, "h\($0).example") })
    }
    guard case .records(let records, 120) = bench.ask("_sip._udp.example.com", .srv) else {
      return #expect(Bool(false))
    }
    #expect(records.count == 1_000)
    #expect(bench.server.queries.map(\.overTCP) == [false, true])
  }

  @Test(
    "No such name and no such record are denials, with the time the SOA record says",
    arguments: [3, 0] as [UInt8])
  func denial(code: UInt8) throws {
    let bench = try Bench()
    bench.server.react = { _ in .records([], code: code) }
    #expect(bench.ask("nothing.example", .srv) == .some(.none(timeToLive: 42)))
  }

  @Test("SERVFAIL, NOTIMP and REFUSED are failures", arguments: [2, 4, 5] as [UInt8])
  func failures(code: UInt8) throws {
    let bench = try Bench()
    bench.server.react = { _ in .records([], code: code) }
    #expect(bench.ask("broken.example", .a) == .failure)
  }

  @Test("A time to live of zero is passed on")
  func zeroTimeToLive() throws {
    let bench = try Bench()
    bench.server.react = { _ in .records([DNSServer.a("192.0.2.1", 0)]) }
    #expect(bench.ask("a.example", .a) == .records([.address(IPAddress(v4: 0xC000_0201))], timeToLive: 0))
  }

  @Test(
    "A reply that breaks off, or points where it must not, is a failure",
    arguments: [
      ([], 1), ([0xC0], 1), ([0xC0, 12], 3), ([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192], 1),
      ([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0xFF, 0xFF, 192], 1), ([64, 65, 66], 1),
    ] as [([UInt8], UInt16)])
  func broken(octets: [UInt8], answers: UInt16) throws {
    let bench = try Bench()
    bench.server.react = { _ in .octets(octets, answers: answers) }
    #expect(bench.ask("a.example", .a) == .failure)
  }

  @Test("Octets that are no reply are passed over, the question is repeated and answered")
  func garbage() throws {
    let bench = try Bench()
    var count = 0
    bench.server.react = { _ in
      count += 1
      return count == 1 ? .garbage([UInt8](repeating: 0xFF, count: 40)) : .records([DNSServer.a("192.0.2.1")])
    }
    #expect(bench.ask("a.example", .a) == .records([.address(IPAddress(v4: 0xC000_0201))], timeToLive: 300))
    #expect(count == 2)
  }

  @Test("A silent server ends a question in less than five seconds, and the loop serves others meanwhile")
  func silence() throws {
    let bench = try Bench()
    var ticks = 0
    var timer: LoopEvent?
    timer = try bench.loop.timer {
      ticks += 1
      timer?.arm(after: .milliseconds(5))
    }
    timer?.arm(after: .milliseconds(5))
    let start = MonotonicClock.now
    #expect(bench.ask("silent.example", .a) == .failure)
    // The machine may be busy; our own limit is well below.
    #expect(MonotonicClock.now.duration(since: start) < .seconds(5))
    // Had anything waited within a turn, the timer would not have come by in between.
    #expect(ticks > 100)
    #expect(bench.server.queries.count == 2)
    timer = nil
  }

  @Test("Many questions at once: each is answered once, a bounded number in each turn")
  func many() throws {
    let bench = try Bench()
    bench.server.react = { query in .records([DNSServer.a("192.0.2.1")], code: 0) }
    let questions = (0..<500).map { DNSQuestion(name: dnsName("h\($0).example"), type: .a) }
    let answers = bench.ask(questions)
    #expect(answers.count == 500 && answers.values.allSatisfy { $0 != .failure })
    #expect(bench.turns > 500 / 64)
  }

  @Test("More questions than may be open fail at once, in a later turn")
  func bound() throws {
    let bench = try Bench()
    var failed = 0
    for index in 0..<(DNSClient.maximumOpen + 10) {
      bench.client.ask(DNSQuestion(name: dnsName("h\(index).example"), type: .a)) { answer in
        if answer == .failure { failed += 1 }
      }
    }
    #expect(bench.client.openCount == DNSClient.maximumOpen && failed == 0)
    #expect(bench.loop.turn(until: { failed >= 10 }))
    #expect(failed == 10)
  }

  @Test("The hosts file, localhost and numeric names need no server")
  func local() throws {
    let bench = try Bench(
      hosts: "# comment\n192.0.2.5 Box.example box # more\n\n2001:db8::5\tbox.example\nbad line\n")
    let box = IPAddress(v4: 0xC000_0205)
    #expect(bench.ask("box.example", .a) == .records([.address(box)], timeToLive: 10))
    #expect(bench.ask("box", .a) == .records([.address(box)], timeToLive: 10))
    #expect(bench.ask("box", .aaaa) == .some(.none(timeToLive: 10)))
    let six = IPAddress(v6High: 0x2001_0DB8_0000_0000, v6Low: 5)
    #expect(bench.ask("box.example", .aaaa) == .records([.address(six)], timeToLive: 10))
    #expect(bench.ask("localhost", .a) == .records([.address(loopback4.ip)], timeToLive: 10))
    #expect(bench.ask("some.localhost", .aaaa) == .records([.address(loopback6.ip)], timeToLive: 10))
    #expect(bench.ask("192.0.2.5", .a) == .records([.address(box)], timeToLive: UInt32(Int32.max)))
    #expect(bench.server.queries.isEmpty)
  }

  @Test("A client that goes away while questions are open calls nobody")
  func goesAway() throws {
    let loop = try EventLoop()
    let server = try DNSServer(loop: loop)
    var client: DNSClient? = try DNSClient(loop: loop, servers: [server.address])
    var calls = 0
    client?.ask(DNSQuestion(name: dnsName("a.example"), type: .a)) { _ in calls += 1 }
    #expect(loop.turn(until: { server.queries.count == 1 }))
    client = nil
    for _ in 0..<3 { loop.turn(waiting: false) }
    #expect(calls == 0)
  }

  @Test("The system's servers are used when none are named")
  func system() throws {
    _ = try DNSClient(loop: try EventLoop(), servers: [])
  }
}

private func dnsName(_ text: String) -> DNSName {
  guard let name = DNSName(text) else { preconditionFailure("no name: \(text)") }
  return name
}
