/// The reference of all settings, as Docs/FLAGS.md holds it.
enum FlagReference {
  /// The whole page in Markdown.
  static var page: String {
    var page = """
      # Settings of `callkeeper run`

      Made from the definitions in the sources by `Scripts/flags`; edit those, not this page.

      Every setting may be a flag, an environment variable, or a line of the file that `--config` names. A flag \
      wins over the environment, the environment over the file. In a variable, several values of a repeatable \
      setting stand with commas or blanks between them. A value that is not legal ends the start with exit code \
      78 and one line that names it; a flag that does not exist, with 64.

      | flag | default | in short |
      |---|---|---|

      """
    for flag in Flags.all {
      page +=
        "| [`--\(flag.name)`](#--\(flag.name)) | \(flag.defaultValue.map { "`\($0)`" } ?? "") | \(flag.summary) |\n"
    }
    for flag in Flags.all { page += "\n" + section(flag) }
    return page
  }

  private static func section(_ flag: FlagDefinition) -> String {
    var text = "## `--\(flag.name)`\n\n\(flag.summary).\n"
    if !flag.details.isEmpty { text += "\(flag.details)\n" }
    text += "\n* Legal: \(flag.legal)."
    if let value = flag.defaultValue { text += "\n* Default: `\(value)`." }
    text += "\n* Form: `--\(flag.name)\(flag.placeholder.map { " \($0)" } ?? "")`"
    if flag.isRepeatable { text += ", repeatable" }
    text += flag == Flags.config ? "." : "; in a file `\(flag.name) = \(flag.placeholder ?? "true|false")`."
    return text + "\n* Variable: `\(flag.variable)`.\n"
  }
}
