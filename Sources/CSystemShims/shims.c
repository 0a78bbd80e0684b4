#define _GNU_SOURCE
#include "shims.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

// Room for either family's packet information, aligned as the kernel wants it.
union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static uint64_t load64(const uint8_t *bytes) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value = value << 8 | bytes[i];
  return value;
}

static void store64(uint8_t *bytes, uint64_t value) {
  for (int i = 7; i >= 0; i--, value >>= 8) bytes[i] = (uint8_t)value;
}

static void from_in6(struct ck_endpoint *to, const struct in6_addr *ip) {
  to->family = 6;
  to->high = load64(ip->s6_addr);
  to->low = load64(ip->s6_addr + 8);
}

static void to_in6(struct in6_addr *to, const struct ck_endpoint *from) {
  store64(to->s6_addr, from->high);
  store64(to->s6_addr + 8, from->low);
}

static struct ck_endpoint from_sockaddr(const struct sockaddr *from) {
  struct ck_endpoint to = {0};
  if (from->sa_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
    to.family = 4;
    to.low = ntohl(v4->sin_addr.s_addr);
    to.port = ntohs(v4->sin_port);
  } else if (from->sa_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
    from_in6(&to, &v6->sin6_addr);
    to.port = ntohs(v6->sin6_port);
    to.scope = v6->sin6_scope_id;
  }
  return to;
}

static socklen_t to_sockaddr(const struct ck_endpoint *from, struct sockaddr_storage *to) {
  if (from->family == 4) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    *v4 = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_port = htons(from->port),
                               .sin_addr.s_addr = htonl((uint32_t)from->low)};
    return sizeof *v4;
  }
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
  *v6 = (struct sockaddr_in6){
      .sin6_family = AF_INET6, .sin6_port = htons(from->port), .sin6_scope_id = from->scope};
  to_in6(&v6->sin6_addr, from);
  return sizeof *v6;
}

static struct ck_endpoint destination(struct msghdr *message) {
  struct ck_endpoint local = {0};
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(c), sizeof info);
      // The local address even when the datagram went to a group or to everybody.
      local.family = 4;
      local.low = ntohl(info.ipi_spec_dst.s_addr);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo info;
      memcpy(&info, CMSG_DATA(c), sizeof info);
      if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) continue;
      from_in6(&local, &info.ipi6_addr);
      if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) local.scope = info.ipi6_ifindex;
    }
  }
  return local;
}

struct ck_reception {
  struct mmsghdr messages[CK_BATCH];
  struct iovec vectors[CK_BATCH];
  struct sockaddr_storage remotes[CK_BATCH];
  union control controls[CK_BATCH];
};

struct ck_reception *ck_reception_new(uint8_t *buffer, size_t slot) {
  struct ck_reception *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  for (unsigned i = 0; i < CK_BATCH; i++) {
    r->vectors[i] = (struct iovec){.iov_base = buffer + i * slot, .iov_len = slot};
    r->messages[i].msg_hdr = (struct msghdr){.msg_name = &r->remotes[i],
                                             .msg_namelen = sizeof r->remotes[i],
                                             .msg_iov = &r->vectors[i],
                                             .msg_iovlen = 1,
                                             .msg_control = &r->controls[i],
                                             .msg_controllen = sizeof r->controls[i]};
  }
  return r;
}

void ck_reception_free(struct ck_reception *reception) { free(reception); }

int ck_receive_batch(int socket, struct ck_reception *r, struct ck_receipt *receipts) {
  int received = recvmmsg(socket, r->messages, CK_BATCH, MSG_DONTWAIT, NULL);
  if (received < 0) return -errno;
  for (int i = 0; i < received; i++) {
    struct msghdr *header = &r->messages[i].msg_hdr;
    receipts[i].remote = from_sockaddr((const struct sockaddr *)&r->remotes[i]);
    receipts[i].local = destination(header);
    receipts[i].length = r->messages[i].msg_len;
    receipts[i].truncated = (header->msg_flags & MSG_TRUNC) != 0;
    // What the call overwrote; the headers behind were not touched.
    header->msg_namelen = sizeof r->remotes[i];
    header->msg_controllen = sizeof r->controls[i];
  }
  return received;
}

static void set_source(struct msghdr *message, union control *control, const struct ck_endpoint *local) {
  struct cmsghdr *c = &control->align;
  message->msg_control = control;
  if (local->family == 4) {
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl((uint32_t)local->low)};
    message->msg_controllen = CMSG_SPACE(sizeof info);
    *c = (struct cmsghdr){
        .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof info)};
    memcpy(CMSG_DATA(c), &info, sizeof info);
  } else {
    struct in6_pktinfo info = {.ipi6_ifindex = local->scope};
    to_in6(&info.ipi6_addr, local);
    message->msg_controllen = CMSG_SPACE(sizeof info);
    *c = (struct cmsghdr){
        .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO, .cmsg_len = CMSG_LEN(sizeof info)};
    memcpy(CMSG_DATA(c), &info, sizeof info);
  }
}

int ck_send_batch(int socket, const uint8_t *buffer, const struct ck_departure *departures, unsigned count) {
  struct mmsghdr messages[CK_BATCH];
  struct iovec vectors[CK_BATCH];
  struct sockaddr_storage remotes[CK_BATCH];
  union control controls[CK_BATCH];
  if (count > CK_BATCH) count = CK_BATCH;
  for (unsigned i = 0; i < count; i++) {
    const struct ck_departure *d = &departures[i];
    vectors[i] = (struct iovec){.iov_base = (void *)(buffer + d->start), .iov_len = d->length};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &remotes[i],
                                          .msg_namelen = to_sockaddr(&d->remote, &remotes[i]),
                                          .msg_iov = &vectors[i],
                                          .msg_iovlen = 1};
    if (d->local.family) set_source(&messages[i].msg_hdr, &controls[i], &d->local);
  }
  int sent = sendmmsg(socket, messages, count, MSG_DONTWAIT);
  return sent < 0 ? -errno : sent;
}

static struct ck_socket_error reported(struct msghdr *message) {
  struct ck_socket_error error = {0};
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    int is_v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
    int is_v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
    if (!is_v4 && !is_v6) continue;
    struct {
      struct sock_extended_err error;
      struct sockaddr_in6 offender;
    } found = {0};
    size_t length = c->cmsg_len - CMSG_LEN(0);
    memcpy(&found, CMSG_DATA(c), length < sizeof found ? length : sizeof found);
    if (found.error.ee_origin == SO_EE_ORIGIN_ICMP) error.family = 4;
    if (found.error.ee_origin == SO_EE_ORIGIN_ICMP6) error.family = 6;
    error.type = found.error.ee_type;
    error.code = found.error.ee_code;
    error.offender = from_sockaddr((const struct sockaddr *)&found.offender);
  }
  return error;
}

int ck_receive_errors(int socket, uint8_t *buffer, size_t slot, struct ck_socket_error *errors, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    struct sockaddr_storage destination = {0};
    union {
      struct cmsghdr align;
      // Packet information of either family, then the error with its offender.
      char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                 CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6))];
    } control;
    struct iovec vector = {.iov_base = buffer + i * slot, .iov_len = slot};
    struct msghdr message = {.msg_name = &destination,
                             .msg_namelen = sizeof destination,
                             .msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t length = recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (length < 0) return i > 0 || errno == EAGAIN ? (int)i : -errno;
    errors[i] = reported(&message);
    errors[i].destination = from_sockaddr((const struct sockaddr *)&destination);
    errors[i].length = (uint32_t)length;
  }
  return (int)count;
}

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

int ck_tcp_listen(const struct ck_endpoint *address) {
  int s = open_socket(address, SOCK_STREAM), on = 1;
  if (s < 0) return s;
  struct sockaddr_storage name;
  socklen_t length = to_sockaddr(address, &name);
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
