import ProxyCore
import SIPSyntax
import ServerLocation
import Timekeeping

/// A machine on which no program reads what arrives.
final class DeadServer: SimulatedEndpoint {
  let address: SocketAddress
  var isListening: Bool { false }

  init(address: SocketAddress) { self.address = address }

  func receive(_ message: WireMessage, from source: SocketAddress) {}
}

/// Names on the simulated network: who has one, and what the DNS makes of the proxy's questions.
extension Simulation {
  /// Gives an address a name. Messages for `target`, a URI or Route value with that name, must go there, or first to
  /// `dead`, which answers nothing.
  func name(
    _ host: String, _ address: SocketAddress, dead: SocketAddress, _ zone: SimulatedZone, isTCP: Bool = false,
    in target: String
  ) {
    names.add(host, at: address, besides: zone.hasDeadServer ? dead : nil, zone, isTCP: isTCP)
    invariants.expect(target, at: zone.hasDeadServer ? [address, dead] : [address])
    if zone.hasDeadServer { add(DeadServer(address: dead)) }
  }

  /// Where a URI or a Route value leads, as everybody but the proxy knows without asking.
  func address(of target: String) -> SocketAddress? {
    Self.address(inRoute: target)
      ?? Self.hostPort(inRoute: target).flatMap {
        names.address(of: String(Substring($0.utf8.prefix { $0 != 58 })))
      }
  }

  /// Lets the proxy ask for what it needs at the start.
  func begin() {
    proxy.begin(at: now, into: &outbox)
    dispatch()
  }

  /// Asks the DNS what the proxy wants to know; the answers come later.
  func ask(_ questions: [DNSQuestion]) {
    for question in questions {
      tally.add(question.name.bytes, at: now)
      guard let (answer, span) = names.ask(question) else {
        return fail(Violation("\(question) was asked twice at a time"))
      }
      invariants.troubled(names.troubled)
      after(span) { [unowned self] in
        atProxy { [unowned self] in
          names.close(question)
          if case .failure = answer { ladder.remark("the DNS does not answer \(question)", at: now) }
          proxy.answered(question, with: answer, at: now, into: &outbox)
          dispatch()
        }
      }
    }
  }
}
