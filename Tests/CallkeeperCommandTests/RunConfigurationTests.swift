import ArgumentParser
import ProxyCore
import SIPSyntax
import SessionTimers
import Testing
import Timekeeping

@testable import CallkeeperCommand

/// What run makes of these flags and nothing else.
func configuration(_ arguments: [String]) throws -> RunConfiguration {
  let options = try RunOptions.parse(arguments)
  return try RunConfiguration(
    try Settings(given: options.given, environment: { _ in nil }, readFile: { _ in nil }))
}

@Suite("What run makes of its flags")
struct RunConfigurationTests {
  @Test("Without flags the defaults of the documentation hold")
  func defaults() throws {
    let found = try configuration([])
    #expect(found.listen.map(\.description) == ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"])
    #expect(found.tls == nil && found.dnsServers.isEmpty && found.maxConnections == 10_000)
    #expect(found.sessionTimers == .standard)
    #expect(found.untimedLifetime == .seconds(43_200) && found.maxSession == .seconds(86_400))
    #expect(found.maxDialogs == 2_000_000 && found.maxTransactions == 1_000_000)
    #expect(found.udpMTU == 1_500 && found.t1 == .milliseconds(500))
    #expect(found.control == nil && found.http == nil && found.nextHop == nil && !found.isHTTPPublic)
    #expect(found.log == LogOptions())
  }

  @Test("By default loopback, private, link-local and unique-local sources are allowed, and no others (G1)")
  func defaultSources() throws {
    let blocks = try configuration([]).allow
    func isAllowed(_ text: String) -> Bool {
      IPAddress(text).map { address in blocks.contains { $0.contains(address) } } ?? false
    }
    for text in [
      "127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.9.9", "169.254.1.1", "fe80::1", "fd00::1",
    ] {
      #expect(isAllowed(text), "\(text)")
    }
    for text in ["192.0.2.1", "172.32.0.1", "8.8.8.8", "2001:db8::1", "0.0.0.0"] {
      #expect(!isAllowed(text), "\(text)")
    }
    let own = try configuration(["--allow", "192.0.2.0/24", "--allow", "2001:db8::/32"]).allow
    #expect(own.map(\.description) == ["192.0.2.0/24", "2001:db8::/32"])
  }

  @Test("Session timers can be set, switched off, and read by erratum 8926 (A6-A8, A65)")
  func sessionTimers() throws {
    let found = try configuration(["--session-expires", "600", "--min-se", "120", "--honor-refresher-uas"])
    #expect(found.sessionTimers.sessionExpires == DeltaSeconds(600))
    #expect(found.sessionTimers.minSE == DeltaSeconds(120) && found.sessionTimers.honorsRefresherUAS)
    let off = try configuration(["--session-expires", "off", "--min-se", "7200"])
    #expect(off.sessionTimers.sessionExpires == nil && off.sessionTimers.minSE == DeltaSeconds(7_200))
  }

  @Test("Zero means without end")
  func zeroes() throws {
    let found = try configuration(["--untimed-lifetime", "0", "--max-session", "0", "--max-dialogs", "0"])
    #expect(found.untimedLifetime == nil && found.maxSession == nil && found.maxDialogs == 0)
  }

  static let refused: [[String]] = [
    // A6 and A8: below 90 seconds, and asking for less than we accept.
    ["--min-se", "89"], ["--min-se", "0"], ["--min-se", "4294967296"], ["--min-se", "ninety"],
    ["--session-expires", "89"], ["--session-expires", "300", "--min-se", "600"], ["--min-se", "1801"],
    ["--session-expires", "never"],
    ["--listen", "udp"], ["--listen", "udp:"], ["--listen", "udp:127.0.0.1"], ["--listen", "127.0.0.1:5060"],
    ["--listen", "udp:127.0.0.1:99999"], ["--listen", "udp:127.0.0.1:"], ["--listen", "udp:127.0.0.1:-1"],
    ["--listen", "udp:::1:5060"], ["--listen", "udp:[::1:5060"], ["--listen", "udp:[127.0.0.1]:5060"],
    ["--listen", "udp:300.0.0.1:5060"], ["--listen", "udp:a b:5060"], ["--listen", "sctp:127.0.0.1:5060"],
    ["--listen", "tcp:127.0.0.1"], ["--listen", "tls:127.0.0.1:"], ["--listen", "tcp:udp:127.0.0.1:5060"],
    // TLS without a certificate, and files that no listener uses.
    ["--listen", "tls:127.0.0.1:5061"], ["--tls-key", "x"], ["--tls-ca", "x"],
    ["--tls-require-client-certificate"],
    ["--next-hop", "sip:192.0.2.1;transport=tls"], ["--next-hop", "sip:192.0.2.1;transport=sctp"],
    ["--next-hop", "sips:192.0.2.1;transport=udp"], ["--next-hop", "sip:a b"],
    ["--dns-server", "dns.example.com"], ["--dns-server", "192.0.2.1:0"], ["--dns-server", "192.0.2.1:x"],
    ["--dns-server", "[192.0.2.1]:53"], ["--dns-server", "2001:db8::1:65536"],
    ["--max-connections", "0"], ["--max-connections", "1000001"], ["--max-connections", "-1"],
    ["--advertise", "tcp:proxy.example.com:0"], ["--advertise", "tcp:udp:proxy.example.com"],
    ["--workers", "0"], ["--workers", "65"], ["--advertise", "a:0"], ["--advertise", "a:b"],
    ["--alias", "sip:a"], ["--alias", "a:70000"], ["--next-hop", "192.0.2.1"], ["--next-hop", "tel:+1"],
    ["--next-hop", "sip:192.0.2.1:0"], ["--next-hop", "sip:192.0.2.1?a=b"], ["--next-hop", "sip:"],
    ["--allow", "192.0.2.7/24"], ["--allow", "192.0.2.0/33"], ["--allow", "example.com"],
    ["--untimed-lifetime", "-1"], ["--max-session", "2147483648"], ["--max-dialogs", "1e6"],
    ["--max-transactions", "4000000001"], ["--udp-mtu", "575"], ["--udp-mtu", "65536"], ["--t1", "9"],
    ["--t1", "60001"], ["--http", "127.0.0.1"], ["--log-level", "loud"], ["--log-format", "xml"],
    ["--control", "/" + String(repeating: "x", count: 107)],
  ]

  @Test("What is not legal is refused with 78 in one line that names flag and value", arguments: refused)
  func refuses(_ arguments: [String]) {
    let parts = arguments.count > 1 ? ["\(arguments[0])=\(arguments[1])"] + arguments.dropFirst(2) : arguments
    let error = #expect(throws: CommandError.self) { _ = try configuration(parts) }
    #expect(error?.status == .configuration)
    let line = error?.description ?? ""
    #expect(!line.contains("\n"))
    #expect(line.contains("--min-se") || line.contains(arguments[0]))
    if arguments.count == 2 { #expect(line.contains(arguments[1]) || arguments[1] == "1801") }
  }

  static let hosts: [(text: String, host: String?, port: UInt16?)] = [
    ("proxy.example.com", "proxy.example.com", nil), ("a:1", "a", 1), ("192.0.2.1:5060", "192.0.2.1", 5060),
    ("[2001:db8::1]:5070", "2001:db8::1", 5070), ("[::1]", "::1", nil), ("::1", nil, nil),
    ("[::1]x", nil, nil),
    ("a:", nil, nil), ("a:+1", nil, nil), ("1.2.3", nil, nil), ("a/b", nil, nil), (":5", nil, nil),
    ("a\r\nb", nil, nil), ("a;b", nil, nil),
  ]

  @Test("Hosts with and without ports are read", arguments: hosts)
  func readsHosts(_ row: (text: String, host: String?, port: UInt16?)) {
    let found = HostPort(row.text)
    #expect(found?.host == row.host && found?.port == row.port)
  }

  @Test("A link-local listener may name its interface, which must be there; nothing else may (RFC 4007 §11)")
  func zones() throws {
    let run = try configuration(["--listen", "udp:[fe80::1%lo]:0"])
    #expect(run.listen.first?.host.host == "fe80::1" && run.listen.first?.host.zone == "lo")
    #expect(try Preparation(run).listen.first?.address.scope ?? 0 > 0)
    let unknown = try configuration(["--listen", "udp:[fe80::1%nowhere]:0"])
    let error = #expect(throws: CommandError.self) { _ = try Preparation(unknown) }
    #expect(error?.status == .configuration && error?.description.contains("%nowhere") == true)
    for text in ["udp:[2001:db8::1%lo]:0", "udp:[fe80::1%]:0", "udp:[fe80::1%0123456789abcdef]:0"] {
      #expect(throws: CommandError.self) { _ = try configuration(["--listen", text]) }
    }
    #expect(throws: CommandError.self) { _ = try configuration(["--alias", "[fe80::1%lo]"]) }
  }

  @Test("The secret must have 32 bytes, and its key depends on every one")
  func secret() throws {
    let run = try configuration(["--secret-file", "s"])
    #expect(throws: CommandError.self) { _ = try Preparation(run, readFile: { _ in nil }) }
    #expect(throws: CommandError.self) {
      _ = try Preparation(run, readFile: { _ in [UInt8](repeating: 1, count: 31) })
    }
    let bytes = [UInt8](repeating: 1, count: 40)
    let key = try Preparation(run, readFile: { _ in bytes }).tokenKey
    #expect(key != nil)
    for index in bytes.indices {
      var other = bytes
      other[index] ^= 1
      #expect("\(Preparation.key(from: other))" != "\(Preparation.key(from: bytes))")
    }
  }

  @Test("The query API listens beyond loopback only when that is asked for")
  func publicHTTP() throws {
    _ = try Preparation(try configuration(["--http", "127.0.0.1:8080"]))
    let error = #expect(throws: CommandError.self) {
      _ = try Preparation(try configuration(["--http", "0.0.0.0:8080"]))
    }
    #expect(error?.description.contains("--http-public") == true)
    _ = try Preparation(try configuration(["--http", "0.0.0.0:8080", "--http-public"]))
  }

  @Test("DNS servers are addresses, with a port or without")
  func dnsServers() throws {
    let found = try configuration(
      ["192.0.2.1", "192.0.2.2:5353", "2001:db8::1", "[2001:db8::2]", "[2001:db8::3]:54"].flatMap {
        ["--dns-server", $0]
      })
    #expect(
      found.dnsServers.map(\.description)
        == ["192.0.2.1:53", "192.0.2.2:5353", "[2001:db8::1]:53", "[2001:db8::2]:53", "[2001:db8::3]:54"])
  }

  @Test("An interval below 1800 seconds is warned of (A7)")
  func warns() throws {
    #expect(try Preparation(try configuration([]), allowDescriptors: { $0 }).warnings.isEmpty)
    #expect(
      try Preparation(try configuration(["--session-expires", "600"])).warnings.first?.contains("1800")
        == true)
  }
}
