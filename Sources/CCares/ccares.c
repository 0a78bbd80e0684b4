#include "CCares.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

struct ck_dns {
  ares_channel channel;
};

struct ck_question {
  ck_dns_done done;
  void *argument;
};

static int error_number(int status) {
  switch (status) {
    case ARES_SUCCESS: return 0;
    case ARES_ENOMEM: return ENOMEM;
    case ARES_EFILE: return EIO;
    default: return EINVAL;
  }
}

int ck_dns_server_count(void) {
  ares_channel channel;
  struct ares_addr_port_node *servers = NULL;
  int count = 0;
  if (ares_init(&channel) != ARES_SUCCESS) return 1;
  if (ares_get_servers_ports(channel, &servers) == ARES_SUCCESS) {
    for (struct ares_addr_port_node *server = servers; server; server = server->next) count++;
    ares_free_data(servers);
  }
  ares_destroy(channel);
  return count > 0 ? count : 1;
}

int ck_dns_open(struct ck_dns **channel, const char *servers, int milliseconds, ck_dns_watch watch, void *context) {
  struct ares_options options;
  memset(&options, 0, sizeof options);
  // Names are taken as they are: no search list, no aliases out of the environment.
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS;
  // What fits into one packet on every path; more comes over TCP.
  options.ednspsz = 1232;
  options.timeout = milliseconds;
  options.tries = 2;
  options.sock_state_cb = watch;
  options.sock_state_cb_data = context;
  const int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB
    | ARES_OPT_NOROTATE;
  struct ck_dns *made = malloc(sizeof *made);
  if (!made) return ENOMEM;
  int status = ares_library_init(ARES_LIB_INIT_ALL);
  if (status == ARES_SUCCESS) status = ares_init_options(&made->channel, &options, mask);
  if (status != ARES_SUCCESS) {
    free(made);
    return error_number(status);
  }
  if (servers) status = ares_set_servers_ports_csv(made->channel, servers);
  if (status != ARES_SUCCESS) {
    ck_dns_close(made);
    return error_number(status);
  }
  *channel = made;
  return 0;
}

void ck_dns_close(struct ck_dns *channel) {
  ares_destroy(channel->channel);
  free(channel);
}

static void finish(void *context, int status, int timeouts, unsigned char *reply, int length) {
  struct ck_question question = *(struct ck_question *)context;
  (void)status;
  (void)timeouts;
  free(context);
  // With a reply, whatever its code, the reply speaks for itself.
  question.done(question.argument, reply, reply && length > 0 ? length : 0);
}

void ck_dns_ask(struct ck_dns *channel, const char *name, int type, ck_dns_done done, void *argument) {
  struct ck_question *question = malloc(sizeof *question);
  if (!question) {
    done(argument, NULL, 0);
    return;
  }
  question->done = done;
  question->argument = argument;
  ares_query(channel->channel, name, 1, type, finish, question);
}

void ck_dns_process(struct ck_dns *channel, int readable, int writable) {
  ares_process_fd(channel->channel, readable < 0 ? ARES_SOCKET_BAD : readable, writable < 0 ? ARES_SOCKET_BAD : writable);
}

int64_t ck_dns_wait(struct ck_dns *channel) {
  struct timeval wait;
  if (!ares_timeout(channel->channel, NULL, &wait)) return -1;
  return (int64_t)wait.tv_sec * 1000000 + wait.tv_usec;
}
