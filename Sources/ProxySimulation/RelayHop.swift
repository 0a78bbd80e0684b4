import SIPSyntax

/// Another proxy on the way, as the next hop of the proxy under test: it keeps no state, stays on the route of
/// every call, and hands each message on by the first Route that is not its own, or by the Request-URI
/// (RFC 3261 §16.11). Its branches are the received ones with a word in front, so repetitions stay repetitions.
final class RelayHop: SimulatedEndpoint {
  let address: SocketAddress
  private unowned let world: Simulation

  init(address: SocketAddress, world: Simulation) {
    self.address = address
    self.world = world
    world.add(self)
  }

  func receive(_ message: WireMessage, from source: SocketAddress) {
    if message.method == nil {
      passBack(message)
    } else {
      passOn(message)
    }
  }

  private func passOn(_ message: WireMessage) {
    guard let method = message.method, let branch = message.branches.first else { return }
    let words = message.startLine.utf8.split(separator: 32)
    guard words.count == 3 else { return }
    var routes = message.rows("route").map(\.value)
    if let first = routes.first, world.address(of: first) == address { routes.removeFirst() }
    let target = routes.first ?? "<\(Substring(words[1]))>"
    guard let next = world.address(of: target) else { return }
    var rows = [message.startLine, "Via: SIP/2.0/UDP \(address);branch=z9hG4bKrelay-\(branch)"]
    if ["INVITE", "UPDATE", "SUBSCRIBE"].contains(method) {
      rows.append("Record-Route: <sip:\(address);lr>")
    }
    rows += routes.map { "Route: \($0)" }
    for row in message.rows where row.name != "route" {
      let hops = message.number("max-forwards") ?? 70
      rows.append(row.name == "max-forwards" ? "Max-Forwards: \(hops - 1)" : row.text)
    }
    world.send(WireMessage.octets(rows, message.body), from: address, to: next)
  }

  /// To whom the next Via names; a port in `rport` is where the message really came from.
  private func passBack(_ message: WireMessage) {
    guard message.branches.first?.utf8.starts(with: "z9hG4bKrelay-".utf8) == true, message.branches.count > 1
    else { return }
    let copy = WireMessage(message.withoutTopVia())
    guard let via = copy.value("via"), let host = via.utf8.split(separator: 32).dropFirst().first else {
      return
    }
    let sentBy = host.split(separator: 59).first.map { String(Substring($0)) } ?? ""
    guard let next = SocketAddress(sentBy) else { return }
    world.send(copy.bytes, from: address, to: next)
  }
}
