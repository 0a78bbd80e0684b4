import PagedStorage
import SIPSyntax
import Testing

@testable import ServerLocation

@Suite("RFC 2782: priority and weight (D54)")
struct WeightTests {
  static func server(_ priority: UInt16, _ weight: UInt16, _ name: String) -> ServiceServer {
    ServiceServer(priority: priority, weight: weight, port: 5060, name: known(name))
  }

  /// How often each server comes first in `rounds` draws.
  static func shares(_ servers: [ServiceServer], rounds: Int, seed: UInt64 = 5) -> [String: Int] {
    var random = SelectionGenerator(key: HashKey(seed, 0))
    var first: [String: Int] = [:]
    for _ in 0..<rounds {
      let ordered = ServerSelection.ordered(servers, using: &random)
      precondition(Set(ordered) == Set(servers) && ordered.count == servers.count)
      first[ordered[0].name.description, default: 0] += 1
    }
    return first
  }

  @Test("Lower priorities come first, whatever the weights")
  func priorities() {
    let servers = [
      Self.server(0, 0, "a"), Self.server(1, 60_000, "b"), Self.server(1, 1, "c"), Self.server(9, 5, "d"),
    ]
    var random = SelectionGenerator(key: HashKey(1, 1))
    for _ in 0..<200 {
      let names = ServerSelection.ordered(servers, using: &random).map(\.name.description)
      #expect(names[0] == "a" && names[3] == "d" && Set(names[1...2]) == ["b", "c"])
    }
  }

  @Test("Servers come first in proportion to their weights")
  func proportion() throws {
    let servers = [Self.server(0, 10, "a"), Self.server(0, 30, "b"), Self.server(0, 60, "c")]
    let shares = Self.shares(servers, rounds: 20_000)
    // Four standard deviations of a share of 20,000 draws are under 300.
    for (name, percent) in [("a", 10), ("b", 30), ("c", 60)] {
      let count = try #require(shares[name])
      #expect(abs(count - 200 * percent) < 500, "\(name): \(count)")
    }
  }

  @Test("Beside weights above zero, a weight of zero is drawn rarely but not never")
  func zeroBesideOthers() throws {
    let shares = Self.shares([Self.server(0, 0, "zero"), Self.server(0, 99, "other")], rounds: 20_000)
    let count = try #require(shares["zero"])
    #expect(count > 100 && count < 320, "\(count)")
  }

  @Test("Servers that all weigh zero share the load evenly")
  func allZero() {
    let shares = Self.shares(
      [Self.server(0, 0, "a"), Self.server(0, 0, "b"), Self.server(0, 0, "c")], rounds: 9_000)
    #expect(shares.count == 3)
    for count in shares.values { #expect(abs(count - 3_000) < 300) }
  }

  @Test("The greatest weights do not overflow")
  func greatest() {
    let servers = (0..<64).map { Self.server(0, .max, "h\($0)") }
    #expect(Self.shares(servers, rounds: 500).count > 30)
  }

  @Test("Equal keys draw equally, and each call to locate draws anew")
  func deterministic() {
    var zone = Zone()
    zone.srv("_sip._udp.a.example", (1...4).map { (0, 10, 5060, "h\($0).example") })
    for index in 1...4 { zone.host("h\(index).example", "192.0.2.\(index)") }
    var (first, second, other) = (Resolver(zone, seed: 1), Resolver(zone, seed: 1), Resolver(zone, seed: 2))
    let (some, same, different) = (
      (0..<40).map { _ in first.targets(to("a.example", .udp)) },
      (0..<40).map { _ in second.targets(to("a.example", .udp)) },
      (0..<40).map { _ in other.targets(to("a.example", .udp)) }
    )
    #expect(some == same && some != different)
    #expect(Set(some).count > 5)
    #expect(first.asked.count == 5)
  }
}
