/// Does one piece of the hot path a given number of times, for a tool that counts instructions and allocations:
/// `instructions PIECE COUNT`. Scripts/instructions takes the difference of two counts.
@main
enum Instructions {
  static func main() {
    let arguments = CommandLine.arguments
    guard arguments.count == 3, let piece = Piece(rawValue: arguments[1]), let count = Int(arguments[2]),
      count > 0
    else {
      print(Piece.allCases.map(\.rawValue).joined(separator: " "))
      return
    }
    print(piece.run(count))
  }
}
