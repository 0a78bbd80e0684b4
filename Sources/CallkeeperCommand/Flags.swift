/// All settings of `run`, in the order of the documentation.
enum Flags {
  static let listen = FlagDefinition(
    "listen", "TRANSPORT:HOST:PORT", default: "udp:0.0.0.0:5060 tcp:0.0.0.0:5060",
    legal: "udp:, tcp: or tls: and HOST:PORT with a port from 0 to 65535, an IPv6 address in brackets",
    isRepeatable: true, "Address to receive SIP on",
    details: """
      0.0.0.0 and [::] stand for all addresses of this host, each family for itself. Port 0 takes a free \
      port, which the ready line names. A link-local address needs its interface: udp:[fe80::1%eth0]:5060.

      Every udp address is listened on over tcp too, as RFC 3261 section 18 demands; a tcp address of the same \
      port that is given itself takes the place of that. A tls address needs --tls-certificate. With a \
      certificate and without --listen, tls:0.0.0.0:5061 joins the default.
      """)
  static let advertise = FlagDefinition(
    "advertise", "[TRANSPORT:]HOST[:PORT]",
    legal: "a host name or address, with a transport before and a port from 1 to 65535 behind it if wanted",
    isRepeatable: true, "Name or address written into Via and Record-Route",
    details: """
      Applies to the listeners of its transport, or to all. An address applies to listeners of its family. \
      The first that names a listener's transport is used, else the first that fits; the port of one without \
      a transport is not used for tls. Without it the local address is written that the system uses toward \
      that peer. Requests to an advertised name are requests to us. A tls listener is best advertised by a \
      name of its certificate, which peers compare.
      """)
  static let alias = FlagDefinition(
    "alias", "HOST[:PORT]", legal: "a host name or address, with a port from 1 to 65535 if wanted",
    isRepeatable: true, "Another name or address that means this proxy",
    details: "Without a port it means us at any port we listen on.")
  static let sessionExpires = FlagDefinition(
    "session-expires", "SECONDS|off", default: "1800",
    legal: "90 to 4294967295 seconds and not below --min-se, or off",
    "Session interval asked for, RFC 4028",
    details: """
      Below 1800 the proxy warns, as RFC 4028 section 4 advises against it. With off it asks for no timer, \
      and still insists on --min-se.
      """)
  static let minSE = FlagDefinition(
    "min-se", "SECONDS", default: "90", legal: "90 to 4294967295 seconds (RFC 4028 section 5)",
    "Smallest session interval accepted",
    details: "A smaller one gets 422, or is raised when the caller does not support session timers.")
  static let honorRefresherUAS = FlagDefinition(
    "honor-refresher-uas", nil, default: "false", legal: "true or false",
    "Read refresher=uas in a request as erratum 8926 proposes",
    details: "Off, the text of RFC 4028 section 8.2 is followed.")
  static let nextHop = FlagDefinition(
    "next-hop", "SIP-URI",
    legal:
      "a SIP URI such as sip:192.0.2.20:5060, sip:edge.example.com;transport=tcp or sips:edge.example.com",
    "Where requests without a Route go; default: by the request",
    details: """
      Pushed as a Route on every request outside a dialog that has none, unless it came from there. A host \
      name is looked up while calls are made, by RFC 3263: NAPTR, SRV, then addresses, with failover. A sips \
      URI goes over TLS and needs a tls listener.
      """)
  static let dnsServer = FlagDefinition(
    "dns-server", "ADDRESS[:PORT]",
    legal:
      "a numeric address, with a port from 1 to 65535 if wanted, an IPv6 address with a port in brackets",
    isRepeatable: true, "DNS server to ask; default: the system's",
    details: "The first that answers is used. Given once or more it replaces what /etc/resolv.conf says.")
  static let allow = FlagDefinition(
    "allow", "CIDR",
    default: "127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 169.254.0.0/16 fe80::/10",
    legal: "an address or a block such as 192.0.2.0/24 or 2001:db8::/32, without bits behind the prefix",
    isRepeatable: true, "Who may send requests through this proxy",
    details: "Given once or more it replaces the whole default. Others get 403.")
  static let untimedLifetime = FlagDefinition(
    "untimed-lifetime", "SECONDS", default: "43200", legal: "0 to 2147483647 seconds, 0 for ever",
    "How long a call without session timer is remembered")
  static let maxSession = FlagDefinition(
    "max-session", "SECONDS", default: "86400", legal: "0 to 2147483647 seconds, 0 for no cap",
    "How long a call is remembered between two refreshes at most",
    details: "No header is changed for it; a later refresh brings the call back into the count.")
  static let maxDialogs = FlagDefinition(
    "max-dialogs", "N", default: "2000000", legal: "0 to 4000000000, 0 for no limit",
    "Dialogs held at most; beyond it new calls get 503",
    details: "Nothing is allocated in advance.")
  static let maxTransactions = FlagDefinition(
    "max-transactions", "N", default: "1000000", legal: "0 to 4000000000, 0 for no limit",
    "Server transactions held at most; beyond it new requests get 503",
    details: "Nothing is allocated in advance.")
  static let maxConnections = FlagDefinition(
    "max-connections", "N", default: "10000", legal: "1 to 1000000",
    "Connections over TCP and TLS held at most",
    details: """
      One source gets no more than a quarter of them. When all are taken, the one that was idle longest goes, \
      if that was 32 seconds or more. Each needs a file descriptor: the number is cut to \
      what the hard limit allows (ulimit -Hn, LimitNOFILE= of a service) after about 200 were kept for everything \
      else, and run and check warn of it.
      """)
  static let workers = FlagDefinition(
    "workers", "N", default: "1", legal: "1 to 64", "Threads that carry calls",
    details: """
      Each call belongs to one of them, wherever its messages arrive. One hands nothing over and costs least for a call; \
      more are for more than one core can carry, and more than there are cores are of no use. Each takes an equal part of --max-dialogs, --max-transactions and \
      --max-connections, opens connections of its own to a next hop, and asks the DNS for itself.
      """)
  static let control = FlagDefinition(
    "control", "PATH", legal: "a path of at most 107 bytes", "Unix socket of the query API",
    details: """
      Default: control.sock in $RUNTIME_DIRECTORY, else in $XDG_RUNTIME_DIR/callkeeper, else in \
      /run/callkeeper if writable, else in callkeeper-UID in the temporary folder. The queries follow the \
      same rule. A socket that nobody answers on is replaced.
      """)
  static let http = FlagDefinition(
    "http", "HOST:PORT", legal: "an address of this host with a port from 0 to 65535",
    "Serve the query API on TCP too; loopback only unless --http-public")
  static let httpPublic = FlagDefinition(
    "http-public", nil, default: "false", legal: "true or false",
    "Let --http listen on an address that others can reach",
    details: "The API has no access control: put something before it that has.")
  static let tlsCertificate = FlagDefinition(
    "tls-certificate", "FILE", legal: "a readable file in PEM format", "Certificate of tls listeners",
    details: """
      First our own certificate, then the chain above it, if there is one. It should name, as a DNS or sip URI \
      alternative name, what --advertise says for tls. Read again when the process gets HUP.
      """)
  static let tlsKey = FlagDefinition(
    "tls-key", "FILE", legal: "a readable file in PEM format, not encrypted", "Private key of tls listeners",
    details: "Default: the certificate's file holds the key too. Read again when the process gets HUP.")
  static let tlsCA = FlagDefinition(
    "tls-ca", "FILE", legal: "a readable file in PEM format", "Trusted certificates; default: the system's",
    details: "Peers must show a certificate that ends at one of them. Read again when the process gets HUP.")
  static let tlsRequireClientCertificate = FlagDefinition(
    "tls-require-client-certificate", nil, default: "false", legal: "true or false",
    "Refuse TLS clients without a certificate",
    details: "Without it they are asked for one, and one that is shown must be valid.")
  static let udpMTU = FlagDefinition(
    "udp-mtu", "BYTES", default: "1500", legal: "576 to 65535 bytes, 65535 for no limit",
    "Path MTU assumed for UDP",
    details: """
      A request within 200 bytes of it, our own additions counted, goes over TCP, and over UDP after all when \
      TCP is refused (RFC 3261 section 18.1.1).
      """)
  static let secretFile = FlagDefinition(
    "secret-file", "FILE", legal: "a readable file of at least 32 bytes",
    "Key of the tokens in Record-Route; default: a random one for each start",
    details: "Shared by several proxies, or kept over restarts, it lets them recognise each other's calls.")
  static let t1 = FlagDefinition(
    "t1", "MILLISECONDS", default: "500", legal: "10 to 60000 milliseconds", "Timer base T1 of RFC 3261")
  static let logLevel = FlagDefinition(
    "log-level", "LEVEL", default: "info", legal: "trace, debug, info, notice, warning, error or critical",
    "Least severe messages written to stderr")
  static let logFormat = FlagDefinition(
    "log-format", "FORMAT", default: "text", legal: "text, logfmt or json", "Form of the lines on stderr")
  static let config = FlagDefinition(
    "config", "FILE", legal: "a readable file of lines such as min-se = 90",
    "File with further settings",
    details: """
      One setting a line, named as its flag without the dashes; a number sign begins a comment; repeatable \
      settings may stand on several lines; switches are true or false. A flag wins over the environment, \
      the environment over the file.
      """)

  /// Every setting there is.
  static let all = [
    listen, advertise, alias, sessionExpires, minSE, honorRefresherUAS, nextHop, dnsServer, allow,
    untimedLifetime, maxSession, maxDialogs, maxTransactions, maxConnections, workers, control, http,
    httpPublic, tlsCertificate, tlsKey, tlsCA, tlsRequireClientCertificate, udpMTU, secretFile, t1, logLevel,
    logFormat, config,
  ]
}
