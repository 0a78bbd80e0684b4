import CallState
import ProxyCore
import ProxySimulation
import Testing

@Suite("RFC 3261 §7.1, §7.5: what stands at the head of a message")
struct StartLineTests {
  private static let options = """
    OPTIONS sip:bob@198.51.100.2 sip/2.0
    Via: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKv1
    Max-Forwards: 70
    From: <sip:alice@example.com>;tag=a
    To: <sip:bob@example.com>
    Call-ID: head@example.com
    CSeq: 1 OPTIONS

    """

  @Test("E1: a version in lower case is understood and leaves in upper case")
  func versionLeavesInUpperCase() throws {
    let driver = ProxyDriver(try ProxyDriver.configuration())
    let forwarded = try #require(driver.deliver(Self.options, from: "203.0.113.5:5060").first)
    #expect(forwarded.startLine == "OPTIONS sip:bob@198.51.100.2 SIP/2.0")
    let vias = forwarded.values("Via").map { "Via: \($0)" }.joined(separator: "\n")
    let answer = driver.deliver(
      """
      SiP/2.0 200 OK
      \(vias)
      From: <sip:alice@example.com>;tag=a
      To: <sip:bob@example.com>;tag=b
      Call-ID: head@example.com
      CSeq: 1 OPTIONS

      """, from: "198.51.100.2:5060")
    #expect(answer.first?.startLine == "SIP/2.0 200 OK")
  }

  @Test("Empty lines before the start line are not forwarded")
  func emptyLinesBeforeTheStartLine() throws {
    let driver = ProxyDriver(try ProxyDriver.configuration())
    let datagram = [13, 10, 13, 10] + ProxyDriver.wire(Self.options)
    let forwarded = try #require(driver.deliver(datagram, from: "203.0.113.5:5060").first)
    #expect(forwarded.startLine == "OPTIONS sip:bob@198.51.100.2 SIP/2.0")
  }

  @Test("F5: an UPDATE without To tag makes no dialog")
  func updateOutsideADialog() throws {
    let driver = ProxyDriver(try ProxyDriver.configuration())
    let update = Self.options.replacing("OPTIONS", with: "UPDATE")
    let forwarded = try #require(driver.deliver(update, from: "203.0.113.5:5060").first)
    let vias = forwarded.values("Via").map { "Via: \($0)" }.joined(separator: "\n")
    driver.deliver(
      """
      SIP/2.0 200 OK
      \(vias)
      From: <sip:alice@example.com>;tag=a
      To: <sip:bob@example.com>
      Call-ID: head@example.com
      CSeq: 1 UPDATE

      """, from: "198.51.100.2:5060")
    #expect(driver.proxy.dialogCounts.active == 0)
  }
}
