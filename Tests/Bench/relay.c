// The kernel's floor: passes datagrams on between two ports of this host and looks at none of them.
//
//     relay PORT CALLEE-PORT
//
// What comes from CALLEE-PORT goes to the last other sender; everything else goes to CALLEE-PORT. A proxy on one UDP
// socket receives and sends the same datagrams, so it cannot cost less. One call receives a batch, one sends it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, LONGEST = 8192 };

static char bytes[BATCH][LONGEST];
static struct sockaddr_in senders[BATCH];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

static struct sockaddr_in local(const char *port) {
  return (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi(port)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int open_port(const struct sockaddr_in *address) {
  int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 8 << 20;
  if (s < 0) return -1;
  if (setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
    setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  return bind(s, (const struct sockaddr *)address, sizeof *address) ? -1 : s;
}

static int receive(int s) {
  for (int i = 0; i < BATCH; i++) {
    vectors[i] = (struct iovec){.iov_base = bytes[i], .iov_len = LONGEST};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &senders[i],
                                          .msg_namelen = sizeof senders[i],
                                          .msg_iov = &vectors[i],
                                          .msg_iovlen = 1};
  }
  // Waits for the first datagram only.
  return recvmmsg(s, messages, BATCH, MSG_WAITFORONE, NULL);
}

static void send_on(int s, int count) {
  for (int next = 0; next < count;) {
    int sent = sendmmsg(s, messages + next, (unsigned)(count - next), 0);
    // A datagram that is refused is lost, as on any network.
    next += sent > 0 ? sent : 1;
  }
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: relay PORT CALLEE-PORT\n");
    return 64;
  }
  struct sockaddr_in own = local(argv[1]), callee = local(argv[2]), caller = callee;
  int s = open_port(&own);
  if (s < 0) {
    fprintf(stderr, "relay: cannot bind udp:127.0.0.1:%s: %s\n", argv[1], strerror(errno));
    return 73;
  }
  for (;;) {
    int count = receive(s);
    for (int i = 0; i < count; i++) {
      int is_answer = senders[i].sin_port == callee.sin_port;
      if (!is_answer) caller = senders[i];
      senders[i] = is_answer ? caller : callee;
      vectors[i].iov_len = messages[i].msg_len;
    }
    send_on(s, count);
  }
}
