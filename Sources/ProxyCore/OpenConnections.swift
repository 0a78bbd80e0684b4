/// The connections that are open, as the edge tells them: a flow token is checked against them (RFC 5626 §5.3.1).
///
/// Cost of each operation: one array access; memory: eight octets for each connection that was ever open at once.
struct OpenConnections {
  /// The open connection of a slot; generation 0 for none.
  private struct Entry {
    var generation: UInt32 = 0
    var isOpenedByPeer = false
  }

  private var entries: [Entry] = []

  /// Slots beyond this are not remembered: no edge hands them out.
  private static let slotLimit = 1 << 20

  func contains(_ id: ConnectionID) -> Bool {
    guard !id.isNone, let slot = Int(exactly: id.slot), slot < entries.count else { return false }
    return entries[slot].generation == id.generation
  }

  /// Whether a connection is open that its peer opened: one of ours can be opened again, a client's cannot.
  func isOpenedByPeer(_ id: ConnectionID) -> Bool {
    guard contains(id), let slot = Int(exactly: id.slot) else { return false }
    return entries[slot].isOpenedByPeer
  }

  mutating func open(_ id: ConnectionID, byPeer: Bool) {
    guard !id.isNone, let slot = Int(exactly: id.slot), slot < Self.slotLimit else { return }
    while entries.count <= slot { entries.append(Entry()) }
    entries[slot] = Entry(generation: id.generation, isOpenedByPeer: byPeer)
  }

  mutating func close(_ id: ConnectionID) {
    guard contains(id), let slot = Int(exactly: id.slot) else { return }
    entries[slot] = Entry()
  }
}
