#define _GNU_SOURCE
#include "addresses.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <stdlib.h>
#include <string.h>

// Room for either family's packet information, aligned as the kernel wants it.
union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

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
