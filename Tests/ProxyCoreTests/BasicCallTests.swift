import CallState
import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing
import Timekeeping

@Suite("RFC 3261 §16: a call passes the proxy")
struct BasicCallTests {
  @Test("INVITE, 180, 200, ACK and BYE pass; the dialog is counted while it lasts")
  func plainCall() throws {
    let driver = ProxyDriver(try ProxyDriver.configuration())
    let invite = driver.deliver(
      """
      INVITE sip:bob@198.51.100.2:5070 SIP/2.0
      Via: SIP/2.0/UDP 203.0.113.5:5062;branch=z9hG4bKa1
      Max-Forwards: 70
      From: <sip:alice@example.com>;tag=a
      To: <sip:bob@example.com>
      Call-ID: one@example.com
      CSeq: 1 INVITE
      Contact: <sip:alice@203.0.113.5:5062>
      Supported: timer
      Content-Length: 4

      v=0

      """, from: "203.0.113.5:5062")
    let forwarded = try #require(invite.first)
    #expect(forwarded.destination == "198.51.100.2:5070")
    #expect(forwarded.value("Session-Expires") == "1800")
    #expect(forwarded.value("Max-Forwards") == "69")
    let via = forwarded.values("Via")
    #expect(via.first?.contains(";rport;") == true)  // D27
    let recordRoute = try #require(forwarded.value("Record-Route"))
    let answer = """
      SIP/2.0 200 OK
      Via: \(via[0])
      Via: \(via[1])
      Record-Route: \(recordRoute)
      From: <sip:alice@example.com>;tag=a
      To: <sip:bob@example.com>;tag=b
      Call-ID: one@example.com
      CSeq: 1 INVITE
      Contact: <sip:bob@198.51.100.2:5070>
      Content-Length: 0

      """
    let ok = driver.deliver(answer, from: "198.51.100.2:5070")
    #expect(ok.first?.value("Session-Expires") == "1800;refresher=uac")
    #expect(driver.proxy.dialogCounts.active == 1)
    let ack = driver.deliver(
      """
      ACK sip:bob@198.51.100.2:5070 SIP/2.0
      Via: SIP/2.0/UDP 203.0.113.5:5062;branch=z9hG4bKa2
      Route: \(recordRoute)
      Max-Forwards: 70
      From: <sip:alice@example.com>;tag=a
      To: <sip:bob@example.com>;tag=b
      Call-ID: one@example.com
      CSeq: 1 ACK

      """, from: "203.0.113.5:5062")
    #expect(ack.first?.destination == "198.51.100.2:5070")
    let bye = driver.deliver(
      """
      BYE sip:alice@203.0.113.5:5062 SIP/2.0
      Via: SIP/2.0/UDP 198.51.100.2:5070;branch=z9hG4bKb1
      Route: \(recordRoute)
      Max-Forwards: 70
      From: <sip:bob@example.com>;tag=b
      To: <sip:alice@example.com>;tag=a
      Call-ID: one@example.com
      CSeq: 1 BYE

      """, from: "198.51.100.2:5070")
    let byeVia = try #require(bye.first?.values("Via"))
    driver.deliver(
      """
      SIP/2.0 200 OK
      Via: \(byeVia[0])
      Via: \(byeVia[1])
      From: <sip:bob@example.com>;tag=b
      To: <sip:alice@example.com>;tag=a
      Call-ID: one@example.com
      CSeq: 1 BYE

      """, from: "203.0.113.5:5062")
    #expect(driver.proxy.dialogCounts.active == 0)
    #expect(driver.advance(by: .seconds(60)).isEmpty)
    #expect(driver.proxy.serverTransactionCount == 0)
    #expect(driver.proxy.clientTransactionCount == 0)
    #expect(driver.proxy.storedTransactionBytes == 0)
  }
}
