// RFC 3261 §16.6 item 1: a forwarded message is a copy with named changes. The changes are collected
// here and applied in one pass, so that every byte that nobody named leaves as it came (B66, E16).

import Synchronization

/// A list of deletions, replacements and insertions, applied in one pass; reusable.
///
/// Edits may be added in any order. At one position they apply in the order they were added, and what is
/// deleted twice is deleted once. Keeps its list sorted: adding costs the number of edits behind it.
public struct MessageEdits: ~Copyable, Sendable {
  private struct Edit {
    var start: Int
    var end: Int
    var textStart: Int
    var textEnd: Int
  }

  private var edits: [Edit] = []
  private var pending: Edit?
  /// Swift passes a struct that holds an atomic by address, and would copy this one, which is large, at every borrow.
  private let inPlace = Atomic<Bool>(false)

  /// Scratch memory that replacement text is written into, between `begin` and `end()`.
  public var text = OutputBuffer(capacity: 1024)

  /// No edits.
  public init() { edits.reserveCapacity(32) }

  /// Forgets all edits and keeps the memory.
  public mutating func removeAll() {
    edits.removeAll(keepingCapacity: true)
    text.removeAll()
    pending = nil
  }

  /// Whether nothing is to be changed.
  public var isEmpty: Bool { edits.isEmpty }

  /// Deletes the bytes of `range`.
  public mutating func delete(_ range: ByteRange) {
    guard !range.isEmpty else { return }
    insert(Edit(start: range.lowerBound, end: range.upperBound, textStart: 0, textEnd: 0))
  }

  /// Starts a replacement of `range`: what is appended to `text` until `end()` takes its place.
  public mutating func begin(replacing range: ByteRange) {
    precondition(pending == nil, "an edit is already open")
    pending = Edit(
      start: range.lowerBound, end: max(range.lowerBound, range.upperBound), textStart: text.count, textEnd: 0
    )
  }

  /// Starts an insertion before the byte at `offset`.
  public mutating func begin(insertingAt offset: Int) { begin(replacing: ByteRange(offset, offset)) }

  /// Ends what `begin` started.
  public mutating func end() {
    guard var edit = pending else { preconditionFailure("no edit is open") }
    edit.textEnd = text.count
    pending = nil
    insert(edit)
  }

  private mutating func insert(_ edit: Edit) {
    var position = edits.count
    edits.append(edit)
    while position > 0, edits[position - 1].start > edit.start {
      edits[position] = edits[position - 1]
      position -= 1
    }
    edits[position] = edit
  }

  /// Appends bytes [0, `end`) of `source` to `output` with all edits applied.
  public func apply(to source: Span<UInt8>, upTo end: Int, into output: inout OutputBuffer) {
    apply(to: source, range: ByteRange(0, end), into: &output)
  }

  /// Appends the bytes of `range`, with all edits applied, to `output`; no edit may begin before it.
  public func apply(to source: Span<UInt8>, range: ByteRange, into output: inout OutputBuffer) {
    let end = min(range.upperBound, source.count)
    var position = min(range.lowerBound, end)
    for edit in edits {
      let start = min(edit.start, end)
      if start > position {
        output.append(source, ByteRange(position, start))
        position = start
      }
      if edit.textEnd > edit.textStart {
        output.append(text.bytes.span, ByteRange(edit.textStart, edit.textEnd))
      }
      position = max(position, min(edit.end, end))
    }
    output.append(source, ByteRange(position, end))
  }

  /// How far a byte at `offset`, which no edit touches, moves to the right (negative: to the left).
  public func shift(before offset: Int) -> Int {
    var change = 0
    var position = 0
    for edit in edits where edit.start <= offset {
      change += edit.textEnd - edit.textStart - max(0, edit.end - max(edit.start, position))
      position = max(position, edit.end)
    }
    return change
  }

  /// By how many bytes the result is longer than the source (negative: shorter).
  public var sizeChange: Int {
    var change = 0
    var position = 0
    for edit in edits {
      change += edit.textEnd - edit.textStart - max(0, edit.end - max(edit.start, position))
      position = max(position, edit.end)
    }
    return change
  }
}
