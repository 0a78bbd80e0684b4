/// How a `ByteArena` rounds sizes: 16 bytes apart up to 128, then eight steps a doubling.
///
/// At most an eighth of a cell is lost to rounding (15 bytes for small ones). Above 16 KiB a blob
/// has a mapping of its own and no class.
struct SizeClass: Equatable {
  let number: Int

  static let largest = 16_384
  static let count = 64
  static let chunkBytes = 65_536

  /// The class of the smallest cell that holds `size` bytes; nil when it needs its own mapping.
  init?(holding size: Int) {
    guard size <= Self.largest else { return nil }
    if size <= 128 {
      number = max(0, (size + 15) / 16 - 1)
      return
    }
    // Sizes above 2^(shift + 3) and up to 2^(shift + 4) are cut in eight steps of 2^shift.
    let shift = Int.bitWidth - (size - 1).leadingZeroBitCount - 4
    let step = (size + 1 << shift - 1) >> shift - 9
    number = 8 + (shift - 4) * 8 + step
  }

  init(number: Int) { self.number = number }

  /// Bytes of one cell, a multiple of 16.
  var cellBytes: Int {
    if number < 8 { return (number + 1) * 16 }
    let shift = 4 + (number - 8) / 8
    return (9 + (number - 8) % 8) << shift
  }

  /// Cells of one chunk; never more than 4,096, so that a cell number fits twelve bits.
  var cellsPerChunk: Int { Self.chunkBytes / cellBytes }
}
