import SIPSyntax
import Testing

/// Messages of our own, one for each section of RFC 4475 and RFC 5118, with the expected verdict in the first line
/// of the file beside it. The second line, what the proxy does with it, is tested in ProxyCoreTests.
@Suite("RFC 4475 §3 and RFC 5118 §4: a message for each section")
struct SectionFixtureTests {
  static let names = [
    "4475-3.1.1.1-folding",
    "4475-3.1.1.2-characters",
    "4475-3.1.1.3-escapes",
    "4475-3.1.1.4-escaped-nul",
    "4475-3.1.1.5-percent-is-no-escape",
    "4475-3.1.1.6-display-name",
    "4475-3.1.1.7-long",
    "4475-3.1.1.8-trailing-octets",
    "4475-3.1.1.9-semicolon-in-user",
    "4475-3.1.1.10-transports",
    "4475-3.1.1.11-binary-body",
    "4475-3.1.1.12-reason-phrase",
    "4475-3.1.1.13-empty-reason",
    "4475-3.1.2.1-separators",
    "4475-3.1.2.2-length-too-large",
    "4475-3.1.2.3-negative-length",
    "4475-3.1.2.4-large-scalars",
    "4475-3.1.2.5-large-scalars-in-response",
    "4475-3.1.2.6-open-quote",
    "4475-3.1.2.7-bracketed-uri",
    "4475-3.1.2.8-blank-in-uri",
    "4475-3.1.2.9-blanks-in-start-line",
    "4475-3.1.2.10-blanks-behind-start-line",
    "4475-3.1.2.11-headers-in-uri",
    "4475-3.1.2.12-irrelevant-date",
    "4475-3.1.2.13-registered-headers",
    "4475-3.1.2.14-blanks-in-addr-spec",
    "4475-3.1.2.15-comma-in-display-name",
    "4475-3.1.2.16-version",
    "4475-3.1.2.17-method-mismatch",
    "4475-3.1.2.18-unknown-method-mismatch",
    "4475-3.1.2.19-status-code",
    "4475-3.2.1-bare-cookie",
    "4475-3.3.1-missing-fields",
    "4475-3.3.2-unknown-scheme",
    "4475-3.3.3-known-but-foreign-scheme",
    "4475-3.3.4-foreign-schemes-elsewhere",
    "4475-3.3.5-proxy-require",
    "4475-3.3.6-content-type",
    "4475-3.3.7-authorization-scheme",
    "4475-3.3.8-repeated-fields",
    "4475-3.3.9-repeated-length",
    "4475-3.3.10-broadcast-answer",
    "4475-3.3.11-no-hops-left",
    "4475-3.3.12-parameter-of-the-contact",
    "4475-3.3.13-parameter-of-the-uri",
    "4475-3.3.14-escaped-route-in-contact",
    "4475-3.3.15-accept",
    "4475-3.4.1-rfc2543",
    "5118-4.1-good",
    "5118-4.2-unbracketed",
    "5118-4.3-ambiguous-port",
    "5118-4.4-port",
    "5118-4.5-received-bare",
    "5118-4.5-received-bracketed",
    "5118-4.6-address-in-body",
    "5118-4.7-both-families-in-via",
    "5118-4.8-both-families-in-body",
    "5118-4.9-mapped",
    "5118-4.10-three-colons",
    "5118-4.10-two-colons",
  ]

  @Test("the message of the section is read as its section asks", arguments: names)  // E44
  func section(name: String) throws {
    let bytes = try #require(fixture(name + ".sip"))
    let expected = try #require(fixture(name + ".expect"))
    #expect(verdict(bytes) == String(decoding: expected, as: UTF8.self).split(separator: "\n").first ?? "")
  }

  @Test("without edits the message leaves byte for byte", arguments: names)  // E15, E16, D37
  func identity(name: String) throws {
    let bytes = try #require(fixture(name + ".sip"))
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    let edits = MessageEdits()
    var output = OutputBuffer(capacity: bytes.count)
    edits.apply(to: bytes.span, upTo: parsed.messageEnd, into: &output)
    #expect(output.bytes == Array(bytes[..<parsed.messageEnd]))
  }
}
