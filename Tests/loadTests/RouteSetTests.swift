import SIPSyntax
import Testing

@testable import load

@Suite("RFC 3261 §12.1.2: the caller's route set")
struct RouteSetTests {
  private func answer(_ rows: String) -> [UInt8] {
    let text = """
      SIP/2.0 200 OK
      Via: SIP/2.0/UDP 127.0.0.1:4000;branch=z9hG4bKx
      \(rows)From: <sip:a@example.org>;tag=1
      To: <sip:b@example.org>;tag=2
      Call-ID: x
      CSeq: 1 INVITE
      Content-Length: 0


      """
    return Array(text.utf8.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] })
  }

  private func read(_ rows: String) -> (isUsable: Bool, target: String, routes: String) {
    let bytes = answer(rows)
    var message = SIPMessage()
    _ = message.parse(bytes.span)
    var routes = RouteSet()
    let isUsable = routes.read(message, bytes.span)
    var store = RouteStore()
    guard isUsable, let slot = store.insert(routes) else { return (false, "", "") }
    var target = OutputBuffer(capacity: 64)
    store.writeTarget(slot, to: &target)
    var rows = OutputBuffer(capacity: 64)
    store.writeRoutes(slot, to: &rows)
    return (true, String(decoding: target.bytes, as: UTF8.self), String(decoding: rows.bytes, as: UTF8.self))
  }

  @Test("Record-Route values become Route rows in reverse order, over rows and commas")
  func reversed() {
    let found = read(
      "Contact: \"A, B\" <sip:b@127.0.0.1:5>;q=1\nRecord-Route: <sip:p3;lr>, <sip:p2;x=\",\";lr>\nRecord-Route: <sip:p1;lr>\n"
    )
    #expect(found.isUsable)
    #expect(found.target == "sip:b@127.0.0.1:5")
    #expect(found.routes == "Route: <sip:p1;lr>\r\nRoute: <sip:p2;x=\",\";lr>\r\nRoute: <sip:p3;lr>\r\n")
  }

  @Test("without Record-Route there is the Contact alone, and without Contact nothing")
  func missing() {
    #expect(read("Contact: <sip:b@127.0.0.1>\n") == (true, "sip:b@127.0.0.1", ""))
    #expect(!read("Record-Route: <sip:p1;lr>\n").isUsable)
  }

  @Test("slots are used again, and hold no more than they can")
  func slots() {
    let long = read("Contact: <sip:\(String(repeating: "b", count: 600))@127.0.0.1>\n")
    #expect(!long.isUsable)
    let bytes = answer("Contact: <sip:b@127.0.0.1>\n")
    var message = SIPMessage()
    _ = message.parse(bytes.span)
    var routes = RouteSet()
    _ = routes.read(message, bytes.span)
    var store = RouteStore()
    let slots = [store.insert(routes), store.insert(routes)]
    store.remove(0)
    let again = store.insert(routes)
    #expect(slots == [0, 1])
    #expect(again == 0)
  }
}
