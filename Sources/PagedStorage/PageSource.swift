/// Where slabs, indexes and arenas get their memory from, and where they give it back to.
///
/// The edge supplies anonymous mappings of the operating system, tests a source that counts and can
/// refuse. `release` is only ever called with exactly the address and size that `map` returned, so
/// a source needs no notion of parts of a mapping.
@safe public struct PageSource: Sendable {
  private let map: @Sendable (_ byteCount: Int) -> UnsafeMutableRawPointer?
  private let release: @Sendable (UnsafeMutableRawPointer, _ byteCount: Int) -> Void

  /// Granularity of every request: sizes are multiples of this many bytes.
  public static let pageSize = 4096

  /// A source made of two functions.
  ///
  /// - Parameters:
  ///   - map: returns zeroed, page-aligned memory of that many bytes, or nil when there is none.
  ///   - release: takes a whole mapping back.
  public init(
    map: @escaping @Sendable (_ byteCount: Int) -> UnsafeMutableRawPointer?,
    release: @escaping @Sendable (UnsafeMutableRawPointer, _ byteCount: Int) -> Void
  ) {
    unsafe self.map = map
    unsafe self.release = release
  }

  /// Room for `capacity` zeroed elements, rounded up to whole pages; nil when memory is refused.
  func block<Element: BitwiseCopyable>(of type: Element.Type, capacity: Int) -> MemoryBlock<Element>? {
    let needed = capacity * MemoryLayout<Element>.stride
    let byteCount = (needed + Self.pageSize - 1) / Self.pageSize * Self.pageSize
    guard let address = unsafe map(byteCount) else { return nil }
    return unsafe MemoryBlock(address: address, byteCount: byteCount, capacity: capacity)
  }

  /// Gives the memory of a block back; the block must not be used afterwards.
  func giveBack<Element: BitwiseCopyable>(_ block: MemoryBlock<Element>) {
    unsafe release(block.address, block.byteCount)
  }
}
