// What callkeeper uses of c-ares, in plain types.
//
// The library's own header stays out of sight: it would make another copy of struct timeval and fd_set known to Swift
// beside those of libevent.

#ifndef CALLKEEPER_CCARES_H
#define CALLKEEPER_CCARES_H

#include <stdint.h>

// A channel: questions that are open, and the sockets and times that go with them. Used by one thread.
struct ck_dns;

// Called when a socket is to be watched differently: neither readable nor writable before it is closed.
typedef void (*ck_dns_watch)(void *context, int socket, int readable, int writable);

// Called exactly once for each question, perhaps within ck_dns_ask. Without a reply length is zero.
typedef void (*ck_dns_done)(void *argument, const uint8_t *reply, int length);

// How many servers the system is configured for; 1 when that cannot be read.
int ck_dns_server_count(void);

// Opens a channel to servers written as "ADDRESS:PORT,[ADDRESS]:PORT", or to those of the system when null. Each is asked
// twice: the first time for so many milliseconds, the second time for twice as long. Returns 0 or an errno.
int ck_dns_open(struct ck_dns **channel, const char *servers, int milliseconds, ck_dns_watch watch, void *context);

// Ends every open question and closes the channel.
void ck_dns_close(struct ck_dns *channel);

// Asks for the records of one type at one name, in class IN.
void ck_dns_ask(struct ck_dns *channel, const char *name, int type, ck_dns_done done, void *argument);

// Reads from one socket, writes to another, -1 for none; then repeats and gives up what is due.
void ck_dns_process(struct ck_dns *channel, int readable, int writable);

// Microseconds until ck_dns_process has something to repeat or give up; -1 when no question is open.
int64_t ck_dns_wait(struct ck_dns *channel);

#endif
