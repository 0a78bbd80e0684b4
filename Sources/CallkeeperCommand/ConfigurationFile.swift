/// The settings of a file: `name = value`, one a line.
struct ConfigurationFile {
  /// What was found, by name.
  private(set) var settings: [String: [Setting]] = [:]

  /// Reads the text of a file; what is wrong in it is noted with its line.
  init(_ text: String, path: String, noting mistakes: inout Mistakes) {
    for (index, row) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
    {
      let line = ConfigurationFile.trimmed(ConfigurationFile.withoutComment(row))
      if line.isEmpty { continue }
      mistakes.keep(()) { try take(line, at: index + 1, of: path) }
    }
  }

  private mutating func take(_ line: Substring, at number: Int, of path: String) throws(CommandError) {
    let place = "\(printable(path)) line \(number)"
    guard let sign = line.firstIndex(of: "=") else {
      throw CommandError(.configuration, "\(place): \(printable(String(line))): must be name = value")
    }
    let name = String(ConfigurationFile.trimmed(line[..<sign]))
    let value = String(ConfigurationFile.trimmed(line[line.index(after: sign)...]))
    let flags = Flags.all.filter { $0 != Flags.config }
    guard let flag = flags.first(where: { $0.name == name }) else {
      let nearest = nearestName(to: name, among: flags.map(\.name)).map { "; did you mean \($0)?" } ?? ""
      throw CommandError(.configuration, "\(place): \(printable(name)): no such setting\(nearest)")
    }
    let setting = Setting(flag: flag, value: value, origin: .file(path, line: number))
    if value.isEmpty { throw setting.illegal }
    if settings[name] != nil, !flag.isRepeatable {
      throw setting.refused("stands in the file twice; remove one")
    }
    settings[name, default: []].append(setting)
  }

  /// A comment begins at a number sign that begins the line or stands behind a blank.
  private static func withoutComment(_ line: Substring) -> Substring {
    var previous: Character = " "
    for index in line.indices {
      if line[index] == "#", previous == " " || previous == "\t" { return line[..<index] }
      previous = line[index]
    }
    return line
  }

  private static func trimmed(_ text: Substring) -> Substring {
    let isBlank = { (character: Character) in character == " " || character == "\t" || character == "\r" }
    var text = text.drop(while: isBlank)
    while let last = text.last, isBlank(last) { text.removeLast() }
    return text
  }
}

/// The name that takes the fewest changed letters to reach from `name`; nil when none is near.
func nearestName(to name: String, among names: [String]) -> String? {
  func distance(_ left: [Character], _ right: [Character]) -> Int {
    var row = Array(0...right.count)
    for (i, letter) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, other) in right.enumerated() {
        (diagonal, row[j + 1]) = (
          row[j + 1], min(row[j] + 1, row[j + 1] + 1, diagonal + (letter == other ? 0 : 1))
        )
      }
    }
    return row[right.count]
  }
  let ranked = names.map { ($0, distance(Array(name), Array($0))) }.min { $0.1 < $1.1 }
  return ranked.flatMap { $0.1 <= max(2, name.count / 3) ? $0.0 : nil }
}
