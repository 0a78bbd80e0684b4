// libevent's own headers define _GNU_SOURCE. These four come first, so that every module that
// sees fd_set sees one shape of it.
#include <sys/types.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
