// What concerns the process and not its sockets.
#include "shims.h"

#include <errno.h>
#include <limits.h>
#include <sys/random.h>
#include <sys/resource.h>

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
