import Foundation
import ProxySimulation
import Testing

/// The messages of our own after RFC 4475 and RFC 5118 at the whole core; files beside those of the parser's tests.
@Suite("RFC 4475 §3 and RFC 5118 §4: what the proxy does with a message for each section")
struct SectionTests {
  private static let folder = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "SIPSyntaxTests/Fixtures")

  static let names =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
    .filter { $0.hasSuffix(".sip") }.map { String($0.dropLast(4)) }.sorted()

  /// Every section that describes a message: 49 of RFC 4475 and 10 of RFC 5118.
  static let sections =
    (1...13).map { "4475-3.1.1.\($0)" } + (1...19).map { "4475-3.1.2.\($0)" } + ["4475-3.2.1"]
    + (1...15).map { "4475-3.3.\($0)" } + ["4475-3.4.1"] + (1...10).map { "5118-4.\($0)" }

  @Test("Each section has a message", arguments: sections)  // E44
  func isThere(section: String) {
    #expect(Self.names.contains { $0.hasPrefix(section + "-") })
  }

  @Test("The proxy forwards, answers or drops the message as its section asks", arguments: names)  // E44
  func reaction(name: String) throws {
    let bytes = Array(try Data(contentsOf: Self.folder.appending(path: name + ".sip")))
    let lines = try String(contentsOf: Self.folder.appending(path: name + ".expect"), encoding: .utf8)
      .split(separator: "\n").map(String.init)
    let reaction = try Reaction.to(bytes)
    #expect("proxy: " + reaction.name == lines.last)
    if reaction.name == "forwarded", let copy = reaction.sent {
      #expect(ForwardedCopy.difference(between: bytes, and: copy.bytes) == nil)
    }
  }
}
