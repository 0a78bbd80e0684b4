import SIPSyntax
import Timekeeping

/// A small forking proxy behind the proxy under test: it sends an INVITE to two user agents at once, passes
/// every response back that RFC 3261 §16.7 wants passed, and does not record-route, so that it never sees
/// the rest of the call.
///
/// Both branches may be answered with 2xx: nobody is cancelled because the other picked up, as if both had
/// done so at the same moment.
final class ForkingHop: SimulatedEndpoint {
  let address: SocketAddress
  private unowned let world: Simulation
  private let targets: [SocketAddress]
  private var calls: [String: Call] = [:]

  /// One INVITE and its branches.
  private final class Call {
    let invite: WireMessage
    let source: SocketAddress
    var refusals: [WireMessage?]
    var heard: [Bool]
    var lastResponse: [UInt8]?
    var hasSucceeded = false
    var hasRefused = false

    init(invite: WireMessage, source: SocketAddress, targets: Int) {
      self.invite = invite
      self.source = source
      refusals = Array(repeating: nil, count: targets)
      heard = Array(repeating: false, count: targets)
    }
  }

  init(address: SocketAddress, targets: [SocketAddress], world: Simulation) {
    self.address = address
    self.targets = targets
    self.world = world
    world.add(self)
  }

  func receive(_ message: WireMessage, from source: SocketAddress) {
    guard let branch = message.branches.first else { return }
    switch message.method {
    case nil: receiveResponse(message)
    case "INVITE": receiveInvite(message, branch, from: source)
    case "CANCEL": receiveCancel(message, branch, from: source)
    default: break
    }
  }

  private func receiveInvite(_ message: WireMessage, _ branch: String, from source: SocketAddress) {
    if let known = calls[branch] {
      if let last = known.lastResponse, !known.hasSucceeded { world.send(last, from: address, to: source) }
      return
    }
    let call = Call(invite: message, source: source, targets: targets.count)
    calls[branch] = call
    let trying = response(100, "Trying", to: message)
    call.lastResponse = trying
    world.send(trying, from: address, to: source)
    for leg in targets.indices {
      repeatInvite(of: call, leg, after: .milliseconds(500))
      world.send(request("INVITE", of: call, leg), from: address, to: targets[leg])
    }
    world.after(.seconds(32)) { [unowned self] in
      for leg in targets.indices where !call.heard[leg] {
        refuse(call, leg, with: WireMessage(response(408, "Request Timeout", to: call.invite, tag: "forker")))
      }
    }
  }

  private func repeatInvite(of call: Call, _ leg: Int, after span: TimeSpan) {
    guard span < .seconds(32) else { return }
    world.after(span) { [unowned self] in
      guard !call.heard[leg], call.refusals[leg] == nil else { return }
      world.send(request("INVITE", of: call, leg), from: address, to: targets[leg])
      repeatInvite(of: call, leg, after: span * 2)
    }
  }

  private func receiveCancel(_ message: WireMessage, _ branch: String, from source: SocketAddress) {
    world.send(response(200, "OK", to: message), from: address, to: source)
    guard let call = calls[branch] else { return }
    for leg in targets.indices where call.refusals[leg] == nil {
      world.send(request("CANCEL", of: call, leg), from: address, to: targets[leg])
    }
  }

  private func receiveResponse(_ message: WireMessage) {
    guard message.cSeqMethod == "INVITE", message.branches.count > 1, let call = calls[message.branches[1]],
      let leg = targets.indices.first(where: { branch(of: call, $0) == message.branches[0] })
    else { return }
    call.heard[leg] = true
    if message.status >= 300 {
      world.send(acknowledgement(of: message, call, leg), from: address, to: targets[leg])
      refuse(call, leg, with: WireMessage(message.withoutTopVia()))
    } else if message.status > 100, !call.hasRefused {
      call.hasSucceeded = call.hasSucceeded || message.status >= 200
      pass(message.withoutTopVia(), of: call)
    }
  }

  /// A branch has failed; the last to do so decides (RFC 3261 §16.7 item 6, the best being the lowest).
  private func refuse(_ call: Call, _ leg: Int, with refusal: WireMessage) {
    guard call.refusals[leg] == nil else { return }
    call.refusals[leg] = refusal
    let refusals = call.refusals.compactMap { $0 }
    guard refusals.count == targets.count, !call.hasSucceeded,
      let best = refusals.min(by: { $0.status < $1.status })
    else { return }
    call.hasRefused = true
    pass(best.bytes, of: call)
  }

  private func pass(_ bytes: [UInt8], of call: Call) {
    call.lastResponse = bytes
    world.send(bytes, from: address, to: call.source)
  }

  // MARK: Messages

  private func branch(of call: Call, _ leg: Int) -> String {
    "z9hG4bKfork\(leg)-\(call.invite.branches.first ?? "")"
  }

  /// The INVITE for one leg, or the CANCEL of it.
  private func request(_ method: String, of call: Call, _ leg: Int) -> [UInt8] {
    let via = "Via: SIP/2.0/UDP \(address);branch=\(branch(of: call, leg))"
    let line = "\(method) sip:callee@\(targets[leg]) SIP/2.0"
    let isInvite = method == "INVITE"
    var rows = [line, via]
    for row in call.invite.rows {
      switch row.name {
      case "via" where !isInvite: continue
      case "cseq": rows.append("CSeq: \(call.invite.cSeq) \(method)")
      case "content-length": rows.append("Content-Length: \(isInvite ? call.invite.body.count : 0)")
      default: rows.append(row.text)
      }
    }
    return WireMessage.octets(rows, isInvite ? call.invite.body : [])
  }

  private func acknowledgement(of response: WireMessage, _ call: Call, _ leg: Int) -> [UInt8] {
    var rows = [
      "ACK sip:callee@\(targets[leg]) SIP/2.0",
      "Via: SIP/2.0/UDP \(address);branch=\(branch(of: call, leg))", "Max-Forwards: 70",
    ]
    rows += ["from", "to", "call-id"].flatMap { response.rows($0).map(\.text) }
    rows += ["CSeq: \(response.cSeq) ACK", "Content-Length: 0"]
    return WireMessage.octets(rows, [])
  }

  private func response(
    _ status: Int, _ reason: String, to request: WireMessage, tag: String? = nil
  ) -> [UInt8] {
    var rows = ["SIP/2.0 \(status) \(reason)"]
    rows += request.rows("via").map(\.text) + request.rows("from").map(\.text)
    rows += request.rows("to").map { $0.text + (tag.map { ";tag=\($0)" } ?? "") }
    rows += request.rows("call-id").map(\.text) + request.rows("cseq").map(\.text) + ["Content-Length: 0"]
    return WireMessage.octets(rows, [])
  }
}
