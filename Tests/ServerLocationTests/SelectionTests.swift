import SIPSyntax
import Testing

@testable import ServerLocation

@Suite("RFC 3263 §4.1, §4.2: transport, port and address")
struct SelectionTests {
  /// The example of RFC 3263 §4.1, with hosts.
  static var published: Zone {
    var zone = Zone()
    zone.naptr(
      "example.com",
      [
        (50, 50, "SIPS+D2T", "_sips._tcp.example.com"), (90, 50, "SIP+D2T", "_sip._tcp.example.com"),
        (100, 50, "SIP+D2U", "_sip._udp.example.com"),
      ])
    zone.srv(
      "_sip._tcp.example.com", [(0, 1, 5060, "server1.example.com"), (1, 2, 5060, "server2.example.com")])
    zone.srv("_sip._udp.example.com", [(0, 1, 5080, "server1.example.com")])
    zone.srv("_sips._tcp.example.com", [(0, 1, 5061, "server3.example.com")])
    zone.host("server1.example.com", "192.0.2.1")
    zone.host("server2.example.com", "192.0.2.2")
    zone.host("server3.example.com", "192.0.2.3")
    zone.host("example.com", "192.0.2.99")
    return zone
  }

  @Test("D51: NAPTR decides by order among the transports we speak")
  func published() {
    var all = Resolver(Self.published)
    #expect(all.targets(to("example.com")) == ["tls:192.0.2.3:5061"])
    #expect(all.asked.first == ask("example.com", .naptr))
    var noTLS = Resolver(
      Self.published, supported: [SupportedTransports(.udp, .v4), SupportedTransports(.tcp, .v4)])
    #expect(noTLS.targets(to("example.com")) == ["tcp:192.0.2.1:5060", "tcp:192.0.2.2:5060"])
    var onlyUDP = Resolver(Self.published, supported: SupportedTransports(.udp, .v4))
    #expect(onlyUDP.targets(to("example.com")) == ["udp:192.0.2.1:5080"])
  }

  @Test("D51: a sips URI discards every service that is not SIPS, and never leads to another transport (G36)")
  func secureNAPTR() {
    var zone = Self.published
    zone.naptr(
      "example.com",
      [(10, 1, "SIP+D2T", "_sip._tcp.example.com"), (90, 1, "SIPS+D2T", "_sips._tcp.example.com")])
    var resolver = Resolver(zone)
    #expect(resolver.targets(to("example.com", secure: true)) == ["tls:192.0.2.3:5061"])
    #expect(!resolver.asked.contains(ask("_sip._tcp.example.com", .srv)))
    zone.naptr("example.com", [(10, 1, "SIP+D2T", "_sip._tcp.example.com")])
    var without = Resolver(zone)
    #expect(without.targets(to("example.com", secure: true)) == ["tls:192.0.2.3:5061"])
    #expect(without.asked.allSatisfy { $0.name != known("_sip._tcp.example.com") })
  }

  @Test("G36: whatever fails, a sips URI ends at TLS or nowhere")
  func secureFallback() {
    for failing in 0..<16 {
      var zone = Zone()
      zone.host("example.com", "192.0.2.9")
      let questions = [
        ask("example.com", .naptr), ask("_sips._tcp.example.com", .srv), ask("example.com", .a),
        ask("example.com", .aaaa),
      ]
      for (bit, question) in questions.enumerated() where failing & 1 << bit != 0 {
        zone.answers[question] = .failure
      }
      var resolver = Resolver(zone, supported: everything)
      let targets = resolver.targets(to("example.com", secure: true))
      #expect(targets == (failing & 4 == 0 ? ["tls:192.0.2.9:5061"] : []))
    }
  }

  @Test("G36: sips with UDP, or without a TLS listener, is not located at all")
  func secureUnsupported() {
    var resolver = Resolver(Self.published)
    #expect(resolver.result(to("example.com", .udp, secure: true)) == .failed(.unsupportedTransport))
    var noTLS = Resolver(Self.published, supported: [SupportedTransports(.udp, .v4)])
    #expect(noTLS.result(to("example.com", secure: true)) == .failed(.unsupportedTransport))
    #expect(noTLS.result(to("example.com", .tcp)) == .failed(.unsupportedTransport))
    #expect(noTLS.asked.isEmpty)
  }

  @Test("RFC 5630 §5.3: transport=tcp in a sips URI means TLS over TCP")
  func secureTCP() {
    var resolver = Resolver(Self.published)
    #expect(resolver.targets(to("example.com", .tcp, secure: true)) == ["tls:192.0.2.3:5061"])
    #expect(resolver.targets(to("example.com", port: 5071, .tcp, secure: true)) == ["tls:192.0.2.99:5071"])
  }

  @Test(
    "D49, D53: a named transport asks its SRV records alone",
    arguments: [
      (TransportProtocol.udp, "_sip._udp.example.com", ["udp:192.0.2.1:5080"]),
      (.tcp, "_sip._tcp.example.com", ["tcp:192.0.2.1:5060", "tcp:192.0.2.2:5060"]),
      (.tls, "_sips._tcp.example.com", ["tls:192.0.2.3:5061"]),
    ])
  func namedTransport(transport: TransportProtocol, service: String, expected: [String]) {
    var resolver = Resolver(Self.published)
    #expect(resolver.targets(to("example.com", transport)) == expected)
    #expect(resolver.asked.filter { $0.type == .srv } == [ask(service, .srv)])
    #expect(!resolver.asked.contains { $0.type == .naptr })
  }

  @Test(
    "D50, D53: an explicit port asks for addresses alone",
    arguments: [
      (nil, false, "udp:192.0.2.99:5060"), (.tcp, false, "tcp:192.0.2.99:5060"),
      (.tls, false, "tls:192.0.2.99:5060"), (nil, true, "tls:192.0.2.99:5060"),
    ] as [(TransportProtocol?, Bool, String)])
  func explicitPort(transport: TransportProtocol?, secure: Bool, expected: String) {
    var resolver = Resolver(Self.published)
    #expect(resolver.targets(to("example.com", port: 5060, transport, secure: secure)) == [expected])
    #expect(resolver.asked == [ask("example.com", .a)])
  }

  @Test("D52: without NAPTR the SRV records of each transport are asked for, the first that exist are used")
  func noNAPTR() {
    var zone = Self.published
    zone.answers[ask("example.com", .naptr)] = nil
    var resolver = Resolver(zone)
    #expect(resolver.targets(to("example.com")) == ["udp:192.0.2.1:5080"])
    #expect(
      resolver.asked[1...3] == [
        ask("_sip._udp.example.com", .srv), ask("_sip._tcp.example.com", .srv),
        ask("_sips._tcp.example.com", .srv),
      ])
    zone.answers[ask("_sip._udp.example.com", .srv)] = nil
    var noUDP = Resolver(zone)
    #expect(noUDP.targets(to("example.com")) == ["tcp:192.0.2.1:5060", "tcp:192.0.2.2:5060"])
  }

  @Test(
    "D52: without SRV records the host itself at the default port, by UDP, for sips by TLS",
    arguments: [
      (nil, false, "udp:192.0.2.7:5060"), (nil, true, "tls:192.0.2.7:5061"),
      (.tcp, false, "tcp:192.0.2.7:5060"), (.tls, false, "tls:192.0.2.7:5061"),
    ]
      as [(TransportProtocol?, Bool, String)])
  func onlyAddresses(transport: TransportProtocol?, secure: Bool, expected: String) {
    var zone = Zone()
    zone.host("host.example.net", "192.0.2.7")
    var resolver = Resolver(zone)
    #expect(resolver.targets(to("host.example.net", transport, secure: secure)) == [expected])
  }

  @Test("Services that are not ours, other flags and SIPS over UDP are as if they were not there")
  func strangeServices() {
    var zone = Self.published
    zone.naptr(
      "example.com",
      [
        (1, 1, "SIP+D2S", "_sip._sctp.example.com"), (1, 2, "E2U+sip", "x.example.com"),
        (1, 3, "SIPS+D2U", "_sips._udp.example.com"), (2, 1, "sip+d2t", "_sip._tcp.example.com"),
      ])
    var resolver = Resolver(zone)
    #expect(resolver.targets(to("example.com")) == ["tcp:192.0.2.1:5060", "tcp:192.0.2.2:5060"])
    zone.naptr("example.com", [(1, 1, "SIP+D2T", "server2.example.com")], flags: "a")
    var flagged = Resolver(zone)
    #expect(flagged.targets(to("example.com")) == ["udp:192.0.2.1:5080"])
  }

  @Test("Services of one order are used by preference, one after the other; those of a later order are not")
  func preference() {
    var zone = Self.published
    zone.naptr(
      "example.com",
      [
        (10, 20, "SIP+D2U", "_sip._udp.example.com"), (10, 10, "SIP+D2T", "_sip._tcp.example.com"),
        (20, 0, "SIPS+D2T", "_sips._tcp.example.com"),
      ])
    var resolver = Resolver(zone)
    #expect(
      resolver.targets(to("example.com")) == [
        "tcp:192.0.2.1:5060", "tcp:192.0.2.2:5060", "udp:192.0.2.1:5080",
      ])
    #expect(!resolver.asked.contains(ask("_sips._tcp.example.com", .srv)))
  }

  @Test("A NAPTR replacement in another domain is followed; one without SRV records leaves the host itself")
  func replacement() {
    var zone = Zone()
    zone.naptr("example.com", [(1, 1, "SIP+D2T", "_sip._tcp.school.example")])
    zone.host("example.com", "192.0.2.50")
    var without = Resolver(zone)
    #expect(without.targets(to("example.com")) == ["tcp:192.0.2.50:5060"])
    zone.srv("_sip._tcp.school.example", [(1, 1, 5090, "box.school.example")])
    zone.host("box.school.example", "198.51.100.1")
    var with = Resolver(zone)
    #expect(with.targets(to("example.com")) == ["tcp:198.51.100.1:5090"])
  }

  @Test("RFC 2782: a target of . means that the service is decidedly not available")
  func unavailable() {
    var zone = Zone()
    zone.host("example.com", "192.0.2.1")
    zone.srv("_sip._udp.example.com", [(0, 0, 0, ".")])
    var udp = Resolver(zone)
    #expect(udp.result(to("example.com", .udp)) == .failed(.notFound))
    // The other transports are not spoken of: the next one may do.
    #expect(udp.targets(to("example.com")) == ["tcp:192.0.2.1:5060"])
    zone.srv("_sip._tcp.example.com", [(0, 0, 0, ".")])
    zone.srv("_sips._tcp.example.com", [(0, 0, 0, ".")])
    var all = Resolver(zone)
    #expect(all.result(to("example.com")) == .failed(.notFound))
    #expect(!all.asked.contains(ask("example.com", .a)))
    // Beside other records it means nothing.
    zone.srv("_sip._udp.example.com", [(0, 0, 5060, "."), (1, 0, 5062, "example.com")])
    var mixed = Resolver(zone)
    #expect(mixed.targets(to("example.com", .udp)) == ["udp:192.0.2.1:5062"])
  }

  @Test("Both families are asked for where both are spoken; IPv6 is first, unless it is a tunnel or local")
  func families() {
    var zone = Zone()
    zone.host("both.example", "192.0.2.1", "2001:db8::1", "fd00::1", "2002:c000:201::1", "2001:db8::2")
    var both = Resolver(zone, supported: everything)
    #expect(
      both.targets(to("both.example", port: 5060)) == [
        "udp:[2001:db8::1]:5060", "udp:[2001:db8::2]:5060", "udp:192.0.2.1:5060",
        "udp:[2002:c000:201::1]:5060", "udp:[fd00::1]:5060",
      ])
    var six = Resolver(
      zone, supported: [SupportedTransports(.udp, .v6), SupportedTransports(.tcp, .v4)])
    #expect(six.targets(to("both.example", port: 9, .tcp)) == ["tcp:192.0.2.1:9"])
    #expect(six.targets(to("both.example", port: 9)).count == 4)
    #expect(six.asked == [ask("both.example", .a), ask("both.example", .aaaa)])
  }

  @Test("G9, D10: addresses that no request may be sent to are as if they were not there")
  func forbiddenAddresses() {
    var zone = Zone()
    zone.host(
      "bad.example", "0.0.0.0", "224.0.1.75", "255.255.255.255", "::", "ff02::1", "fe80::1",
      "::ffff:192.0.2.1")
    var resolver = Resolver(zone, supported: everything)
    #expect(resolver.result(to("bad.example", port: 5060)) == .failed(.notFound))
  }

  @Test("B41: a server that a zone names many times is tried once")
  func deduplicates() {
    var zone = Zone()
    zone.srv(
      "_sip._udp.a.example",
      [(0, 1, 5060, "x.example"), (1, 1, 5060, "y.example"), (2, 1, 5061, "x.example")])
    zone.host("x.example", "192.0.2.1", "192.0.2.1")
    zone.host("y.example", "192.0.2.1")
    var resolver = Resolver(zone)
    #expect(resolver.targets(to("a.example", .udp)) == ["udp:192.0.2.1:5060", "udp:192.0.2.1:5061"])
  }

  @Test("A port of zero in a record or a URI leads nowhere")
  func portZero() {
    var zone = Zone()
    zone.srv("_sip._udp.a.example", [(0, 1, 0, "x.example")])
    zone.host("a.example", "192.0.2.1")
    var resolver = Resolver(zone)
    #expect(resolver.result(to("a.example", port: 0)) == .failed(.notFound))
    #expect(resolver.targets(to("a.example", .udp)) == ["udp:192.0.2.1:5060"])
  }
}
