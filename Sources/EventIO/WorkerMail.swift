import AdminHTTP

/// What a worker says when it was asked something.
enum Reply: Sendable {
  /// It is done.
  case done
  /// The answer to a query.
  case response(AdminResponse)
  /// A page with what it had to add.
  case listing(DialogListing)
}

/// What a worker waits to hear from others.
struct AwaitedReplies {
  private var actions: [UInt64: (Reply) -> Void] = [:]
  private var last: UInt64 = 0

  /// Remembers what to do with a reply, and names it.
  mutating func add(_ action: @escaping (Reply) -> Void) -> UInt64 {
    last += 1
    actions[last] = action
    return last
  }

  /// Takes what to do with a reply.
  mutating func take(_ number: UInt64) -> ((Reply) -> Void)? {
    actions.removeValue(forKey: number)
  }
}

extension Worker {
  /// Letters with messages that are read in one turn of the loop, for the same reason as ``streamWorkAtOnce``.
  private static var lettersAtOnce: Int { 64 }

  /// Reads letters of other workers; what is left is read in the next turn.
  func readMail(of mailbox: Mailbox) {
    thread.check()
    // Whoever posts behind an exchange wakes us again.
    let now = MonotonicClock.now
    var left = Worker.lettersAtOnce * 16
    while left > 0 {
      if inbox.isRead {
        inbox.removeAll()
        mailbox.exchange(for: &inbox)
      }
      guard let letter = inbox.next() else { return settle() }
      left -= letter.weight
      if case .task(let body) = letter {
        body(self)
      } else {
        engine.open(letter, of: inbox.octets, over: transports, at: now)
      }
    }
    settle()
    mailbox.wake()
  }

  /// Has another worker do something on its thread, which ends with a report; `action` gets that on this one.
  func ask(
    _ other: Int, _ question: @escaping @Sendable (Worker, @escaping @Sendable (Reply) -> Void) -> Void,
    then action: @escaping (Reply) -> Void
  ) {
    guard let station else { return }
    let number = awaited.add(action)
    let home = station.mailbox
    station.mailbox(of: other).post(
      .task { worker in
        question(worker) { report in
          home.post(.task { $0.awaited.take(number)?(report) })
        }
      })
  }
}
