// The part of OpenSSL that callkeeper uses, with libevent's bufferevents over it. OpenSSL's own headers
// are mostly macros, which Swift does not see; here are plain functions over types nobody looks into.
//
// No header of libevent's or OpenSSL's is included: the names below are theirs, so that their pointers
// pass through Swift as they are. No function keeps a pointer after it returned, save where its comment
// says so.
#ifndef CALLKEEPER_TLS_H
#define CALLKEEPER_TLS_H

#include <stddef.h>
#include <stdint.h>

struct bufferevent;
struct event_base;
struct ssl_ctx_st;

/// What can be wrong with a file; CK_TLS_REFUSED has OpenSSL's words in `ck_tls_reason`.
enum ck_tls_result {
  CK_TLS_FINE,
  CK_TLS_NOTHING_IN_IT,
  CK_TLS_NEEDS_PASSWORD,
  CK_TLS_NO_MATCH,
  CK_TLS_REFUSED,
};

/// Settings for one side of connections: TLS 1.2 and 1.3, no compression, no renegotiation. The peer's
/// certificate is always verified when there is one; as a client the peer must have one. NULL when out of
/// memory. The caller frees it; connections made from it keep what they need.
struct ssl_ctx_st *ck_tls_new(int is_server);

/// Gives up the caller's hold on settings.
void ck_tls_free(struct ssl_ctx_st *settings);

/// Makes clients without a certificate unwelcome.
void ck_tls_require_client_certificate(struct ssl_ctx_st *settings);

/// Our certificate, then the chain above it, in PEM.
enum ck_tls_result ck_tls_use_certificates(struct ssl_ctx_st *settings, const uint8_t *pem, size_t length);

/// The key of our certificate, in PEM without a password; comes after the certificate.
enum ck_tls_result ck_tls_use_key(struct ssl_ctx_st *settings, const uint8_t *pem, size_t length);

/// Certificates in PEM that paths may end at. A server also names them to its clients.
enum ck_tls_result ck_tls_trust(struct ssl_ctx_st *settings, const uint8_t *pem, size_t length);

/// Trusts what the system trusts.
enum ck_tls_result ck_tls_trust_system(struct ssl_ctx_st *settings);

/// Whether there is anything where `ck_tls_trust_system` looks for certificates.
int ck_tls_system_trusts_somebody(void);

/// Why OpenSSL refused last on this thread, for people; never NULL, lives for ever.
const char *ck_tls_reason(void);

/// A connection over a connected socket whose peer speaks first. NULL when out of memory; the socket then
/// stays the caller's, else it closes with the bufferevent.
struct bufferevent *ck_tls_accept(struct ssl_ctx_st *settings, struct event_base *base, int socket);

/// A connection over a socket that is connected or connecting, or -1 when it will be set later. `name` goes
/// into the server name indication, unless it is NULL. Otherwise like `ck_tls_accept`.
struct bufferevent *ck_tls_connect(
    struct ssl_ctx_st *settings, struct event_base *base, int socket, const char *name);

/// Says goodbye (close_notify) if the handshake was done. To be called just before the connection is freed.
void ck_tls_farewell(struct bufferevent *connection);

/// Why a connection failed, for people; NULL when TLS is not the reason. Lives for ever.
const char *ck_tls_failure(struct bufferevent *connection);

/// What kind of name stands in a certificate. CK_NAME_OTHER has no bytes.
enum ck_name_kind { CK_NAME_URI, CK_NAME_DNS, CK_NAME_ADDRESS, CK_NAME_OTHER, CK_NAME_COMMON };

/// Gets one name of a certificate; the bytes are gone when it returns.
typedef void (*ck_name_receiver)(void *context, enum ck_name_kind kind, const uint8_t *bytes, size_t length);

/// Calls `receiver` for every subjectAltName, then for every common name, of the certificate that the peer
/// proved its own. Returns 0 without calling when the peer has no certificate or it was not verified.
int ck_tls_peer_names(struct bufferevent *connection, ck_name_receiver receiver, void *context);

/// The same for our own certificate. Returns 0 when there is none.
int ck_tls_own_names(struct ssl_ctx_st *settings, ck_name_receiver receiver, void *context);

#endif
