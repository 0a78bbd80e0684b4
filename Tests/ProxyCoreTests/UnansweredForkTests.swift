import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

/// Found by the simulation: a fork that only rang was counted as forgotten by its transaction (A96).
@Suite("F10, F11: early dialogs of branches that were not answered")
struct UnansweredForkTests {
  @Test("a fork that only rang ends with its INVITE's transaction, as a setup that failed")
  func otherBranchAnswered() throws {
    let driver = ProxyDriver(try ProxyDriver.configuration())
    let invite = driver.deliver(
      """
      INVITE sip:bob@198.51.100.2 SIP/2.0
      Via: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKe1
      Max-Forwards: 70
      From: <sip:alice@example.com>;tag=a
      To: <sip:bob@example.com>
      Call-ID: fork@example.com
      CSeq: 1 INVITE
      Contact: <sip:alice@203.0.113.5>
      """, from: "203.0.113.5:5060")
    let vias = try #require(invite.first?.values("Via"))
    for (line, tag) in [("180 Ringing", "b"), ("180 Ringing", "c"), ("200 OK", "c")] {
      driver.deliver(
        """
        SIP/2.0 \(line)
        Via: \(vias[0])
        Via: \(vias[1])
        From: <sip:alice@example.com>;tag=a
        To: <sip:bob@example.com>;tag=\(tag)
        Call-ID: fork@example.com
        CSeq: 1 INVITE
        """, from: "198.51.100.2:5060")
    }
    #expect(driver.proxy.dialogCounts.early == 1)
    driver.advance(by: .seconds(40))
    let counts = driver.proxy.dialogCounts
    #expect(counts.early == 0)
    #expect(counts.active == 1)
    #expect(counts.ended[.setupFailed] == 1)
    #expect(counts.ended[.earlyTimeout] == 0)
  }
}
