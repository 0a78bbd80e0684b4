#define _GNU_SOURCE
#include "addresses.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int close_with(int socket, int error) {
  close(socket);
  return -error;
}

static int open_socket(const struct ck_endpoint *address, int type) {
  int s = socket(address->family == 4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s < 0) return -errno;
  int on = 1;
  // One family for each socket, so that 0.0.0.0 and [::] can be listened on side by side.
  if (address->family == 6 && setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on))
    return close_with(s, errno);
  return s;
}

int ck_udp_open(const struct ck_endpoint *address, int shared, int wildcard) {
  int s = open_socket(address, SOCK_DGRAM), on = 1;
  if (s < 0) return s;
  if (shared && setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on)) return close_with(s, errno);
  if (wildcard) {
    int failed = address->family == 4 ? setsockopt(s, IPPROTO_IP, IP_PKTINFO, &on, sizeof on)
                                      : setsockopt(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    if (failed) return close_with(s, errno);
  }
  int failed = address->family == 4 ? setsockopt(s, IPPROTO_IP, IP_RECVERR, &on, sizeof on)
                                    : setsockopt(s, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
  if (failed) return close_with(s, errno);
  struct sockaddr_storage name;
  socklen_t length = to_sockaddr(address, &name);
  if (bind(s, (struct sockaddr *)&name, length)) return close_with(s, errno);
  return s;
}

int ck_set_receive_buffer(int socket, int bytes) {
  // The first needs CAP_NET_ADMIN, the second stops at net.core.rmem_max.
  if (setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes))
    setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  int actual = 0;
  socklen_t length = sizeof actual;
  if (getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &actual, &length)) return -errno;
  return actual / 2;  // The kernel counts its own overhead in the same number.
}

int ck_socket_name(int socket, struct ck_endpoint *address) {
  struct sockaddr_storage name = {0};
  socklen_t length = sizeof name;
  if (getsockname(socket, (struct sockaddr *)&name, &length)) return -errno;
  *address = from_sockaddr((const struct sockaddr *)&name);
  return 0;
}

int ck_probe_open(int family) {
  struct ck_endpoint any = {.family = (uint16_t)family};
  return open_socket(&any, SOCK_DGRAM);
}

int ck_source_address(int probe, const struct ck_endpoint *peer, struct ck_endpoint *source) {
  struct ck_endpoint target = *peer;
  if (!target.port) target.port = 5060;
  struct sockaddr_storage name;
  socklen_t length = to_sockaddr(&target, &name);
  int result = connect(probe, (struct sockaddr *)&name, length) ? -errno : ck_socket_name(probe, source);
  // Dissolved, or the next answer would still be this one: a socket keeps the address it once connected from.
  struct sockaddr nobody = {.sa_family = AF_UNSPEC};
  connect(probe, &nobody, sizeof nobody);
  return result;
}

int ck_tcp_listen(const struct ck_endpoint *address, int shared) {
  int s = open_socket(address, SOCK_STREAM), on = 1;
  if (s < 0) return s;
  struct sockaddr_storage name;
  socklen_t length = to_sockaddr(address, &name);
  if (shared && setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on)) return close_with(s, errno);
  if (setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || bind(s, (struct sockaddr *)&name, length) ||
      listen(s, SOMAXCONN))
    return close_with(s, errno);
  return s;
}

int ck_accept(int socket) {
  int s = accept4(socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return s < 0 ? -errno : s;
}

// Without these a connection works all the same, so that a refusal does not matter.
static void prepare_stream(int socket, int patience) {
  int on = 1, idle = 300, interval = 30, probes = 4;
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
}

int ck_tcp_accept(int socket, int patience, struct ck_endpoint *remote, struct ck_endpoint *local) {
  struct sockaddr_storage name = {0};
  socklen_t length = sizeof name;
  int s = accept4(socket, (struct sockaddr *)&name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (s < 0) return -errno;
  *remote = from_sockaddr((const struct sockaddr *)&name);
  int named = ck_socket_name(s, local);
  if (named) return close_with(s, -named);
  prepare_stream(s, patience);
  return s;
}

int ck_tcp_connect(const struct ck_endpoint *remote, const struct ck_endpoint *local, int patience) {
  int s = open_socket(remote, SOCK_STREAM), on = 1;
  if (s < 0) return s;
  struct sockaddr_storage name;
  socklen_t length;
  if (local->family) {
    // The port is chosen when the other end is known, so that many connections can share it.
    setsockopt(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    length = to_sockaddr(local, &name);
    if (bind(s, (struct sockaddr *)&name, length)) return close_with(s, errno);
  }
  prepare_stream(s, patience);
  length = to_sockaddr(remote, &name);
  if (connect(s, (struct sockaddr *)&name, length) && errno != EINPROGRESS) return close_with(s, errno);
  return s;
}

static int unix_name(const char *path, struct sockaddr_un *name) {
  *name = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof name->sun_path) return -ENAMETOOLONG;
  strcpy(name->sun_path, path);
  return 0;
}

int ck_unix_listen(const char *path) {
  struct sockaddr_un name;
  int result = unix_name(path, &name);
  if (result) return result;
  int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s < 0) return -errno;
  // bind() takes the mode from the socket itself, less what the process's mask forbids: too little access
  // for a moment, never too much. The mask stays alone, because every thread shares it.
  if (fchmod(s, 0660) || bind(s, (struct sockaddr *)&name, sizeof name)) return close_with(s, errno);
  if (fchmodat(AT_FDCWD, path, 0660, AT_SYMLINK_NOFOLLOW) || listen(s, 64)) {
    int failed = errno;
    unlink(path);
    return close_with(s, failed);
  }
  return s;
}

int ck_unix_connect(const char *path, int seconds) {
  struct sockaddr_un name;
  int result = unix_name(path, &name);
  if (result) return result;
  int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s < 0) return -errno;
  struct timeval limit = {.tv_sec = seconds};
  if (setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ||
      setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) ||
      connect(s, (struct sockaddr *)&name, sizeof name))
    return close_with(s, errno);
  return s;
}

int ck_resolve(const char *host, struct ck_endpoint *addresses, unsigned capacity) {
  struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *list = NULL;
  if (getaddrinfo(host, NULL, &hints, &list)) return 0;
  unsigned count = 0;
  for (struct addrinfo *i = list; i && count < capacity; i = i->ai_next) {
    struct ck_endpoint address = from_sockaddr(i->ai_addr);
    if (address.family) addresses[count++] = address;
  }
  freeaddrinfo(list);
  return (int)count;
}

int ck_local_addresses(struct ck_endpoint *addresses, unsigned capacity) {
  struct ifaddrs *list = NULL;
  if (getifaddrs(&list)) return -errno;
  unsigned count = 0;
  for (struct ifaddrs *i = list; i && count < capacity; i = i->ifa_next) {
    if (!i->ifa_addr || !(i->ifa_flags & IFF_UP)) continue;
    struct ck_endpoint address = from_sockaddr(i->ifa_addr);
    if (address.family) addresses[count++] = address;
  }
  freeifaddrs(list);
  return (int)count;
}
