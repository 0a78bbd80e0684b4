/// What an input of the core target says, event by event.
///
/// The first octet of an input chooses the configuration (`CoreStage.configuration`). Events stand one behind the
/// other, separated by the two octets 0xFF 0xFE, which occur in no SIP that matters; so libFuzzer can move, double and
/// drop whole events. The first four octets of an event are kind, place, pause and variant; the rest is its text:
///
/// | kind | place | variant | text |
/// |---|---|---|---|
/// | 0 octets | the peer they come from | – | what arrives |
/// | 1 answer | which request that was sent, 0 the youngest | status and To tag | further rows |
/// | 2 in dialog | which answer that was sent | method and form (`CoreText`) | further rows |
/// | 3 refuse | which request cannot be sent after all | 1: because of us | – |
/// | 4 connection | the client, or which of ours | bit 0: ours, bit 1: with all that was sent over it | – |
/// | 5 wait | – | – | – |
/// | 6 resolve | which question to the DNS | the answer (`CoreNames`) | an octet for each record |
/// | 7 quote | which request an ICMP error quotes; from 128 on none | a quarter of its octets; 255: all | octets behind them |
/// | 8 stun | the peer, and the transaction | header and fingerprint (`CoreStun`) | attributes |
/// | 9 reply | which question to the DNS | code and counts (`CoreNames`) | records as they stand in a DNS reply |
/// | 10 drain | – | – | – |
///
/// Kinds beyond these begin again at 0. The pause is what passes before: 0.1 s for each, from 250 on ten minutes.
struct CoreEvent {
  /// What happens.
  enum Kind: UInt8, CaseIterable {
    /// The text arrives as it is.
    case octets
    /// The answer to a request that the proxy forwarded.
    case answer
    /// A request in the dialog of a 2xx.
    case inDialog
    /// A request that was sent cannot be sent after all.
    case refuse
    /// A connection opens, closes or breaks.
    case connection
    /// Nothing but time.
    case wait
    /// The DNS answers one of the questions that were asked, as read.
    case resolve
    /// An ICMP error comes back.
    case quote
    /// A STUN message arrives.
    case stun
    /// The DNS answers one of the questions that were asked, in octets.
    case reply
    /// New calls are refused from now on.
    case drain
  }

  var kind: Kind
  /// Chooses the sender, or which of the messages sent before is meant.
  var place: UInt8
  /// How much time passes before.
  var pause: UInt8
  /// A status, a method, a form.
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
