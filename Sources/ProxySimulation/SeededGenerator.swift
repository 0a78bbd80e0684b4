public import Timekeeping

/// The simulation's only source of chance: SplitMix64, small, and the same on every machine.
///
/// The helpers draw exactly one number each and use no algorithm of the standard library, so that a seed
/// keeps its meaning when the library changes.
public struct SeededGenerator: Sendable {
  private var state: UInt64

  /// A generator whose numbers depend on nothing but the seed.
  public init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// A generator that goes its own way from here.
  public mutating func split() -> SeededGenerator { SeededGenerator(seed: next()) }

  /// A number of the range, each (almost) equally likely.
  public mutating func number(_ range: ClosedRange<Int>) -> Int {
    let width = UInt64(range.upperBound - range.lowerBound) + 1
    return range.lowerBound + Int(next() % width)
  }

  /// True in `perMille` of a thousand draws.
  public mutating func chance(_ perMille: Int) -> Bool { number(0...999) < perMille }

  /// A span between two numbers of milliseconds, fine to the microsecond.
  public mutating func span(milliseconds range: ClosedRange<Int>) -> TimeSpan {
    TimeSpan(nanoseconds: Int64(number(range.lowerBound * 1000...range.upperBound * 1000)) * 1000)
  }

  /// One element of a list that is not empty.
  public mutating func pick<Element>(_ list: [Element]) -> Element { list[number(0...list.count - 1)] }
}
