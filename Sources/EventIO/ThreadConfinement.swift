import Glibc

/// Notes the first thread that asks and insists on it from then on.
final class ThreadConfinement {
  private var owner: pthread_t?

  /// Traps on any thread but the first that asked.
  func check() {
    let current = pthread_self()
    if let owner {
      precondition(pthread_equal(owner, current) != 0, "a worker was entered from another thread")
    } else {
      owner = current
    }
  }
}
