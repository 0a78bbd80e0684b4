internal import CSystemShims
import Glibc
public import PagedStorage
public import SIPSyntax

/// What the core asks of the operating system and may not fetch itself.
public enum OperatingSystem {
  /// Pages mapped for themselves, so that a released one is given back at once.
  public static var pages: PageSource {
    unsafe PageSource(
      map: { byteCount in
        guard byteCount > 0 else { return nil }
        let memory = unsafe mmap(
          nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        return unsafe memory == MAP_FAILED ? nil : memory
      },
      release: { memory, byteCount in
        _ = unsafe munmap(memory, byteCount)
      })
  }

  /// A key nobody can guess, from the kernel's random source.
  public static func randomKey() throws(EventIOError) -> HashKey {
    var words: (UInt64, UInt64) = (0, 0)
    _ = try EventIOError.check(
      unsafe ck_random(&words, MemoryLayout.size(ofValue: words)), "read", "the kernel's random source")
    return HashKey(words.0, words.1)
  }

  /// Raises the number of descriptors this process may have to `wanted`, as far as the system lets it; returns
  /// how many it may have now.
  public static func allowDescriptors(_ wanted: Int) -> Int {
    let allowed = ck_allow_descriptors(Int32(clamping: wanted))
    return allowed < 0 ? wanted : Int(allowed)
  }

  /// The addresses of this host's interfaces that are up.
  public static func localAddresses() -> [IPAddress] {
    var found = [ck_endpoint](repeating: ck_endpoint(), count: 256)
    let count = unsafe ck_local_addresses(&found, 256)
    return found.prefix(Int(max(0, count))).map(\.ip)
  }

  /// The addresses of a host name by the system's resolver, in its order; blocks, so only before the loop runs.
  public static func resolve(_ host: String) -> [IPAddress] {
    var found = [ck_endpoint](repeating: ck_endpoint(), count: 16)
    let count = unsafe ck_resolve(host, &found, 16)
    return found.prefix(Int(max(0, count))).map(\.ip)
  }

  /// The index of an interface, by its name or as a number; 0 when there is none.
  public static func interfaceIndex(of zone: String) -> UInt32 {
    let index = unsafe if_nametoindex(zone)
    return index != 0 ? index : UInt32(zone) ?? 0
  }

  /// A write to a peer that has gone must be an error where it happens, not the end of the process.
  public static func ignoreBrokenPipes() {
    signal(SIGPIPE, SIG_IGN)
  }

  /// Gives the standard descriptors that are closed something to stand for, before a socket gets their number.
  ///
  /// Each is opened the wrong way round, so that using it stays the error it was.
  public static func occupyStandardDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
      _ = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// The effective user.
  public static var userID: UInt32 { geteuid() }

  /// A variable of the process's environment; nil when it is not set.
  public static func environment(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
  }
}
