import EventIO
import Glibc
import SIPSyntax

/// The sockets of the listeners, opened one after the other and held together.
struct ListenerSockets {
  /// How often a free port is looked for that both a UDP listener and its twin can have.
  private static let portAttempts = 16

  /// Every listener with the port it got, in the order of opening.
  private(set) var listeners: [ListenAddress] = []
  /// Their sockets, in the same order.
  private(set) var transports: [ListeningTransport] = []

  /// What connections over TLS are made with; tls listeners need it.
  private let tls: TLSContext?
  /// Whether further workers get sockets at the same addresses.
  private let isShared: Bool

  /// None yet.
  init(tls: TLSContext?, isShared: Bool = false) {
    self.tls = tls
    self.isShared = isShared
  }

  /// Opens all of them; the first that is refused ends it.
  init(_ listeners: [ListenAddress], tls: TLSContext? = nil, isShared: Bool = false) throws(EventIOError) {
    self.init(tls: tls, isShared: isShared)
    for listener in listeners { try open(listener) }
  }

  /// One more socket for each listener, for another worker; they must be shared.
  func moreTransports() throws(EventIOError) -> [ListeningTransport] {
    var more: [ListeningTransport] = []
    for listener in listeners {
      more.append(
        try ListeningTransport(
          listener.transport, joining: listener.address, tls: listener.transport == .tls ? tls : nil))
    }
    return more
  }

  /// Opens one more; a twin for any port takes that of its UDP listener, which stands before it.
  ///
  /// Returns it with the port it got; nil for a twin whose UDP listener could not be opened, so that there is no
  /// port to share.
  @discardableResult
  mutating func open(_ listener: ListenAddress) throws(EventIOError) -> ListenAddress? {
    guard listener.isTwin, listener.address.port == 0 else {
      return hold(
        try ListeningTransport(listener.transport, binding: listener.address, tls: tls, isShared: isShared),
        for: listener)
    }
    guard let datagrams = listeners.last, datagrams.transport == .udp,
      datagrams.address.ip == listener.address.ip, datagrams.address.scope == listener.address.scope
    else { return nil }
    var found = datagrams.address
    // Held until the end, so that the next attempt gets another port.
    var refused: [ListeningTransport] = []
    while true {
      do throws(EventIOError) {
        return hold(
          try ListeningTransport(listener.transport, binding: found, tls: tls, isShared: isShared),
          for: listener)
      } catch {
        // Whoever asked for a free port does not mean one that TCP cannot have.
        guard error.errorNumber == EADDRINUSE, refused.count < ListenerSockets.portAttempts else {
          throw error
        }
        listeners.removeLast()
        refused.append(transports.removeLast())
        found.port = 0
        found =
          hold(
            try ListeningTransport(datagrams.transport, binding: found, tls: tls, isShared: isShared),
            for: datagrams
          ).address
      }
    }
  }

  private mutating func hold(
    _ transport: ListeningTransport, for listener: ListenAddress
  ) -> ListenAddress {
    var opened = listener
    opened.address = transport.bound
    listeners.append(opened)
    transports.append(transport)
    return opened
  }
}
