/// A set of small chunk numbers whose lowest and highest members are found by words of 64.
struct ChunkSet {
  private var words: [UInt64] = []
  /// No word before this one has a member.
  private var firstWord = 0
  /// No word from this one on has a member.
  private var endWord = 0

  mutating func insert(_ number: Int) {
    let word = number >> 6
    while words.count <= word { words.append(0) }
    words[word] |= 1 << UInt64(number & 63)
    let isFirst = firstWord >= endWord
    firstWord = isFirst ? word : min(firstWord, word)
    endWord = isFirst ? word + 1 : max(endWord, word + 1)
  }

  /// Takes a number out, whether or not it is a member.
  mutating func remove(_ number: Int) {
    let word = number >> 6
    guard word < words.count else { return }
    words[word] &= ~(1 << UInt64(number & 63))
    while firstWord < endWord && words[firstWord] == 0 { firstWord += 1 }
    while firstWord < endWord && words[endWord - 1] == 0 { endWord -= 1 }
  }

  /// The lowest member.
  var first: Int? {
    guard firstWord < endWord else { return nil }
    return firstWord << 6 + words[firstWord].trailingZeroBitCount
  }

  /// The highest member.
  var last: Int? {
    guard firstWord < endWord else { return nil }
    return endWord << 6 - 1 - words[endWord - 1].leadingZeroBitCount
  }
}
