/// What an input of the core target says, event by event.
///
/// Events stand one behind the other, separated by the two octets 0xFF 0xFE, which occur in no SIP that matters;
/// so libFuzzer can move, double and drop whole events. The first three octets of an event are kind, place and
/// time; the rest is the text of a message, or rows to be added to one.
struct CoreEvent {
  /// What happens.
  enum Kind: UInt8, CaseIterable {
    /// The text arrives as it is.
    case octets
    /// The answer to a request that the proxy forwarded, with the text as further rows.
    case answer
    /// A request in the dialog of the last 2xx, with the text as further rows.
    case inDialog
    /// A request that was sent cannot be sent after all.
    case refuse
    /// A connection opens or closes.
    case connection
    /// Nothing but time.
    case wait
    /// The DNS answers one of the questions that were asked.
    case resolve
  }

  var kind: Kind
  /// Chooses the sender, or which of the messages sent before is meant.
  var place: UInt8
  /// How much time passes before.
  var pause: UInt8
  /// A status, a method.
  var variant: UInt8
  var text: Octets

  /// The events of an input; at most `limit` of them.
  static func read(_ input: Octets, limit: Int) -> [CoreEvent] {
    var events: [CoreEvent] = []
    var start = 0
    while start < input.count, events.count < limit {
      var end = start
      while end < input.count, !(input[end] == 0xFF && end + 1 < input.count && input[end + 1] == 0xFE) {
        end += 1
      }
      if let event = CoreEvent(input[start..<end]) { events.append(event) }
      start = end + 2
    }
    return events
  }

  private init?(_ octets: ArraySlice<UInt8>) {
    guard octets.count >= 4 else { return nil }
    let first = octets.startIndex
    kind = Kind.allCases[Int(octets[first]) % Kind.allCases.count]
    place = octets[first + 1]
    pause = octets[first + 2]
    variant = octets[first + 3]
    text = Array(octets[(first + 4)...])
  }
}
