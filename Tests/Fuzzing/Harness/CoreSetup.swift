import Glibc
import PagedStorage
import ProxyCore
import SIPSyntax
import SessionTimers

extension CoreStage {
  /// Two UDP listeners, one for TCP and one for TLS. `setup` chooses: no session timer of ours (bit 0), a Min-SE of
  /// 1800 (1), erratum 8926 (2), most peers are strangers (3), a next hop (4), which is a name with bit 7, small tables
  /// (5), no limit of datagrams (6), draining (6 and 7).
  static func configuration(_ setup: UInt8) -> ProxyConfiguration {
    let interval = setup & 1 == 0 ? DeltaSeconds(1800) : nil
    guard
      let policy = try? SessionTimerPolicy(
        sessionExpires: interval, minSE: DeltaSeconds(setup & 2 == 0 ? 90 : 1800),
        honorsRefresherUAS: setup & 4 != 0)
    else { violated("the policy is legal", #fileID, #line) }
    let addresses = [
      "192.0.2.10:5060", "[2001:db8::10]:5060", "192.0.2.10:5060", "192.0.2.10:5061",
    ].compactMap { SocketAddress($0) }
    let listeners = zip([.udp, .udp, .tcp, .tls], addresses).map { Listener(transport: $0, bound: $1) }
    var configuration = ProxyConfiguration(
      listeners: listeners, sessionTimers: policy,
      allowed: (setup & 8 == 0 ? ["0.0.0.0/0", "::/0"] : ["198.51.100.0/31"]).compactMap { AddressBlock($0) })
    configuration.ownNames = [OwnName(host: Array("proxy.example.com".utf8), port: nil)]
    if setup & 16 != 0 {
      configuration.nextHop =
        setup & 128 == 0
        ? NextHop(
          uri: Array("sip:198.51.100.2;lr".utf8),
          addresses: [SocketAddress("198.51.100.2:5060")].compactMap { $0 })
        : NextHop(uri: Array("sip:edge.example.com;lr".utf8), addresses: [])
    }
    if setup & 32 != 0 {
      configuration.maxDialogs = 2
      configuration.maxTransactions = 4
      configuration.maxForks = 2
    }
    if setup & 64 != 0, setup & 128 == 0 { configuration.udpMTU = 65_535 }
    return configuration
  }

  static var environment: ProxyEnvironment {
    // Anonymous mappings: only the pages that a run touches cost anything.
    let pages = unsafe PageSource(
      map: { count in
        let memory = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        return unsafe memory == MAP_FAILED ? nil : memory
      },
      release: { memory, count in unsafe munmap(memory, count) })
    return ProxyEnvironment(
      processKey: HashKey(1, 2), tokenKey: HashKey(3, 4), pages: pages,
      sourceAddress: { _ in IPAddress("192.0.2.10") })
  }
}
