internal import CSystemShims
import SIPSyntax

/// The C side's form of an address, to and from the core's.
extension ck_endpoint {
  /// An address with a port and an IPv6 zone.
  init(_ ip: IPAddress, port: UInt16 = 0, scope: UInt32 = 0) {
    self.init(
      high: ip.high, low: ip.low, scope: scope, port: port, family: ip.family == .v4 ? 4 : 6)
  }

  /// The same of the core's form.
  init(_ address: SocketAddress) {
    self.init(address.ip, port: address.port, scope: address.scope)
  }

  /// The address; unspecified IPv4 when the C side had none.
  var ip: IPAddress {
    family == 6 ? IPAddress(v6High: high, v6Low: low) : IPAddress(v4: UInt32(truncatingIfNeeded: low))
  }

  /// Address, port and zone.
  var socketAddress: SocketAddress { SocketAddress(ip: ip, port: port, scope: scope) }
}
