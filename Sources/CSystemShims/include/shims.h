// What the Glibc module hides from Swift, or what would need sockaddr casts there: datagram batches
// with control messages, sockets by address, name lookups. Nothing here allocates for each message,
// and no function keeps a pointer after it returned, save where its comment says so.
//
// Every `int` result below zero is an errno with its sign turned. _GNU_SOURCE is defined in the .c
// file only: a header that defined it would give Swift a second shape of fd_set.
#ifndef CALLKEEPER_SHIMS_H
#define CALLKEEPER_SHIMS_H

#include <stddef.h>
#include <stdint.h>

/// An address and a port in host byte order. `family` is 4, 6, or 0 for none; an IPv4 address
/// stands in the lowest 32 bits of `low`. `scope` is the IPv6 zone.
struct ck_endpoint {
  uint64_t high;
  uint64_t low;
  uint32_t scope;
  uint16_t port;
  uint16_t family;
};

/// One datagram of a received batch; its bytes stand in the slot of the same index.
struct ck_receipt {
  struct ck_endpoint remote;
  /// The address it was sent to; family 0 when the socket does not ask for it.
  struct ck_endpoint local;
  uint32_t length;
  uint32_t truncated;
};

/// One datagram to send: its place in the caller's buffer and the addresses at both ends.
struct ck_departure {
  struct ck_endpoint remote;
  /// The address to send from; family 0 leaves the choice to the kernel.
  struct ck_endpoint local;
  uint32_t start;
  uint32_t length;
};

/// What the network said about one datagram that was sent; its start stands in the slot of the same index.
struct ck_socket_error {
  /// Where the datagram went, and who reports that it did not arrive.
  struct ck_endpoint destination;
  struct ck_endpoint offender;
  /// Octets of the datagram in the slot.
  uint32_t length;
  /// 4 for an ICMP error, 6 for one of ICMPv6, 0 for what this host's kernel says itself.
  uint8_t family;
  uint8_t type;
  uint8_t code;
};

/// Datagrams that one system call moves at most.
#define CK_BATCH 64

struct ck_reception;

/// What the system call that receives is told, prepared once: datagram i begins at `buffer + i * slot` and has at most
/// `slot` bytes. Null without memory.
struct ck_reception *ck_reception_new(uint8_t *buffer, size_t slot);
void ck_reception_free(struct ck_reception *reception);

/// Receives up to CK_BATCH datagrams without waiting, and as many receipts. Returns how many.
int ck_receive_batch(int socket, struct ck_reception *reception, struct ck_receipt *receipts);

/// Sends up to `count` (at most CK_BATCH) datagrams in order without waiting. Returns how many left
/// before the first refusal, or that refusal's errno when none did.
int ck_send_batch(int socket, const uint8_t *buffer, const struct ck_departure *departures, unsigned count);

/// Takes up to `count` errors out of the socket's error queue without waiting; the quoted datagram of
/// error i begins at `buffer + i * slot` and has at most `slot` bytes. Returns how many.
int ck_receive_errors(int socket, uint8_t *buffer, size_t slot, struct ck_socket_error *errors, unsigned count);

/// Opens a non-blocking UDP socket bound to `address`, with an error queue. `shared` sets SO_REUSEPORT,
/// `wildcard` asks for the destination address of each datagram. The caller closes it.
int ck_udp_open(const struct ck_endpoint *address, int shared, int wildcard);

/// Raises a socket's receive buffer to `bytes`, as far as the system lets this process. Returns the size.
int ck_set_receive_buffer(int socket, int bytes);

/// The address a socket is bound to.
int ck_socket_name(int socket, struct ck_endpoint *address);

/// Opens an unbound UDP socket of a family, 4 or 6, for `ck_source_address`. The caller closes it.
int ck_probe_open(int family);

/// The local address the kernel would send from to reach `peer`, which has the probe's family; sends nothing
/// and opens nothing. `probe` is nobody else's meanwhile.
int ck_source_address(int probe, const struct ck_endpoint *peer, struct ck_endpoint *source);

/// Opens a non-blocking listening TCP socket; a shared one lets others of this user share its address. The caller
/// closes it.
int ck_tcp_listen(const struct ck_endpoint *address, int shared);

/// Accepts a connection without waiting, as a non-blocking socket. The caller closes it.
int ck_accept(int socket);

/// The same for a connection of SIP: small messages leave at once, and one whose peer has taken nothing for
/// `patience` milliseconds breaks. Fills in both its ends.
int ck_tcp_accept(int socket, int patience, struct ck_endpoint *remote, struct ck_endpoint *local);

/// Begins to connect to `remote` from the address `local` (family 0: the kernel chooses) and any port, without
/// waiting; options as above. The caller closes the socket, which is writable once it has an outcome.
int ck_tcp_connect(const struct ck_endpoint *remote, const struct ck_endpoint *local, int patience);

/// Opens a non-blocking listening Unix socket with mode 0660 at `path`, which must not exist. The
/// caller closes it and removes the path.
int ck_unix_listen(const char *path);

/// Connects to the Unix socket at `path`, waiting at most `seconds` for each later read and write.
/// The caller closes it.
int ck_unix_connect(const char *path, int seconds);

/// Resolves a host name through the system's resolver, which may block for seconds. Fills up to
/// `capacity` addresses without ports. Returns how many; 0 when the name has none.
int ck_resolve(const char *host, struct ck_endpoint *addresses, unsigned capacity);

/// The addresses of this host's interfaces that are up. Returns how many were filled in.
int ck_local_addresses(struct ck_endpoint *addresses, unsigned capacity);

/// Raises the number of descriptors this process may have to `wanted`, as far as its hard limit lets it, and
/// never lowers it. Returns how many it may have now.
int ck_allow_descriptors(int wanted);

/// Opens a descriptor that becomes readable every `nanoseconds` from now on; eight bytes read from it say how often
/// since the last reading. The caller closes it.
int ck_ticker_open(uint64_t nanoseconds);

/// Datagrams that a socket's receive buffer had no room for.
int ck_receive_drops(int socket);

/// Opens a descriptor that becomes readable each time it is signalled, which may be done from any thread. The caller
/// closes it.
int ck_event_open(void);
void ck_event_signal(int event);

/// Runs `body` on a new thread that gets no signals; `ck_thread_join` waits for its end.
int ck_thread_start(void *(*body)(void *), void *context, unsigned long *thread);
void ck_thread_join(unsigned long thread);

/// Fills `bytes` with random bytes from the kernel.
int ck_random(void *bytes, size_t count);

#endif
