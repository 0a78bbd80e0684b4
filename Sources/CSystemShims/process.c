// What concerns the process and not its sockets.
#include "shims.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

int ck_allow_descriptors(int wanted) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) return -errno;
  if (limit.rlim_cur < (rlim_t)wanted) {
    struct rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max < (rlim_t)wanted ? limit.rlim_max : (rlim_t)wanted;
    if (!setrlimit(RLIMIT_NOFILE, &raised)) limit = raised;
  }
  return limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur : INT_MAX;
}

int ck_random(void *bytes, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t got = getrandom((char *)bytes + done, count - done, 0);
    if (got < 0 && errno != EINTR) return -errno;
    if (got > 0) done += (size_t)got;
  }
  return 0;
}

int ck_event_open(void) {
  int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return event < 0 ? -errno : event;
}

// The count is of no interest, and cannot come near its end.
void ck_event_signal(int event) {
  uint64_t one = 1;
  while (write(event, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

int ck_thread_start(void *(*body)(void *), void *context, unsigned long *thread) {
  sigset_t all, before;
  pthread_t started;
  sigfillset(&all);
  // What the thread does to itself is for it to hear.
  const int own[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
  for (unsigned i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&all, own[i]);
  // A thread begins with the mask of the one that makes it.
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = pthread_create(&started, NULL, body, context);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!failed) *thread = started;
  return -failed;
}

void ck_thread_join(unsigned long thread) { pthread_join(thread, NULL); }
