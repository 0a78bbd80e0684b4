/// Does one piece of the hot path a given number of times, for a tool that counts instructions and allocations:
/// `instructions PIECE COUNT`. Scripts/instructions takes the difference of two counts. `instructions table COUNT` fills
/// the dialog table and says what a dialog weighs.
@main
enum Instructions {
  static func main() {
    let arguments = CommandLine.arguments
    guard arguments.count == 3, let count = Int(arguments[2]), count > 0 else { return explain() }
    if arguments[1] == "table" {
      print(FullTable.report(count))
    } else if let piece = Piece(rawValue: arguments[1]) {
      print(piece.run(count))
    } else {
      explain()
    }
  }

  private static func explain() {
    print(
      "instructions table COUNT, or a piece and a count:",
      Piece.allCases.map(\.rawValue).joined(separator: " "))
  }
}
