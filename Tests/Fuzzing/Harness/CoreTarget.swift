import ProxyCore
import SIPSyntax

/// The whole core, fed with events: it never traps, what it sends can be read, it never makes a BYE, answers
/// only whom it heard, keeps its books right, and ends empty. The same events give the same octets.
final class CoreTarget: FuzzTarget {
  func run(_ input: Span<UInt8>) {
    guard input.count > 4, input.count <= 16_384 else { return }
    let setup = input[0]
    let events = CoreEvent.read(input.octets(1, input.count), limit: 24)
    guard !events.isEmpty else { return }
    let first = play(events, setup)
    // A second run costs as much as the first: one input in four pays for it.
    if input[input.count - 1] & 3 == 0 {
      require(play(events, setup) == first, "the same events give the same octets")
    }
  }

  /// Plays all events and answers a digest of everything that was sent.
  private func play(_ events: [CoreEvent], _ setup: UInt8) -> UInt64 {
    let stage = CoreStage(setup)
    for event in events {
      stage.wait(event.pause)
      stage.perform(event)
    }
    stage.finish()
    return stage.digest
  }
}
