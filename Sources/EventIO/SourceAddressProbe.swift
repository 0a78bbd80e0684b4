internal import CSystemShims
import Glibc
public import SIPSyntax
import Synchronization

/// Finds the local address that the kernel would send from to reach a peer, as a wildcard listener must know it.
///
/// It has its sockets from the start, so that it answers also when every descriptor is taken.
public final class SourceAddressProbe: Sendable {
  /// Owned: closed in `deinit`. -1 for a family that this host does not have.
  private let sockets: Mutex<(v4: Int32, v6: Int32)>

  /// Opens one socket for each address family of this host.
  public init() throws(EventIOError) {
    let v4 = try SourceAddressProbe.open(4)
    do throws(EventIOError) {
      let v6 = try SourceAddressProbe.open(6)
      sockets = Mutex((v4, v6))
    } catch {
      close(v4)
      throw error
    }
  }

  deinit {
    sockets.withLock { sockets in
      for socket in [sockets.v4, sockets.v6] where socket >= 0 { close(socket) }
    }
  }

  private static func open(_ family: Int32) throws(EventIOError) -> Int32 {
    let socket = ck_probe_open(family)
    if socket == -EAFNOSUPPORT { return -1 }
    return try EventIOError.check(socket, "open", "a UDP socket of IPv\(family)")
  }

  /// The address toward `peer`; nil when there is no route.
  public func source(toward peer: IPAddress) -> IPAddress? {
    var target = ck_endpoint(peer)
    var source = ck_endpoint()
    let found = sockets.withLock { sockets in
      unsafe ck_source_address(peer.family == .v4 ? sockets.v4 : sockets.v6, &target, &source)
    }
    guard found == 0, source.family != 0 else { return nil }
    return source.ip.isUnspecified ? nil : source.ip
  }
}
