import SIPSyntax
import Testing

/// The published messages, when CALLKEEPER_TORTURE_DIR names a folder with `rfc4475/NAME.dat` and
/// `rfc5118/NAME.dat`. What is listed here is the parser's part; 416, 420 and 483 are the proxy's.
@Suite(
  "RFC 4475 and RFC 5118: the published messages",
  .enabled(if: environment("CALLKEEPER_TORTURE_DIR") != nil, "CALLKEEPER_TORTURE_DIR is not set"))
struct PublishedTortureTests {
  static let wellFormed = [
    "wsinv", "intmeth", "esc01", "escnull", "esc02", "lwsdisp", "longreq", "dblreq", "semiuri", "transports",
    "mpart01", "unreason", "noreason", "baddate", "regbadct", "unkscm", "novelsc", "unksm2", "bext01",
    "invut",
    "regaut01", "bcast", "zeromf", "cparam01", "cparam02", "regescrt", "sdp01", "inv2543", "badbranch",
  ]

  static let malformed = [
    ("badinv01", "400 Malformed Via"), ("clerr", "400 Content-Length Too Large"),
    ("ncl", "400 Malformed Content-Length"), ("scalar02", "400 Malformed CSeq"),
    ("scalarlg", "400 Malformed CSeq"), ("quotbal", "400 Malformed To"),
    ("ltgtruri", "400 Malformed Request-URI"), ("lwsruri", "400 Malformed Request-URI"),
    ("lwsstart", "400 Malformed Request-Line"), ("trws", "400 Malformed Request-Line"),
    ("escruri", "400 Header Fields in Request-URI"), ("badaspec", "400 Malformed To"),
    ("baddn", "400 Missing Empty Line"), ("badvers", "505 Version Not Supported"),
    ("mismatch01", "400 CSeq Method Mismatch"), ("mismatch02", "501 CSeq Method Mismatch"),
    ("bigcode", "400 Malformed Status-Code"), ("insuf", "400 Missing From"), ("multi01", "400 Repeated From"),
    ("mcl01", "400 Repeated Content-Length"), ("test", "unrecognisable"),
  ]

  static let addresses = [
    ("ipv6-good", "well-formed"), ("ipv6-bad", "400 Malformed Request-URI"),
    ("port-ambiguous", "well-formed"),
    ("port-unambiguous", "well-formed"), ("via-received-param-with-delim", "well-formed"),
    ("via-received-param-no-delim", "well-formed"), ("ipv6-in-sdp", "well-formed"),
    ("mult-ip-in-header", "well-formed"), ("mult-ip-in-sdp", "well-formed"),
    ("ipv4-mapped-ipv6", "well-formed"),
    ("ipv6-bug-abnf-3-colons", "well-formed"), ("ipv6-correct-abnf-2-colons", "well-formed"),
  ]

  @Test("a legal message of RFC 4475 is accepted", arguments: wellFormed)  // E44
  func legal(name: String) throws { #expect(try verdict(load("rfc4475/\(name).dat")) == "well-formed") }

  @Test("a broken message of RFC 4475 is refused for its fault", arguments: malformed)  // E44
  func broken(name: String, expected: String) throws {
    #expect(try verdict(load("rfc4475/\(name).dat")) == expected)
  }

  @Test("a message of RFC 5118 is read as its section says", arguments: addresses)  // E44, D59-D62
  func numeric(name: String, expected: String) throws {
    #expect(try verdict(load("rfc5118/\(name).dat")) == expected)
  }

  private func load(_ path: String) throws -> [UInt8] {
    try #require(contents(ofFile: (environment("CALLKEEPER_TORTURE_DIR") ?? "") + "/" + path))
  }
}
