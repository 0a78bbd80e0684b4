public import SIPSyntax
import Timekeeping

/// A server to try: how, and at which address.
public struct ServerTarget: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
  /// The transport to speak.
  public let transport: TransportProtocol
  /// The address and port to speak to.
  public let address: SocketAddress

  /// A server behind one address.
  public init(transport: TransportProtocol, address: SocketAddress) {
    self.transport = transport
    self.address = address
  }

  /// As in `udp:192.0.2.1:5060`.
  public var description: String { "\(transport):\(address)" }
}

/// What a URI with a host name says about where it leads: the input to RFC 3263.
///
/// The host is the `maddr` parameter if there is one (D48). Numeric hosts need no locating and never come here.
public struct Destination: Hashable, Sendable {
  /// The name of the host.
  public let host: DNSName
  /// The port in the URI; nil when there is none.
  public let port: UInt16?
  /// The `transport` parameter; nil when there is none.
  public let transport: TransportProtocol?
  /// Whether the URI is a sips URI, which leads nowhere but to TLS (G36).
  public let isSecure: Bool

  /// A destination as a URI gives it.
  public init(host: DNSName, port: UInt16? = nil, transport: TransportProtocol? = nil, isSecure: Bool = false)
  {
    self.host = host
    self.port = port
    self.transport = transport
    self.isSecure = isSecure
  }
}

/// Names a location that waits for the DNS.
public struct LocationID: Hashable, Sendable, BitwiseCopyable {
  /// Never used twice in the life of a locator.
  let serial: UInt64
  /// When the questions it waits for began to be asked.
  let start: MonotonicInstant
  /// Who waits.
  let asker: Asker
}

/// Why no server is known.
public enum LocationFailure: Hashable, Sendable {
  /// The DNS says that there is none: no such name, no address, or a service that is not available.
  case notFound
  /// The DNS gave no usable answer in time; it may later.
  case unanswered
  /// The URI or the zone asks for transports we have no listener for.
  case unsupportedTransport
  /// Too much is being asked already; nothing is known about the name.
  case busy
  /// The source of the request has more open than its share, and little room is left for the others.
  case overShare
}

/// What is known about a destination.
public enum LocationResult: Hashable, Sendable {
  /// The servers to try, in this order, each at most once; never empty.
  case targets([ServerTarget])
  /// The DNS has been asked; the location will be among those that settle.
  case pending(LocationID)
  /// There is nothing to try.
  case failed(LocationFailure)
}

/// The transports that can be spoken, and over which versions of IP: as the listeners allow.
public struct SupportedTransports: OptionSet, Sendable {
  /// One bit for each pair of transport and family.
  public let rawValue: UInt8

  /// Pairs from their bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// One transport over one version of IP.
  public init(_ transport: TransportProtocol, _ family: IPAddress.Family) {
    self.init(rawValue: 1 << (transport.rawValue * 2 + family.rawValue))
  }

  /// Whether a transport can be spoken over any version.
  func includes(_ transport: TransportProtocol) -> Bool {
    includes(transport, .v4) || includes(transport, .v6)
  }

  /// Whether a transport can be spoken over one version.
  func includes(_ transport: TransportProtocol, _ family: IPAddress.Family) -> Bool {
    contains(SupportedTransports(transport, family))
  }
}
