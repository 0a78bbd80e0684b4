// What only the load generator asks of the system.
#define _GNU_SOURCE
#include "shims.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

int ck_ticker_open(uint64_t nanoseconds) {
  int descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (descriptor < 0) return -errno;
  struct timespec beat = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)};
  struct itimerspec rhythm = {.it_interval = beat, .it_value = beat};
  if (timerfd_settime(descriptor, 0, &rhythm, NULL)) {
    int failed = errno;
    close(descriptor);
    return -failed;
  }
  return descriptor;
}

int ck_receive_drops(int socket) {
  uint32_t values[SK_MEMINFO_VARS] = {0};
  socklen_t length = sizeof values;
  if (getsockopt(socket, SOL_SOCKET, SO_MEMINFO, values, &length)) return -errno;
  return (int)values[SK_MEMINFO_DROPS];
}
