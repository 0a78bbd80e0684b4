import PagedStorage
import SIPSyntax
import Testing
import Timekeeping

@testable import ServerLocation

@Suite("G10: no source uses up the questions that all need")
struct AskerShareTests {
  private let flood = IPAddress(v4: 0x0A00_0001)
  private let other = IPAddress(v4: 0x0A00_0002)

  private var limits: LocatorLimits {
    var limits = LocatorLimits()
    limits.openQuestions = 160
    limits.pendingLocations = 320
    return limits
  }

  /// Asks for so many names on behalf of a source.
  private func ask(
    _ count: Int, for source: IPAddress?, _ resolver: inout Resolver, named label: String = "h"
  ) -> (results: [LocationResult], questions: [DNSQuestion]) {
    var questions: [DNSQuestion] = []
    let results = (0..<count).map { index in
      resolver.locator.locate(
        to("\(label)\(index).example", port: 5060), for: source, at: resolver.now, asking: &questions)
    }
    return (results, questions)
  }

  @Test(
    "Alone, a source has nine tenths; another finds room, up to a sixteenth; the proxy finds all that is left"
  )
  func questions() {
    var resolver = Resolver(limits: limits)
    let flooded = ask(400, for: flood, &resolver)
    #expect(flooded.questions.count == 144)
    #expect(flooded.results.count { $0 == .failed(.overShare) } == 256)
    let more = ask(20, for: other, &resolver, named: "o")
    #expect(more.questions.count == 10)
    #expect(more.results.count { $0 == .failed(.overShare) } == 10)
    let own = ask(20, for: nil, &resolver, named: "p")
    #expect(own.questions.count == 6 && own.results.count { $0 == .failed(.busy) } == 14)
    resolver.answer(flooded.questions + more.questions + own.questions)
    #expect(resolver.locator.openQuestionCount == 0 && resolver.locator.pendingCount == 0)
    // All shares are free again.
    #expect(ask(400, for: other, &resolver, named: "n").questions.count == 144)
  }

  @Test("Requests that wait for one name count for their sources as well")
  func waiting() {
    var resolver = Resolver(limits: limits)
    var questions: [DNSQuestion] = []
    func locate(_ source: IPAddress?, _ count: Int) -> Int {
      (0..<count).count { _ in
        let result = resolver.locator.locate(
          to("silent.example", port: 5060), for: source, at: resolver.now, asking: &questions)
        if case .pending = result { return true }
        return false
      }
    }
    #expect(locate(flood, 400) == 288)
    #expect(locate(other, 400) == 20)
    #expect(locate(nil, 400) == 12)
    resolver.advance(to: seconds(6))
    #expect(resolver.settled.count == 320 && resolver.locator.pendingCount == 0)
    #expect(locate(other, 400) == 0)
    resolver.answer(questions)
    resolver.advance(to: seconds(120))
    #expect(locate(other, 400) == 288)
  }

  @Test("Who waits for the proxy's own next hop waits as itself; what is asked for it is the proxy's")
  func waitingForNextHop() {
    var resolver = Resolver(limits: limits)
    _ = ask(400, for: flood, &resolver)
    var questions: [DNSQuestion] = []
    func wait(_ source: IPAddress, _ count: Int) -> Int {
      (0..<count).count { _ in
        let result = resolver.locator.locate(
          to("trunk.example", port: 5060), for: source, asksForProxy: true, at: resolver.now,
          asking: &questions)
        if case .pending = result { return true }
        return false
      }
    }
    // 144 wait already; nine tenths of 320 are 288.
    #expect(wait(flood, 400) == 144)
    #expect(questions.count == 1)
    #expect(wait(other, 400) == 20)
  }

  @Test("Hosts of one IPv6 /64 are one source, those of another are not")
  func networks() {
    var resolver = Resolver(limits: limits)
    for host in 0..<40 {
      let source = IPAddress(v6High: 0x2001_0DB8_0000_0001, v6Low: UInt64(host))
      _ = ask(10, for: source, &resolver, named: "h\(host)-")
    }
    #expect(resolver.locator.openQuestionCount == 144)
    let neighbour = IPAddress(v6High: 0x2001_0DB8_0000_0002, v6Low: 1)
    #expect(ask(5, for: neighbour, &resolver, named: "n").questions.count == 5)
  }

  @Test("A lookup that a flood began goes on when somebody else waits for it")
  func joined() {
    var zone = Zone()
    zone.srv("_sip._udp.shared.example", [(0, 0, 5060, "server.example")])
    zone.host("server.example", "192.0.2.1")
    var resolver = Resolver(zone, limits: limits)
    var questions: [DNSQuestion] = []
    let shared = to("shared.example", .udp)
    for source in [flood, other] {
      _ = resolver.locator.locate(shared, for: source, at: resolver.now, asking: &questions)
    }
    let open = questions
    let flooded = ask(400, for: flood, &resolver)
    #expect(flooded.results.contains(.failed(.overShare)))
    resolver.answer(open)
    #expect(resolver.targets(shared) == ["udp:192.0.2.1:5060"])
  }
}
