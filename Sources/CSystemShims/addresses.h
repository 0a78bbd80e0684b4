// Between the addresses of the system and ours; for the files of this target alone.
#pragma once
#include "shims.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static inline uint64_t load64(const uint8_t *bytes) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value = value << 8 | bytes[i];
  return value;
}

static inline void store64(uint8_t *bytes, uint64_t value) {
  for (int i = 7; i >= 0; i--, value >>= 8) bytes[i] = (uint8_t)value;
}

static inline void from_in6(struct ck_endpoint *to, const struct in6_addr *ip) {
  to->family = 6;
  to->high = load64(ip->s6_addr);
  to->low = load64(ip->s6_addr + 8);
}

static inline void to_in6(struct in6_addr *to, const struct ck_endpoint *from) {
  store64(to->s6_addr, from->high);
  store64(to->s6_addr + 8, from->low);
}

static inline struct ck_endpoint from_sockaddr(const struct sockaddr *from) {
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

static inline socklen_t to_sockaddr(const struct ck_endpoint *from, struct sockaddr_storage *to) {
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
