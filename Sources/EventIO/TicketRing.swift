import ProxyCore

/// The requests that were last sent over a connection, for what must be told when it breaks.
struct TicketRing {
  /// Requests remembered; those before them have long had their answer, or wait for a timer.
  static let capacity = 256

  private var tickets: [SendTicket] = []
  /// Where the next one goes once all places are taken.
  private var next = 0

  /// Remembers a request in place of the oldest.
  mutating func append(_ ticket: SendTicket) {
    if tickets.count < TicketRing.capacity {
      tickets.append(ticket)
    } else {
      tickets[next] = ticket
      next = (next + 1) % TicketRing.capacity
    }
  }

  /// Forgets the requests and returns them.
  mutating func takeAll() -> [SendTicket] {
    defer { self = TicketRing() }
    return tickets
  }
}
