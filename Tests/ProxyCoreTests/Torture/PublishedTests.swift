import Foundation
import ProxySimulation
import Testing

/// The published messages at the whole core, when CALLKEEPER_TORTURE_DIR names a folder with `rfc4475/NAME.dat` and
/// `rfc5118/NAME.dat`. `forwarded` includes: in raw octets nothing changed but what RFC 3261 §16.6 asks for.
@Suite(
  "RFC 4475 and RFC 5118: the published messages at the proxy",
  .enabled(
    if: ProcessInfo.processInfo.environment["CALLKEEPER_TORTURE_DIR"] != nil,
    "CALLKEEPER_TORTURE_DIR is not set"))
struct PublishedTests {
  static let forwarded =
    [
      "wsinv", "intmeth", "esc01", "escnull", "esc02", "lwsdisp", "longreq", "dblreq", "semiuri",
      "transports",
      "baddate", "regbadct", "unksm2", "invut", "regaut01", "cparam01", "cparam02", "regescrt", "sdp01",
      "inv2543",
    ].map { "rfc4475/\($0)" }
    + [
      "ipv6-good", "port-ambiguous", "port-unambiguous", "via-received-param-with-delim",
      "via-received-param-no-delim", "ipv6-in-sdp", "mult-ip-in-header", "mult-ip-in-sdp", "ipv4-mapped-ipv6",
      "ipv6-bug-abnf-3-colons", "ipv6-correct-abnf-2-colons",
    ].map { "rfc5118/\($0)" }

  static let others = [
    ("badinv01", "400 Malformed Via"), ("clerr", "400 Content-Length Too Large"),
    ("ncl", "400 Malformed Content-Length"), ("scalar02", "400 Malformed CSeq"), ("scalarlg", "dropped"),
    ("quotbal", "400 Malformed To"), ("ltgtruri", "400 Malformed Request-URI"),
    ("lwsruri", "400 Malformed Request-URI"), ("lwsstart", "400 Malformed Request-Line"),
    ("trws", "400 Malformed Request-Line"), ("escruri", "400 Header Fields in Request-URI"),
    ("badaspec", "400 Malformed To"), ("baddn", "400 Missing Empty Line"),
    ("badvers", "505 Version Not Supported"), ("mismatch01", "400 CSeq Method Mismatch"),
    ("mismatch02", "501 CSeq Method Mismatch"), ("bigcode", "dropped"), ("insuf", "400 Missing From"),
    ("multi01", "400 Repeated From"), ("mcl01", "400 Repeated Content-Length"), ("test", "dropped"),
    ("unreason", "dropped"), ("noreason", "dropped"), ("bcast", "dropped"),
    ("unkscm", "416 Unsupported URI Scheme"), ("novelsc", "416 Unsupported URI Scheme"),
    ("bext01", "420 Bad Extension"), ("zeromf", "483 Too Many Hops"),
  ]

  @Test("A legal request is forwarded and keeps its octets", arguments: forwarded)  // E44, B66
  func isForwarded(name: String) throws {
    let bytes = try load(name)
    let reaction = try Reaction.to(bytes)
    #expect(reaction.name == "forwarded")
    guard let copy = reaction.sent, copy.method != nil else { return }
    #expect(ForwardedCopy.difference(between: bytes, and: copy.bytes) == nil)
  }

  @Test("Everything else is answered or dropped for its fault", arguments: others)  // E44
  func isNotForwarded(name: String, expected: String) throws {
    #expect(try Reaction.to(load("rfc4475/\(name)")).name == expected)
  }

  @Test("A binary body passes, and a strict next hop gets its Request-URI")  // E44, B58
  func strictRoute() throws {
    let bytes = try load("rfc4475/mpart01")
    let copy = try #require(try Reaction.to(bytes).sent)
    #expect(copy.startLine == "MESSAGE sip:127.0.0.1:5080 SIP/2.0")
    #expect(copy.body == Array(bytes[bytes.index(bytes.endIndex, offsetBy: -553)...]))
  }

  private func load(_ name: String) throws -> [UInt8] {
    let folder = ProcessInfo.processInfo.environment["CALLKEEPER_TORTURE_DIR"] ?? ""
    return Array(try Data(contentsOf: URL(filePath: folder).appending(path: name + ".dat")))
  }
}
