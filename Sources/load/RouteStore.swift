import SIPSyntax

/// What the caller must know of a call's 2xx to send requests inside the dialog (RFC 3261 §12.1.2).
struct RouteSet: ~Copyable {
  /// The remote target, then the Route rows.
  private(set) var bytes = OutputBuffer(capacity: 512)
  /// Length of the remote target.
  private(set) var targetLength = 0

  /// Reads Contact and Record-Route of a 2xx; false when they are missing or malformed.
  ///
  /// The values of Record-Route become Route rows in reverse order, one value each.
  mutating func read(_ message: borrowing SIPMessage, _ bytes: Span<UInt8>) -> Bool {
    self.bytes.removeAll()
    guard let row = message.first(.contact),
      let contact = parseNameAddress(bytes, message[field: row].value)
    else { return false }
    self.bytes.append(bytes, contact.uri)
    targetLength = self.bytes.count
    var values: [ByteRange] = []
    var cursor = ListCursor(.recordRoute, in: message)
    while let element = cursor.next(message, bytes) { values.append(element.value) }
    for value in values.reversed() {
      self.bytes.append("Route: ")
      self.bytes.append(bytes, value)
      self.bytes.append("\r\n")
    }
    return !cursor.failed
  }

  /// Appends the remote target.
  func writeTarget(to output: inout OutputBuffer) {
    output.append(bytes.bytes.span, ByteRange(0, targetLength))
  }

  /// Appends the Route rows.
  func writeRoutes(to output: inout OutputBuffer) {
    output.append(bytes.bytes.span, ByteRange(targetLength, bytes.count))
  }
}

/// The route sets of the calls that will send something more, in slots of one size that are used again.
struct RouteStore {
  /// Bytes of a slot; a longer route set does not fit.
  static let slot = 512

  private var bytes: [UInt8] = []
  private var lengths: [(target: UInt16, all: UInt16)] = []
  private var free: [UInt32] = []

  /// Keeps a copy and returns its slot; nil when it is too long.
  mutating func insert(_ routes: borrowing RouteSet) -> UInt32? {
    guard routes.bytes.count <= RouteStore.slot else { return nil }
    let index: Int
    if let last = free.popLast() {
      index = Int(last)
    } else {
      index = lengths.count
      lengths.append((0, 0))
      bytes.append(contentsOf: repeatElement(0, count: RouteStore.slot))
    }
    lengths[index] = (UInt16(routes.targetLength), UInt16(routes.bytes.count))
    let start = index * RouteStore.slot
    bytes.replaceSubrange(start..<start + routes.bytes.count, with: routes.bytes.bytes)
    return UInt32(index)
  }

  /// Gives a slot back.
  mutating func remove(_ slot: UInt32) { free.append(slot) }

  /// Appends the remote target of a slot.
  func writeTarget(_ slot: UInt32, to output: inout OutputBuffer) {
    let start = Int(slot) * RouteStore.slot
    output.append(bytes.span, ByteRange(start, start + Int(lengths[Int(slot)].target)))
  }

  /// Appends the Route rows of a slot.
  func writeRoutes(_ slot: UInt32, to output: inout OutputBuffer) {
    let start = Int(slot) * RouteStore.slot
    let (target, all) = lengths[Int(slot)]
    output.append(bytes.span, ByteRange(start + Int(target), start + Int(all)))
  }
}
