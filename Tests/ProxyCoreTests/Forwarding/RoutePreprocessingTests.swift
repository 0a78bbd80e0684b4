import PagedStorage
import ProxyCore
import ProxySimulation
import Testing

/// A Request-URI and Route rows as they come in, and what of them goes out where.
struct RouteCase: Sendable, CustomTestStringConvertible {
  var clause: String
  var uri = "sip:bob@198.51.100.2:5070"
  var routes: [String] = []
  var uriOut: String?
  var routesOut: [String] = []
  var to: String = Place.bob
  var testDescription: String { clause }
}

@Suite("RFC 3261 §16.4, §16.12: Route preprocessing and strict routers")
struct RoutePreprocessingTests {
  static let cases: [RouteCase] = [
    // B31, B34: a preloaded Route that names us leaves, however it is written.
    RouteCase(clause: "B31: our Route alone", routes: ["Route: <sip:192.0.2.10;lr>"]),
    RouteCase(clause: "B31: with the default port written", routes: ["Route: <sip:192.0.2.10:5060;lr>"]),
    RouteCase(clause: "B31: with a transport", routes: ["Route: <sip:192.0.2.10;transport=UDP;lr>"]),
    RouteCase(clause: "B31: by a configured name", routes: ["Route: \"us\" <sip:Proxy.Example.COM;lr>;x=y"]),
    RouteCase(
      clause: "B31: by another form of our IPv6 address", routes: ["Route: <sip:[2001:DB8:0:0::0:10];lr>"]),
    RouteCase(clause: "B31: without lr", routes: ["Route: <sip:192.0.2.10>"]),
    RouteCase(
      clause: "B31: folded and with blanks before the colon",
      routes: ["ROUTE \t:\r\n  <sip:192.0.2.10;lr>\r\n "]),
    // B33: the same host on a port or transport we do not serve is somebody else.
    RouteCase(
      clause: "B33: another port is not us", routes: ["Route: <sip:192.0.2.10:5080;lr>"],
      routesOut: ["<sip:192.0.2.10:5080;lr>"], to: "192.0.2.10:5080"),
    RouteCase(
      clause: "B33: another host is not us", routes: ["Route: <sip:192.0.2.11;lr>"],
      routesOut: ["<sip:192.0.2.11;lr>"],
      to: "192.0.2.11:5060"),
    // B36: only our level is consumed; the rest keeps octets and order, also inside a shared row.
    RouteCase(
      clause: "B36: the rest of the row stays",
      routes: ["Route: <sip:192.0.2.10;lr>,  <sip:198.51.100.3;lr>;x , <sip:h.example;lr>"],
      routesOut: ["<sip:198.51.100.3;lr>;x , <sip:h.example;lr>"], to: Place.carol),
    RouteCase(
      clause: "B36: rows behind ours stay",
      routes: ["Route: <sip:192.0.2.10;lr>", "Route: <sip:198.51.100.3;lr;p=1>", "Route:<sip:h.example;lr>"],
      routesOut: ["<sip:198.51.100.3;lr;p=1>", "<sip:h.example;lr>"], to: Place.carol),
    RouteCase(
      clause: "B36: our own value further down stays",
      routes: ["Route: <sip:192.0.2.10;lr>", "Route: <sip:198.51.100.3;lr>, <sip:192.0.2.10;lr>"],
      routesOut: ["<sip:198.51.100.3;lr>, <sip:192.0.2.10;lr>"], to: Place.carol),
    RouteCase(
      clause: "B35: a Route elsewhere decides although the Request-URI is us", uri: "sip:bob@192.0.2.10",
      routes: ["Route: <sip:198.51.100.3;lr>"], uriOut: "sip:bob@192.0.2.10",
      routesOut: ["<sip:198.51.100.3;lr>"],
      to: Place.carol),
    // B58: the next hop is a strict router.
    RouteCase(
      clause: "B58: the first Route without lr takes the Request-URI's place",
      routes: ["Route: <sip:198.51.100.3>"],
      uriOut: "sip:198.51.100.3", routesOut: ["<sip:bob@198.51.100.2:5070>"], to: Place.carol),
    RouteCase(
      clause: "B58: the Request-URI goes behind all other Route values",
      routes: [
        "Route: <sip:192.0.2.10;lr>",
        "Route: <sip:198.51.100.3;method=BYE;x=1?Subject=no>, <sip:h.example;lr>",
      ],
      uriOut: "sip:198.51.100.3;x=1", routesOut: ["<sip:h.example;lr>", "<sip:bob@198.51.100.2:5070>"],
      to: Place.carol),
    RouteCase(
      clause: "B58: our value and the strict router share a row",
      routes: ["Route: <sip:192.0.2.10;lr>, <sip:198.51.100.3>"],
      uriOut: "sip:198.51.100.3", routesOut: ["<sip:bob@198.51.100.2:5070>"], to: Place.carol),
    RouteCase(
      clause: "B58: both of our values, the strict router and another share a row",
      routes: [
        "Route: <sip:192.0.2.10;lr;ck=x>,<sip:[2001:db8::10];lr;ck=x>,<sip:198.51.100.3>,<sip:h.example;lr>"
      ],
      uriOut: "sip:198.51.100.3", routesOut: ["<sip:h.example;lr>", "<sip:bob@198.51.100.2:5070>"],
      to: Place.carol),
    RouteCase(
      clause: "B27: strict routers on both sides of our second value", uri: "sip:192.0.2.10:5060;lr;ck=OLD",
      routes: [
        "Route: <sip:[2001:db8::10]:5060;lr;ck=x>", "Route: <sip:198.51.100.3>",
        "Route: <sip:bob@198.51.100.2:5070>",
      ],
      uriOut: "sip:198.51.100.3", routesOut: ["<sip:bob@198.51.100.2:5070>"], to: Place.carol),
    // B27, B28: a strict router before us put our Record-Route value into the Request-URI.
    RouteCase(
      clause: "B27: the last Route value is the Request-URI", uri: "sip:192.0.2.10:5060;lr;ck=OLD",
      routes: ["Route: <sip:bob@198.51.100.2:5070>"], uriOut: "sip:bob@198.51.100.2:5070"),
    RouteCase(
      clause: "B27: values between stay", uri: "sip:192.0.2.10:5060;lr;ck=OLD",
      routes: ["Route: <sip:198.51.100.3;lr>, <sip:bob@198.51.100.2:5070;x=y>"],
      uriOut: "sip:bob@198.51.100.2:5070;x=y",
      routesOut: ["<sip:198.51.100.3;lr>"], to: Place.carol),
    RouteCase(
      clause: "B27: rows of their own", uri: "sip:192.0.2.10:5060;lr;ck=OLD",
      routes: ["Route: <sip:198.51.100.3;lr>", "Route: \"Bob\" <sip:bob@198.51.100.2:5070>"],
      uriOut: "sip:bob@198.51.100.2:5070", routesOut: ["<sip:198.51.100.3;lr>"], to: Place.carol),
    RouteCase(
      clause: "B27: strict routers on both sides", uri: "sip:192.0.2.10:5060;lr;ck=OLD",
      routes: ["Route: <sip:198.51.100.3>,<sip:bob@198.51.100.2:5070>"], uriOut: "sip:198.51.100.3",
      routesOut: ["<sip:bob@198.51.100.2:5070>"], to: Place.carol),
    RouteCase(
      clause: "B27: our own value comes next", uri: "sip:192.0.2.10:5060;lr;ck=OLD",
      routes: ["Route: <sip:[2001:db8::10]:5060;lr;ck=OLD>,<sip:bob@198.51.100.2:5070>"],
      uriOut: "sip:bob@198.51.100.2:5070"),
    // B29, B30, B37: maddr.
    RouteCase(
      clause: "B29: a maddr that is us leaves with its port and transport",
      uri: "sip:bob@198.51.100.3:5060;transport=udp;maddr=192.0.2.10;x=1", uriOut: "sip:bob@198.51.100.3;x=1",
      to: Place.carol),
    RouteCase(
      clause: "B30: a maddr that is us at another port stays, and we send there",
      uri: "sip:bob@198.51.100.3:5088;maddr=192.0.2.10", to: "192.0.2.10:5088"),
    RouteCase(
      clause: "B37: a maddr elsewhere is the only target",
      uri: "sip:bob@198.51.100.2:5061;maddr=198.51.100.3",
      to: "198.51.100.3:5061"),
    // B38, B44.
    RouteCase(clause: "B38: the Request-URI is the target", uri: "sip:bob@198.51.100.3", to: Place.carol),
    RouteCase(
      clause: "B44: a method parameter has no place in a Request-URI",
      uri: "sip:bob@198.51.100.3;x;method=INVITE;y=2",
      uriOut: "sip:bob@198.51.100.3;x;y=2", to: Place.carol),
    RouteCase(
      clause: "E38: unknown URI parameters stay", uri: "sip:b%6Fb;p@198.51.100.3;lr;ob;unknown=%41",
      to: Place.carol),
  ]

  /// B27-B31, B33-B38, B44, B58, B60.
  @Test("Request-URI and Route become what the clause says", arguments: cases)
  func routing(row: RouteCase) throws {
    try withStage {
      $0.ownNames = [OwnName(host: Array("proxy.example.com".utf8), port: nil)]
    } _: { stage in
      for toTag in [nil, "b"] {
        var request = Draft.request("MESSAGE", row.uri, branch: "z9hG4bK\(toTag ?? "out")", toTag: toTag)
        request.rows.insert(contentsOf: row.routes, at: 1)
        let sent = stage.alice(request)
        #expect(sent.count == 1)
        #expect(sent.first?.requestURI == row.uriOut ?? row.uri)
        #expect(sent.first?.values("Route") == row.routesOut)
        #expect(sent.first?.destination == row.to)
        #expect(sent.first?.values("CSeq") == ["1 MESSAGE"])
      }
    }
  }

  /// B27, B28: the value we really wrote is recognised, also by the next process; the token is not needed for it.
  @Test("A strict router's request passes before and after a restart")
  func strictRouterAcrossRestart() throws {
    let configuration = try ProxyDriver.configuration()
    let before = Stage(ProxyDriver(configuration))
    let call = try before.establish()
    let after = Stage(
      ProxyDriver(configuration, environment: ProxyDriver.environment(processKey: .init(77, 78))))
    for stage in [before, after] {
      let uri = try #require(call.recordRoutes.first?.dropFirst().dropLast())
      var bye = Draft.request("BYE", String(uri), branch: "z9hG4bKbye", cSeq: 2, toTag: "b")
      bye.rows.insert("Route: <\(Person.bob.target)>", at: 1)
      let sent = try #require(stage.alice(bye).first)
      #expect(sent.requestURI == Person.bob.target)
      #expect(sent.destination == Place.bob)
      #expect(sent.values("Route").isEmpty)
      stage.bob(.answer(200, to: sent))
      stage.expectEmptyTables(#_sourceLocation)
    }
  }

  /// B32, B54: both values of a double Record-Route leave at once; one value twice would send the
  /// request to ourselves, which is refused (B36, G9).
  @Test("Two consecutive values of ours that differ leave together")
  func doubleOwnRoute() throws {
    try withStage { stage in
      let both = "Route: <sip:192.0.2.10:5060;lr;ck=x>, <sip:[2001:db8::10]:5060;lr;ck=x>"
      for (index, routes) in [
        [both], both.split(separator: ",").map { $0.hasPrefix("Route") ? String($0) : "Route:\($0)" },
      ].enumerated() {
        var request = Draft.request("INFO", branch: "z9hG4bKd\(index)", toTag: "b")
        request.rows.insert(contentsOf: routes, at: 1)
        let sent = try #require(stage.alice(request).first)
        #expect(sent.values("Route").isEmpty)
        #expect(sent.destination == Place.bob)
      }
      var twice = Draft.request("INFO", branch: "z9hG4bKtwice", toTag: "b")
      twice.rows.insert("Route: <sip:192.0.2.10:5060;lr;ck=x>, <sip:192.0.2.10:5060;lr;ck=x>", at: 1)
      #expect(stage.alice(twice).map(\.status) == [482])
    }
  }
}
