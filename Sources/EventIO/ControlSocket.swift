internal import CSystemShims
import Glibc

/// Where the control socket is, and how it comes to be there.
///
/// `run` and the queries follow one rule, so that they meet without a flag: `control.sock` in
/// $RUNTIME_DIRECTORY, else in $XDG_RUNTIME_DIR/callkeeper, else in /run/callkeeper if writable, else in
/// callkeeper-UID in the temporary folder, which must be a folder of this user that nobody else can enter.
public enum ControlSocket {
  /// A folder of the rule, and what may be done to have it.
  public struct Candidate: Equatable, Sendable {
    /// The folder.
    public var folder: String
    /// Whether it is made, for this user alone, when missing.
    public var isMadeWhenMissing: Bool
    /// Whether it must belong to this user and be closed to all others.
    public var mustBePrivate: Bool
    /// The socket in it.
    public var path: String { folder + "/control.sock" }
  }

  /// The folders in the order of the rule.
  public static func candidates(
    userID: UInt32 = OperatingSystem.userID,
    environment: (String) -> String? = OperatingSystem.environment
  ) -> [Candidate] {
    var candidates: [Candidate] = []
    func add(_ folder: String, made: Bool, isPrivate: Bool = false) {
      candidates.append(Candidate(folder: folder, isMadeWhenMissing: made, mustBePrivate: isPrivate))
    }
    // systemd names several folders with a colon between them; the first is the service's own.
    if let list = environment("RUNTIME_DIRECTORY"), let first = list.split(separator: ":").first {
      add(String(first), made: false)
    }
    if let folder = environment("XDG_RUNTIME_DIR"), !folder.isEmpty {
      add(folder + "/callkeeper", made: true)
    }
    add("/run/callkeeper", made: false)
    var temporary = environment("TMPDIR") ?? ""
    while temporary.hasSuffix("/") { temporary.removeLast() }
    add((temporary.isEmpty ? "/tmp" : temporary) + "/callkeeper-\(userID)", made: true, isPrivate: true)
    return candidates
  }

  /// The path `run` listens on without `--control`; makes the folder where the rule says so.
  ///
  /// Not `making` folders, it tells what it would be.
  public static func pathForServer(
    among candidates: [Candidate] = candidates(), making: Bool = true
  ) throws(EventIOError) -> String {
    func isUsable(_ candidate: Candidate) -> Bool {
      if !making, candidate.isMadeWhenMissing, !isAccessible(candidate.folder, for: F_OK) {
        return isAccessible(parent(of: candidate.folder), for: W_OK | X_OK)
      }
      return ControlSocket.isUsable(candidate)
    }
    for candidate in candidates.dropLast() where isUsable(candidate) { return candidate.path }
    guard let last = candidates.last else {
      throw EventIOError(operation: "find", errorNumber: ENOENT, address: "a folder for the control socket")
    }
    if !isUsable(last) {
      // Somebody else may have made the name first: a socket there would be theirs to replace.
      throw EventIOError(operation: "use the folder", errorNumber: EACCES, address: last.folder)
    }
    return last.path
  }

  /// The path a query asks without `--control`: the first of the rule where there is a socket.
  public static func pathForQuery(among candidates: [Candidate] = candidates()) -> String {
    let found = candidates.first { candidate in
      (!candidate.mustBePrivate || isPrivateFolder(candidate.folder)) && isSocket(candidate.path)
    }
    return (found ?? candidates.first { isAccessible($0.folder, for: W_OK) } ?? candidates.last)?.path
      ?? "control.sock"
  }

  private static func isUsable(_ candidate: Candidate) -> Bool {
    if candidate.isMadeWhenMissing, !isAccessible(candidate.folder, for: F_OK) {
      _ = unsafe mkdir(candidate.folder, 0o700)
    }
    if candidate.mustBePrivate { return isPrivateFolder(candidate.folder) }
    return isAccessible(candidate.folder, for: W_OK | X_OK)
  }

  private static func isAccessible(_ path: String, for mode: Int32) -> Bool {
    unsafe access(path, mode) == 0
  }

  private static func isPrivateFolder(_ path: String) -> Bool {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return false }
    return status.st_mode & S_IFMT == S_IFDIR && status.st_mode & 0o077 == 0
      && status.st_uid == OperatingSystem.userID
  }

  /// Whether there is a socket at `path`, alive or not.
  static func isSocket(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
  }

  /// The folder a path lies in.
  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Fails as listening at `path` would, and changes nothing.
  public static func probe(_ path: String) throws(EventIOError) {
    func refused(_ errorNumber: Int32) -> EventIOError {
      EventIOError(operation: "listen on", errorNumber: errorNumber, address: path)
    }
    if path.utf8.count > 107 { throw refused(ENAMETOOLONG) }
    let folder = parent(of: path)
    guard isAccessible(folder, for: F_OK) || isMade(folder) else { throw refused(errno) }
    if isAccessible(folder, for: F_OK), !isAccessible(folder, for: W_OK | X_OK) { throw refused(errno) }
    var status = stat()
    if unsafe lstat(path, &status) == 0 { try checkReplaceable(path) }
  }

  /// Whether the rule makes a folder when it is missing.
  private static func isMade(_ folder: String) -> Bool {
    candidates().contains { $0.folder == folder && $0.isMadeWhenMissing }
  }

  /// Refuses what may not be replaced: a file that is no socket, and a socket somebody answers on.
  private static func checkReplaceable(_ path: String) throws(EventIOError) {
    guard isSocket(path) else {
      throw EventIOError(operation: "listen on", errorNumber: EEXIST, address: path)
    }
    let probe = unsafe ck_unix_connect(path, 1)
    if probe >= 0 { close(probe) }
    // Only a refusal says that nobody listens; a full queue or a missing right does not.
    guard probe == -ECONNREFUSED else {
      throw EventIOError(
        operation: "listen on", errorNumber: probe == -EACCES ? EACCES : EADDRINUSE, address: path)
    }
  }

  /// Listens at `path`. A socket nobody answers on is replaced; a live one or another file is refused.
  ///
  /// The caller closes the descriptor and removes the path.
  static func listen(at path: String) throws(EventIOError) -> Int32 {
    let first = unsafe ck_unix_listen(path)
    if first != -EADDRINUSE { return try EventIOError.check(first, "listen on", path) }
    try checkReplaceable(path)
    _ = unsafe unlink(path)
    return try EventIOError.check(unsafe ck_unix_listen(path), "listen on", path)
  }
}
