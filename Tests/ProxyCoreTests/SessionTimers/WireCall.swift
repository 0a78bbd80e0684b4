// A scripted call through the proxy, message by message: every test of this folder speaks to the proxy in
// octets and looks at octets.

import CallState
import ProxyCore
import ProxySimulation
import SIPSyntax
import Timekeeping

/// The two ends of a call, at fixed addresses.
enum Party: String, CaseIterable, Sendable {
  case caller, callee

  /// The other end.
  var other: Party { self == .caller ? .callee : .caller }

  /// Address and port it sends from, and receives at.
  var address: String { self == .caller ? "203.0.113.5:5062" : "198.51.100.2:5070" }

  /// Its Contact URI.
  var uri: String { self == .caller ? "sip:alice@\(address)" : "sip:bob@\(address)" }

  /// Its address of record, as From and To carry it.
  var identity: String { self == .caller ? "<sip:alice@example.com>" : "<sip:bob@example.com>" }
}

/// One call: who is who, and what the next request of either side needs.
final class WireCall {
  let driver: ProxyDriver
  let callID: String
  var callerTag = "a"
  var calleeTag = "b"
  /// The Record-Route value the proxy wrote into the first INVITE.
  private(set) var route: String?
  private var cSeq: [Party: Int] = [.caller: 0, .callee: 100]
  private var branches = 0

  init(_ driver: ProxyDriver, callID: String = "call@example.com") {
    self.driver = driver
    self.callID = callID
  }

  /// A call that is up and has no session timer, whatever the proxy's policy: nobody supports timers.
  @discardableResult
  static func established(_ driver: ProxyDriver, callID: String = "call@example.com") -> WireCall {
    let call = WireCall(driver, callID: callID)
    call.invite().answer(200, "OK").acknowledge()
    return call
  }

  /// A call whose session timer was agreed by the two ends.
  @discardableResult
  static func timed(
    _ driver: ProxyDriver, _ value: String = "600;refresher=uac", callID: String = "call@example.com"
  ) -> WireCall {
    let call = WireCall(driver, callID: callID)
    call.invite(["Supported: timer"]).answer(200, "OK", ["Session-Expires: \(value)"]).acknowledge()
    return call
  }

  /// The first INVITE.
  @discardableResult
  func invite(_ rows: [String] = [], body: String = "v=0\r\n") -> WireExchange {
    let exchange = request("INVITE", from: .caller, rows, inDialog: false, body: body)
    route = exchange.forwarded?.value("Record-Route") ?? route
    return exchange
  }

  /// A request of either side; within the dialog it follows the route set.
  @discardableResult
  func request(
    _ method: String, from sender: Party = .caller, _ rows: [String] = [], inDialog: Bool = true,
    cSeq number: Int? = nil, body: String = ""
  ) -> WireExchange {
    cSeq[sender, default: 0] += 1
    branches += 1
    let exchange = WireExchange(
      call: self, method: method, sender: sender, cSeq: number ?? cSeq[sender, default: 0],
      branch: "z9hG4bK\(sender.rawValue)\(branches)\(callID.filter { $0.isLetter || $0.isNumber })",
      inDialog: inDialog)
    exchange.send(rows, route: inDialog ? route : nil, body: body)
    return exchange
  }

  /// Forgets the route set, as a party does that never was behind this proxy.
  func forgetRoute() { route = nil }

  /// Takes over a route set of another call with the same Call-ID.
  func follow(_ route: String?) { self.route = route }

  func tag(of party: Party) -> String { party == .caller ? callerTag : calleeTag }

  /// The record of this call's dialog; nil when there is none.
  var dialog: DialogView? {
    driver.proxy.dialogs(from: 0, limit: 1000, at: driver.now).dialogs.first {
      $0.callID == callID && Set([$0.callerTag, $0.calleeTag]) == [callerTag, calleeTag]
    }
  }
}

extension WireCall {
  /// Seconds of the running session timer; nil without one.
  var interval: UInt32? { dialog?.interval?.seconds }

  /// Whole seconds until the record is due.
  var expiresIn: UInt32? { dialog?.expiresIn }
}

/// A request on its way through the proxy, and its answers.
final class WireExchange {
  let call: WireCall
  let method: String
  let sender: Party
  let cSeq: Int
  let branch: String
  let inDialog: Bool
  let fromRow: String
  let toRow: String
  /// The request as its sender sent it.
  private(set) var input: [UInt8] = []
  /// What the proxy sent when it came.
  private(set) var sent: [SentMessage] = []

  init(call: WireCall, method: String, sender: Party, cSeq: Int, branch: String, inDialog: Bool) {
    self.call = call
    self.method = method
    self.sender = sender
    self.cSeq = cSeq
    self.branch = branch
    self.inDialog = inDialog
    fromRow = "From: \(sender.identity);tag=\(call.tag(of: sender))"
    toRow = "To: \(sender.other.identity)" + (inDialog ? ";tag=\(call.tag(of: sender.other))" : "")
  }

  fileprivate func send(_ rows: [String], route: String?, body: String) {
    let all =
      [
        "\(method) \(sender.other.uri) SIP/2.0", "Via: SIP/2.0/UDP \(sender.address);branch=\(branch)",
        "Max-Forwards: 70", "Max-Breadth: 60",
      ] + (route.map { ["Route: \($0)"] } ?? []) + [
        fromRow, toRow, "Call-ID: \(call.callID)", "CSeq: \(cSeq) \(method)", "Contact: <\(sender.uri)>",
      ] + rows + [
        "X-Kept :  exactly\tas  it was ,,", "Content-Type: application/sdp",
        "Content-Length: \(body.utf8.count)",
      ]
    input = wire(all, body: body)
    sent = call.driver.deliver(input, from: sender.address)
  }

  /// The request as the other side gets it.
  var forwarded: SentMessage? { sent.first { $0.method == method } }

  /// What the proxy answered by itself.
  var ownAnswer: SentMessage? { sent.first { $0.status != nil } }

  /// The same datagram again.
  func sendAgain() -> [SentMessage] { call.driver.deliver(input, from: sender.address) }

  /// An answer of the other side; its rows stand before Content-Length.
  @discardableResult
  func answer(_ status: Int, _ reason: String, _ rows: [String] = [], tag: String? = nil) -> WireReply {
    let tagged = inDialog || status == 100 ? toRow : "\(toRow);tag=\(tag ?? call.calleeTag)"
    let vias = (forwarded?.values("Via") ?? []).map { "Via: \($0)" }
    let all =
      ["SIP/2.0 \(status) \(reason)"] + vias + [
        fromRow, tagged, "Call-ID: \(call.callID)", "CSeq: \(cSeq) \(method)",
        "Contact: <\(sender.other.uri)>",
      ] + rows + ["X-Kept :  exactly\tas  it was ,,", "Content-Length: 0"]
    return WireReply(exchange: self, input: wire(all), toRow: tagged)
  }

  /// The ACK to a failure: same branch as the request (RFC 3261 section 17.1.1.3).
  func acknowledgeFailure(to: String) -> [SentMessage] {
    let rows = [
      "ACK \(sender.other.uri) SIP/2.0", "Via: SIP/2.0/UDP \(sender.address);branch=\(branch)",
      "Max-Forwards: 70", fromRow, "To: \(to)", "Call-ID: \(call.callID)", "CSeq: \(cSeq) ACK",
      "Content-Length: 0",
    ]
    return call.driver.deliver(wire(rows), from: sender.address)
  }
}

/// An answer on its way back through the proxy.
final class WireReply {
  let exchange: WireExchange
  let input: [UInt8]
  let toRow: String
  /// What the proxy sent when it came.
  let sent: [SentMessage]

  fileprivate init(exchange: WireExchange, input: [UInt8], toRow: String) {
    self.exchange = exchange
    self.input = input
    self.toRow = toRow
    sent = exchange.call.driver.deliver(input, from: exchange.sender.other.address)
  }

  /// The answer as the sender of the request gets it.
  var forwarded: SentMessage? { sent.first { $0.status != nil } }

  /// The same datagram again.
  func sendAgain() -> [SentMessage] {
    exchange.call.driver.deliver(input, from: exchange.sender.other.address)
  }

  /// The ACK to a 2xx, end to end.
  @discardableResult
  func acknowledge(_ rows: [String] = []) -> [SentMessage] {
    let call = exchange.call
    let sender = exchange.sender
    let route = call.route.map { ["Route: \($0)"] } ?? []
    let all =
      [
        "ACK \(sender.other.uri) SIP/2.0", "Via: SIP/2.0/UDP \(sender.address);branch=\(exchange.branch)k",
        "Max-Forwards: 70", "Max-Breadth: 60",
      ] + route + [
        exchange.fromRow, toRow, "Call-ID: \(call.callID)", "CSeq: \(exchange.cSeq) ACK",
      ] + rows + ["Content-Length: 0"]
    return call.driver.deliver(wire(all), from: sender.address)
  }
}

/// Rows to octets: CR LF behind each, an empty line, the body.
func wire(_ rows: [String], body: String = "") -> [UInt8] {
  Array((rows.map { $0 + "\r\n" }.joined() + "\r\n" + body).utf8)
}
