import ProxyCore
import ProxySimulation
import SIPSyntax
import ServerLocation

/// What a pretended DNS knows: records by name and type, and names it keeps silent about.
struct Zone {
  private var records: [DNSQuestion: [DNSRecord]] = [:]

  /// Adds an SRV record.
  mutating func service(
    _ name: String, priority: UInt16 = 1, weight: UInt16 = 1, port: UInt16, at target: String
  ) {
    guard let target = DNSName(target) else { return }
    add(.srv(priority: priority, weight: weight, port: port, target: target), to: name, .srv)
  }

  /// Adds an address.
  mutating func host(_ name: String, _ address: String) {
    guard let ip = IPAddress(address) else { return }
    add(.address(ip), to: name, ip.family == .v4 ? .a : .aaaa)
  }

  private mutating func add(_ record: DNSRecord, to name: String, _ type: DNSRecordType) {
    guard let name = DNSName(name) else { return }
    records[DNSQuestion(name: name, type: type), default: []].append(record)
  }

  /// What the DNS answers.
  func answer(_ question: DNSQuestion) -> DNSAnswer {
    records[question].map { .records($0, timeToLive: 60) } ?? .none(timeToLive: 60)
  }
}

extension Stage {
  /// Lets a zone answer every question of the proxy at once.
  func ask(_ zone: Zone) { driver.zone = { zone.answer($0) } }

  /// Two servers behind one name, the first at Bob's, the second at Carol's.
  func twoServers() {
    var zone = Zone()
    zone.service("_sip._udp.example.net", priority: 1, port: 5070, at: "one.example.net")
    zone.service("_sip._udp.example.net", priority: 2, port: 5060, at: "two.example.net")
    zone.host("one.example.net", "198.51.100.2")
    zone.host("two.example.net", "198.51.100.3")
    ask(zone)
  }
}
