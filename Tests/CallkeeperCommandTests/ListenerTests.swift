import EventIO
import Glibc
import ProxyCore
import SIPSyntax
import Testing

@testable import CallkeeperCommand

/// The listeners of a start with these flags, as the ready line would name them.
private func listeners(_ arguments: [String]) throws -> [String] {
  try Preparation(try configuration(arguments)).listen.map(\.description)
}

private func listening(_ addresses: String...) -> [String] { addresses.flatMap { ["--listen", $0] } }

@Suite("RFC 3261 §18.2.1: where the proxy listens")
struct ListenerTests {
  /// D2: 5060 over UDP and TCP; with a certificate TLS on 5061 as well.
  @Test("By default UDP and TCP on port 5060, and TLS on 5061 with a certificate")
  func standard() throws {
    #expect(try listeners([]) == ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"])
    #expect(
      try listeners(["--tls-certificate", "c"]) == [
        "udp:0.0.0.0:5060", "tcp:0.0.0.0:5060", "tls:0.0.0.0:5061",
      ])
    #expect(
      try listeners(["--tls-certificate", "c"] + listening("tls:127.0.0.1:5071")) == ["tls:127.0.0.1:5071"])
  }

  static let twins: [(asked: [String], opened: [String])] = [
    (["udp:192.0.2.1:5060"], ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060"]),
    (["udp:[2001:db8::1]:5070"], ["udp:[2001:db8::1]:5070", "tcp:[2001:db8::1]:5070"]),
    (["udp:192.0.2.1:0"], ["udp:192.0.2.1:0", "tcp:192.0.2.1:0"]),
    // Given explicitly, before or behind, on the same address or one that covers it or lies in it.
    (["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060"], ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060"]),
    (["tcp:0.0.0.0:5060", "udp:192.0.2.1:5060"], ["tcp:0.0.0.0:5060", "udp:192.0.2.1:5060"]),
    (["udp:0.0.0.0:5060", "TCP:127.0.0.1:5060"], ["udp:0.0.0.0:5060", "tcp:127.0.0.1:5060"]),
    // Another port, another address, another family, another transport: the twin is there.
    (
      ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5070"],
      ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060", "tcp:192.0.2.1:5070"]
    ),
    (
      ["udp:192.0.2.1:5060", "tcp:192.0.2.2:5060"],
      ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060", "tcp:192.0.2.2:5060"]
    ),
    (["udp:0.0.0.0:5060", "tcp:[::]:5060"], ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060", "tcp:[::]:5060"]),
    (["tcp:192.0.2.1:0", "udp:192.0.2.1:0"], ["tcp:192.0.2.1:0", "udp:192.0.2.1:0", "tcp:192.0.2.1:0"]),
    (["tcp:192.0.2.1:5060"], ["tcp:192.0.2.1:5060"]),
  ]

  /// D1.
  @Test("Every UDP port also listens on TCP", arguments: twins)
  func twin(_ row: (asked: [String], opened: [String])) throws {
    #expect(try listeners(row.asked.flatMap { ["--listen", $0] }) == row.opened)
  }

  /// D1: port 0 asks for a port that both can have.
  @Test("A free port is one that UDP and TCP have both", arguments: ["127.0.0.1", "::1"])
  func freePort(_ host: String) throws {
    let ip = try #require(IPAddress(host))
    let asked = ListenAddress(transport: .udp, address: SocketAddress(ip: ip, port: 0))
    let sockets = try ListenerSockets(ListenAddress.withTwins([asked, asked]))
    #expect(sockets.listeners.map(\.transport) == [.udp, .tcp, .udp, .tcp])
    let ports = sockets.listeners.map(\.address.port)
    #expect(ports[0] == ports[1] && ports[2] == ports[3] && ports[0] != ports[2] && !ports.contains(0))
    #expect(sockets.transports.map(\.bound) == sockets.listeners.map(\.address))
  }

  @Test("A TCP port that somebody has is refused with 73, also when nobody asked for it by name")
  func busy() throws {
    let taken = try ListenerSockets([
      ListenAddress(transport: .tcp, address: SocketAddress(ip: IPAddress(v4: 0x7F00_0001), port: 0))
    ])
    let address = try #require(taken.listeners.first?.address)
    let asked = ListenAddress.withTwins([ListenAddress(transport: .udp, address: address)])
    let error = #expect(throws: EventIOError.self) { _ = try ListenerSockets(asked) }
    #expect(error?.errorNumber == EADDRINUSE && error?.address == "tcp:\(address)")
    #expect(error.map { CommandError(starting: $0).status } == .cannotCreate)
  }

  @Test("A tls listener needs a certificate, and TLS files need a tls listener")
  func tls() throws {
    let found = try configuration(
      listening("tls:[::1]:5061") + [
        "--tls-certificate", "c", "--tls-key", "k", "--tls-ca", "a", "--tls-require-client-certificate",
      ])
    #expect(found.tls?.certificate == "c" && found.tls?.key == "k" && found.tls?.trust == "a")
    #expect(found.tls?.requiresClientCertificate == true)
    let cases: [(arguments: [String], words: [String])] = [
      (listening("tls:[::1]:5061"), ["--listen tls:[::1]:5061", "--tls-certificate"]),
      (listening("udp:[::1]:5061") + ["--tls-certificate", "c"], ["--tls-certificate c", "--listen tls:"]),
      (listening("tcp:[::1]:5061") + ["--tls-ca", "a"], ["--tls-ca a", "--listen tls:"]),
    ]
    for (arguments, words) in cases {
      let error = #expect(throws: CommandError.self) { _ = try configuration(arguments) }
      #expect(error?.status == .configuration)
      for word in words { #expect(error?.description.contains(word) == true, "\(word)") }
    }
  }
}

@Suite("What the listeners are called")
struct AdvertiseTests {
  /// Host and port that each of four listeners goes by.
  private func names(_ advertise: [String]) throws -> [String] {
    let flags = advertise.flatMap { ["--advertise", $0] }
    let run = try configuration(
      flags + ["--tls-certificate", "c"]
        + listening("udp:192.0.2.1:5060", "udp:[2001:db8::1]:5060", "tls:192.0.2.1:5061"))
    let preparation = try Preparation(run)
    let found = preparation.proxyConfiguration(run, bound: preparation.listen, localAddresses: [])
    #expect(found.listeners.map(\.transport) == [.udp, .tcp, .udp, .tcp, .tls])
    return found.listeners.map { listener in
      let host = String(decoding: listener.advertisedHost ?? [], as: UTF8.self)
      return host + (listener.advertisedPort.map { ":\($0)" } ?? "")
    }
  }

  @Test("An address goes to the listeners of its family, a name to all")
  func families() throws {
    #expect(
      try names(["udp:[2001:db8::5]:5099", "Proxy.Example.COM"])
        == [
          "proxy.example.com", "proxy.example.com", "[2001:db8::5]:5099", "proxy.example.com",
          "proxy.example.com",
        ])
    #expect(try names(["198.51.100.1"]) == ["198.51.100.1", "198.51.100.1", "", "", "198.51.100.1"])
  }

  /// TLS peers compare the name with the certificate, so that it may differ from the others'.
  @Test("A name for one transport goes before a name for all, whatever their order")
  func transports() throws {
    let expected = ["a.example:5070", "a.example:5070", "a.example:5070", "a.example:5070", "b.example:5071"]
    #expect(try names(["a.example:5070", "tls:b.example:5071"]) == expected)
    #expect(try names(["tls:b.example:5071", "a.example:5070"]) == expected)
    #expect(try names(["tcp:c.example:5072"]) == ["", "c.example:5072", "", "c.example:5072", ""])
  }

  @Test("A port without a transport is that of UDP and TCP")
  func ports() throws {
    #expect(try names(["a.example:5070"]).last == "a.example")
    #expect(try names(["a.example"]).last == "a.example")
  }

  @Test("Every advertised name and alias is us (B33)")
  func ownNames() throws {
    let run = try configuration(["--advertise", "tcp:a.example:5070", "--alias", "Other.Example:5071"])
    let found = try Preparation(run).proxyConfiguration(run, bound: [], localAddresses: [])
    let names = found.ownNames.map { "\(String(decoding: $0.host, as: UTF8.self)):\($0.port ?? 0)" }
    #expect(names == ["a.example:5070", "other.example:5071"])
  }
}

@Suite("RFC 3263 §4: --next-hop")
struct NextHopTests {
  private func nextHop(_ uri: String, _ flags: [String] = []) throws -> NextHop? {
    try Preparation(try configuration(["--next-hop", uri] + flags)).nextHop
  }

  static let hops: [(uri: String, pushed: String, address: String?)] = [
    ("sip:192.0.2.1", "sip:192.0.2.1;lr", "192.0.2.1:5060"),
    ("sip:192.0.2.1:5070;lr", "sip:192.0.2.1:5070;lr", "192.0.2.1:5070"),
    ("sip:192.0.2.1;transport=TCP", "sip:192.0.2.1;transport=TCP;lr", "192.0.2.1:5060"),
    ("sip:192.0.2.1;transport=udp", "sip:192.0.2.1;transport=udp;lr", "192.0.2.1:5060"),
    // RFC 3261 section 19.1.2: the port of a sips URI.
    ("sips:192.0.2.1", "sips:192.0.2.1;lr", "192.0.2.1:5061"),
    ("sips:192.0.2.1;transport=tcp", "sips:192.0.2.1;transport=tcp;lr", "192.0.2.1:5061"),
    // A name is looked up while calls are made.
    ("sip:edge.example.com", "sip:edge.example.com;lr", nil),
    ("sips:edge.example.com:5071", "sips:edge.example.com:5071;lr", nil),
  ]

  @Test("A next hop gets lr, and an address the port of its transport (B59)", arguments: hops)
  func pushes(_ row: (uri: String, pushed: String, address: String?)) throws {
    let tls = ["--tls-certificate", "c"] + listening("udp:192.0.2.9:5060", "tls:192.0.2.9:5061")
    let hop = try #require(try nextHop(row.uri, row.uri.hasPrefix("sips") ? tls : []))
    #expect(String(decoding: hop.uri, as: UTF8.self) == row.pushed)
    #expect(hop.addresses.map(\.description) == (row.address.map { [$0] } ?? []))
  }

  @Test("A next hop that no listener can send to is refused with 78")
  func refuses() throws {
    let cases: [(uri: String, flags: [String], word: String)] = [
      ("sip:[2001:db8::1]", [], "address family"), ("sips:192.0.2.1", [], "tls:HOST:PORT"),
      ("sips:edge.example.com", [], "tls:HOST:PORT"),
      ("sip:192.0.2.1;transport=udp", listening("tcp:192.0.2.9:5060"), "udp:HOST:PORT"),
      ("sip:[2001:db8::1];transport=tcp", listening("udp:192.0.2.9:5060"), "address family"),
    ]
    for (uri, flags, word) in cases {
      let error = #expect(throws: CommandError.self) { _ = try nextHop(uri, flags) }
      #expect(error?.status == .configuration && error?.description.contains(word) == true, "\(uri)")
      #expect(error?.description.contains("--next-hop \(uri)") == true)
    }
  }
}
