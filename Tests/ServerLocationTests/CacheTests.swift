import PagedStorage
import SIPSyntax
import Testing
import Timekeeping

@testable import ServerLocation

@Suite("D57: answers are kept for their time to live, and nothing blocks")
struct CacheTests {
  @Test("An answer serves until its time to live is over, then the question is asked again")
  func timeToLive() {
    var zone = Zone()
    zone.timeToLive = 30
    zone.host("a.example", "192.0.2.1")
    var resolver = Resolver(zone)
    for (time, asked) in [(0.0, 1), (10, 1), (29.999, 1), (30, 2), (59, 2), (61, 3)] {
      resolver.now = seconds(time)
      #expect(resolver.targets(to("a.example", port: 5060)) == ["udp:192.0.2.1:5060"])
      #expect(resolver.asked.count == asked, "at \(time) s")
    }
  }

  @Test("What is in the cache answers at once; each question has a time to live of its own")
  func perQuestion() {
    var resolver = Resolver(SelectionTests.published)
    resolver.zone.answers[ask("server3.example.com", .a)] = .records(
      [.address(IPAddress(v4: 0xC000_0203))], timeToLive: 10)
    _ = resolver.targets(to("example.com"))
    #expect(resolver.asked.count == 3)
    resolver.now = seconds(20)
    _ = resolver.targets(to("example.com"))
    #expect(resolver.asked[3...] == [ask("server3.example.com", .a)])
  }

  @Test(
    "A time to live of zero, or with the top bit set (RFC 2181 §8), serves those that waited and nobody later",
    arguments: [0, 1 << 31, .max] as [UInt32])
  func zero(timeToLive: UInt32) {
    var zone = SelectionTests.published
    for (question, answer) in zone.answers {
      if case .records(let records, _) = answer {
        zone.answers[question] = .records(records, timeToLive: timeToLive)
      }
    }
    var resolver = Resolver(zone)
    var questions: [DNSQuestion] = []
    guard
      case .pending(let id) = resolver.locator.locate(to("example.com"), at: resolver.now, asking: &questions)
    else { return #expect(Bool(false), "known already") }
    // Every answer takes a while, so that all but the last have long expired.
    while let question = questions.popLast() {
      resolver.now = resolver.now + .milliseconds(700)
      let answer = zone.answers[question] ?? .none(timeToLive: 0)
      resolver.locator.answered(
        question, with: answer, at: resolver.now, asking: &questions, settled: &resolver.settled)
    }
    #expect(resolver.settled == [id])
    let expected = LocationResult.targets([
      ServerTarget(transport: .tls, address: SocketAddress(ip: IPAddress(v4: 0xC000_0203), port: 5061))
    ])
    // In the instant of the report, and later for the one that waited.
    #expect(resolver.locator.locate(to("example.com"), at: resolver.now, asking: &questions) == expected)
    resolver.now = resolver.now + .milliseconds(300)
    #expect(
      resolver.locator.locate(to("example.com"), settled: id, at: resolver.now, asking: &questions)
        == expected)
    #expect(questions.isEmpty)
    guard case .pending = resolver.locator.locate(to("example.com"), at: resolver.now, asking: &questions)
    else {
      return #expect(Bool(false), "a later request was served with what has expired")
    }
  }

  @Test("Times to live are bounded: a day for records, a minute for none, five seconds for a failure")
  func bounds() {
    var zone = Zone()
    zone.timeToLive = UInt32(Int32.max)
    zone.host("good.example", "192.0.2.1")
    zone.answers[ask("none.example", .a)] = .none(timeToLive: 86_400)
    zone.fail("bad.example", .a)
    var resolver = Resolver(zone)
    let destinations = [to("good.example", port: 1), to("none.example", port: 1), to("bad.example", port: 1)]
    #expect(destinations.map { resolver.targets($0).count } == [1, 0, 0])
    #expect(resolver.asked.count == 3)
    #expect(resolver.result(destinations[1]) == .failed(.notFound))
    #expect(resolver.result(destinations[2]) == .failed(.unanswered))
    #expect(resolver.asked.count == 3)
    for (time, name) in [(5.0, "bad.example"), (60, "none.example"), (86_400, "good.example")] {
      resolver.asked = []
      resolver.now = seconds(time)
      for destination in destinations where destination.host == known(name) {
        _ = resolver.result(destination)
      }
      #expect(resolver.asked == [ask(name, .a)], "at \(time) s")
    }
  }

  @Test("Equal questions of many requests are asked once")
  func coalesces() {
    var resolver = Resolver(SelectionTests.published)
    var questions: [DNSQuestion] = []
    var waiting: [LocationID] = []
    for destination in [
      to("example.com"), to("example.com", secure: true), to("example.com"), to("EXAMPLE.com."),
    ] {
      guard case .pending(let id) = resolver.locator.locate(destination, at: resolver.now, asking: &questions)
      else { continue }
      waiting.append(id)
    }
    #expect(questions == [ask("example.com", .naptr)])
    #expect(Set(waiting).count == 4)
    #expect(resolver.locator.pendingCount == 4)
    resolver.answer(questions)
    #expect(Set(resolver.settled) == Set(waiting) && resolver.settled.count == 4)
    #expect(Set(resolver.asked).count == resolver.asked.count)
    #expect(resolver.locator.pendingCount == 0 && resolver.locator.openQuestionCount == 0)
  }

  @Test("Answers to what was not asked, or was answered, are ignored")
  func strayAnswers() {
    var resolver = Resolver(SelectionTests.published)
    resolver.answer([ask("example.com", .naptr), ask("other.example", .a)])
    #expect(resolver.locator.cachedCount == 0)
    _ = resolver.targets(to("example.com"))
    let count = resolver.locator.cachedCount
    resolver.answer([ask("example.com", .naptr)])
    #expect(resolver.locator.cachedCount == count && resolver.locator.openQuestionCount == 0)
  }

  @Test("What has expired is forgotten, and then no timer runs")
  func forgets() {
    var resolver = Resolver(SelectionTests.published)
    _ = resolver.targets(to("example.com"))
    #expect(resolver.locator.cachedCount > 0)
    var rounds = 0
    while let deadline = resolver.locator.nextDeadline, rounds < 1_000 {
      resolver.advance(to: deadline)
      rounds += 1
    }
    #expect(resolver.locator.cachedCount == 0)
    #expect(resolver.now >= seconds(300) && resolver.now <= seconds(320))
  }
}
