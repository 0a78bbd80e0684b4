/// The connections that are open, as the edge tells them: a flow token is checked against them (RFC 5626 §5.3.1).
///
/// Cost of each operation: one array access; memory: four octets for each connection that was ever open at once.
struct OpenConnections {
  /// Generation of the open connection of each slot; 0 for none.
  private var generations: [UInt32] = []

  /// Slots beyond this are not remembered: no edge hands them out.
  private static let slotLimit = 1 << 20

  func contains(_ id: ConnectionID) -> Bool {
    guard !id.isNone, let slot = Int(exactly: id.slot), slot < generations.count else { return false }
    return generations[slot] == id.generation
  }

  mutating func open(_ id: ConnectionID) {
    guard !id.isNone, let slot = Int(exactly: id.slot), slot < Self.slotLimit else { return }
    while generations.count <= slot { generations.append(0) }
    generations[slot] = id.generation
  }

  mutating func close(_ id: ConnectionID) {
    guard contains(id), let slot = Int(exactly: id.slot) else { return }
    generations[slot] = 0
  }
}
