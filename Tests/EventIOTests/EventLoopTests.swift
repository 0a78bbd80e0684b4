import Glibc
import PagedStorage
import SIPSyntax
import Testing
import Timekeeping

@testable import EventIO

@Suite("The event loop", .serialized)
struct EventLoopTests {
  @Test("In one turn sockets are read before timers that are due")
  func socketsFirst() throws {
    let loop = try EventLoop()
    var order: [String] = []
    var pipes: [Int32] = [0, 0]
    #expect(unsafe pipe(&pipes) == 0)
    defer { pipes.forEach { close($0) } }
    let timer = try loop.timer { order.append("timer") }
    let reader = try loop.whenReadable(pipes[0]) { order.append("socket") }
    timer.arm(after: .zero)
    _ = unsafe write(pipes[1], "x", 1)
    loop.turn(waiting: true)
    #expect(order == ["socket", "timer"])
    // Level-triggered: what was not read is there in the next turn.
    loop.turn(waiting: false)
    #expect(order == ["socket", "timer", "socket"])
    _ = reader
  }

  @Test("A timer armed again in its own call fires in the next turn, behind the sockets")
  func backlogLetsSocketsGoFirst() throws {
    let loop = try EventLoop()
    var order: [String] = []
    var pipes: [Int32] = [0, 0]
    #expect(unsafe pipe(&pipes) == 0)
    defer { pipes.forEach { close($0) } }
    var timer: LoopEvent?
    timer = try loop.timer {
      order.append("timer")
      if order.count < 6 { timer?.arm(after: .zero) }
    }
    let reader = try loop.whenReadable(pipes[0]) { order.append("socket") }
    _ = unsafe write(pipes[1], "x", 1)
    timer?.arm(after: .zero)
    for _ in 0..<3 { loop.turn(waiting: false) }
    #expect(order == ["socket", "timer", "socket", "timer", "socket", "timer"])
    timer = nil
    _ = reader
  }

  @Test("A disarmed timer and a timer that went away do not fire")
  func disarms() throws {
    let loop = try EventLoop()
    var fired = 0
    let timer = try loop.timer { fired += 1 }
    timer.arm(after: .zero)
    timer.disarm()
    var other: LoopEvent? = try loop.timer { fired += 1 }
    other?.arm(after: .zero)
    other = nil
    loop.turn(waiting: false)
    #expect(fired == 0)
  }

  @Test("Signals arrive as events")
  func signals() throws {
    let loop = try EventLoop()
    var count = 0
    let event = try loop.whenSignalled(SIGUSR2) { count += 1 }
    #expect(kill(getpid(), SIGUSR2) == 0)
    #expect(loop.turn(until: { count == 1 }))
    _ = event
  }

  @Test("run returns when an event says stop")
  func stops() throws {
    let loop = try EventLoop()
    let timer = try loop.timer { [unowned loop] in loop.stop() }
    timer.arm(after: .zero)
    try loop.run()
  }
}

@Suite("The operating system's services")
struct OperatingSystemTests {
  @Test("Pages can be mapped, written and given back")
  func pages() throws {
    var arena = ByteArena(pages: OperatingSystem.pages)
    let bytes = [UInt8](repeating: 7, count: 100_000)
    let stored = arena.store(bytes.span)
    let blob = try #require(stored)
    let isWhole = arena.withBytes(of: blob) { stored in
      stored.count == bytes.count && stored.indices.allSatisfy { stored[$0] == 7 }
    }
    #expect(isWhole)
    arena.free(blob)
  }

  @Test("The source address toward this host is the peer's own, whatever was asked for before")
  func sourceAddress() throws {
    let probe = try SourceAddressProbe()
    let own = OperatingSystem.localAddresses().filter { !$0.isLinkLocal }
    for ip in [loopback4.ip] + own.flatMap({ [$0, loopback4.ip, loopback6.ip, $0] }) {
      #expect(probe.source(toward: ip) == ip)
    }
  }

  /// D47: asking for fewer than there are changes nothing, so that this test is in nobody's way.
  @Test("The number of descriptors is never lowered, and never beyond what the system allows")
  func descriptors() {
    let allowed = OperatingSystem.allowDescriptors(1)
    #expect(allowed >= 256)
    #expect(OperatingSystem.allowDescriptors(allowed) == allowed)
    #expect(OperatingSystem.allowDescriptors(1) == allowed)
  }

  @Test("Local addresses include the loopback address")
  func localAddresses() {
    #expect(OperatingSystem.localAddresses().contains(loopback4.ip))
  }

  @Test("localhost resolves to loopback; a name that cannot exist resolves to nothing")
  func resolves() {
    let found = OperatingSystem.resolve("localhost")
    #expect(!found.isEmpty && found.allSatisfy(\.isLoopback))
    #expect(OperatingSystem.resolve("no-such-host.invalid").isEmpty)
  }

  @Test("The monotonic clock does not go back")
  func clock() {
    let first = MonotonicClock.now
    #expect(MonotonicClock.now >= first)
  }

  @Test("Two random keys differ")
  func randomKeys() throws {
    let (first, second) = (try OperatingSystem.randomKey(), try OperatingSystem.randomKey())
    #expect("\(first)" != "\(second)")
  }
}
