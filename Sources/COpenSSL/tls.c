#define _GNU_SOURCE
#include "tls.h"

#include <dirent.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// id-kp-sipDomain of RFC 5924: a certificate for SIP domains, whichever side shows it.
#define SIP_DOMAIN "1.3.6.1.5.5.7.3.20"

static int is_for_sip_domains(X509 *certificate) {
  EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
  int found = 0;
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++) {
    char text[sizeof SIP_DOMAIN + 1];
    OBJ_obj2txt(text, sizeof text, sk_ASN1_OBJECT_value(usages, i), 1);
    found |= strcmp(text, SIP_DOMAIN) == 0;
  }
  EXTENDED_KEY_USAGE_free(usages);
  return found;
}

// OpenSSL asks for the usages of web servers and their clients (RFC 5280 section 4.2.1.12). One more will do.
static int verify(int is_fine, X509_STORE_CTX *path) {
  if (is_fine || X509_STORE_CTX_get_error_depth(path) != 0 ||
      X509_STORE_CTX_get_error(path) != X509_V_ERR_INVALID_PURPOSE)
    return is_fine;
  X509 *certificate = X509_STORE_CTX_get_current_cert(path);
  if (!(X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE) || !is_for_sip_domains(certificate)) return 0;
  X509_STORE_CTX_set_error(path, X509_V_OK);
  return 1;
}

SSL_CTX *ck_tls_new(int is_server) {
  static const unsigned char session_context[] = "callkeeper";
  SSL_CTX *settings = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
  if (!settings) return NULL;
  SSL_CTX_set_options(
      settings, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Moving: libevent may reallocate what it has not written yet. Released: an idle connection has no buffers.
  SSL_CTX_set_mode(settings, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(settings, SSL_VERIFY_PEER, verify);
  // Tickets let a client resume; nothing is kept here for it. Without a context of its own, a session of
  // a client with a certificate could not be resumed and its handshake would fail.
  SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_OFF);
  if (SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION) &&
      SSL_CTX_set_max_proto_version(settings, TLS1_3_VERSION) &&
      SSL_CTX_set_cipher_list(settings, "ECDHE+AESGCM:ECDHE+CHACHA20") &&
      SSL_CTX_set_session_id_context(settings, session_context, sizeof session_context))
    return settings;
  SSL_CTX_free(settings);
  return NULL;
}

void ck_tls_free(SSL_CTX *settings) { SSL_CTX_free(settings); }

void ck_tls_require_client_certificate(SSL_CTX *settings) {
  SSL_CTX_set_verify(settings, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify);
}

// Nobody is at a terminal to be asked; `asked` notes that somebody would have been.
static int no_password(char *buffer, int size, int writing, void *asked) {
  (void)buffer, (void)size, (void)writing;
  *(int *)asked = 1;
  return -1;
}

// The next certificate of a file; NULL at its end, and with a reason left when one cannot be read.
static X509 *next_certificate(BIO *file) {
  int asked = 0;
  ERR_clear_error();
  X509 *certificate = PEM_read_bio_X509(file, NULL, no_password, &asked);
  if (!certificate && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) ERR_clear_error();
  return certificate;
}

static enum ck_tls_result at_end(int count) {
  if (ERR_peek_last_error()) return CK_TLS_REFUSED;
  return count ? CK_TLS_FINE : CK_TLS_NOTHING_IN_IT;
}

enum ck_tls_result ck_tls_use_certificates(SSL_CTX *settings, const uint8_t *pem, size_t length) {
  BIO *file = BIO_new_mem_buf(pem, (int)length);
  X509 *certificate;
  int count = 0, taken = 1;
  for (; file && taken && (certificate = next_certificate(file)); count++) {
    taken = count ? SSL_CTX_add1_chain_cert(settings, certificate) == 1
                  : SSL_CTX_use_certificate(settings, certificate) == 1;
    X509_free(certificate);
  }
  BIO_free(file);
  return taken ? at_end(count) : CK_TLS_REFUSED;
}

enum ck_tls_result ck_tls_use_key(SSL_CTX *settings, const uint8_t *pem, size_t length) {
  BIO *file = BIO_new_mem_buf(pem, (int)length);
  int asked = 0;
  ERR_clear_error();
  EVP_PKEY *key = file ? PEM_read_bio_PrivateKey(file, NULL, no_password, &asked) : NULL;
  enum ck_tls_result result = CK_TLS_FINE;
  if (asked)
    result = CK_TLS_NEEDS_PASSWORD;
  else if (!key)
    // The decoders of OpenSSL 3 leave various reasons for a file without any key.
    result = CK_TLS_NOTHING_IN_IT;
  else if (X509_check_private_key(SSL_CTX_get0_certificate(settings), key) != 1)
    result = CK_TLS_NO_MATCH;
  else if (SSL_CTX_use_PrivateKey(settings, key) != 1)
    result = CK_TLS_REFUSED;
  EVP_PKEY_free(key);
  BIO_free(file);
  return result;
}

enum ck_tls_result ck_tls_trust(SSL_CTX *settings, const uint8_t *pem, size_t length) {
  BIO *file = BIO_new_mem_buf(pem, (int)length);
  X509 *certificate;
  int count = 0, taken = 1;
  for (; file && taken && (certificate = next_certificate(file)); count++) {
    taken = X509_STORE_add_cert(SSL_CTX_get_cert_store(settings), certificate) == 1 &&
            SSL_CTX_add_client_CA(settings, certificate) == 1;
    X509_free(certificate);
  }
  BIO_free(file);
  return taken ? at_end(count) : CK_TLS_REFUSED;
}

enum ck_tls_result ck_tls_trust_system(SSL_CTX *settings) {
  return SSL_CTX_set_default_verify_paths(settings) == 1 ? CK_TLS_FINE : CK_TLS_REFUSED;
}

static const char *place(const char *variable, const char *otherwise) {
  const char *set = secure_getenv(variable);
  return set ? set : otherwise;
}

// Whether a list of folders, with colons between them, has one that is not empty.
static int is_anything_in(const char *folders) {
  int found = 0;
  char *list = strdup(folders), *rest = list, *folder;
  while (!found && list && (folder = strsep(&rest, ":"))) {
    DIR *open = opendir(folder);
    for (struct dirent *entry; open && !found && (entry = readdir(open));) found = entry->d_name[0] != '.';
    if (open) closedir(open);
  }
  free(list);
  return found;
}

int ck_tls_system_trusts_somebody(void) {
  return access(place(X509_get_default_cert_file_env(), X509_get_default_cert_file()), R_OK) == 0 ||
         is_anything_in(place(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()));
}

const char *ck_tls_reason(void) {
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason ? reason : "no reason given";
}

static struct bufferevent *connection(SSL *ssl, struct event_base *base, int socket, int state) {
  // On failure it frees ssl itself.
  struct bufferevent *made =
      bufferevent_openssl_socket_new(base, socket, ssl, state, BEV_OPT_CLOSE_ON_FREE);
  // A peer that closes without saying goodbye has closed: SIP's framing shows whether anything is missing.
  if (made) bufferevent_openssl_set_allow_dirty_shutdown(made, 1);
  return made;
}

struct bufferevent *ck_tls_accept(SSL_CTX *settings, struct event_base *base, int socket) {
  SSL *ssl = SSL_new(settings);
  return ssl ? connection(ssl, base, socket, BUFFEREVENT_SSL_ACCEPTING) : NULL;
}

struct bufferevent *ck_tls_connect(SSL_CTX *settings, struct event_base *base, int socket, const char *name) {
  SSL *ssl = SSL_new(settings);
  if (!ssl) return NULL;
  if (name && !SSL_set_tlsext_host_name(ssl, name)) {
    SSL_free(ssl);
    return NULL;
  }
  return connection(ssl, base, socket, BUFFEREVENT_SSL_CONNECTING);
}

void ck_tls_farewell(struct bufferevent *connection) {
  SSL *ssl = bufferevent_openssl_get_ssl(connection);
  // Unfinished is also one that failed: nothing can be said over it.
  if (!ssl || !SSL_is_init_finished(ssl)) return;
  SSL_shutdown(ssl);
  ERR_clear_error();
}

const char *ck_tls_failure(struct bufferevent *connection) {
  SSL *ssl = bufferevent_openssl_get_ssl(connection);
  long verdict = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
  if (verdict != X509_V_OK) return X509_verify_cert_error_string(verdict);
  return ERR_reason_error_string(bufferevent_get_openssl_error(connection));
}

static void hand_over(const ASN1_STRING *text, enum ck_name_kind kind, ck_name_receiver receiver, void *context) {
  receiver(context, kind, ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

static void hand_over_names(X509 *certificate, ck_name_receiver receiver, void *context) {
  int critical = -1;
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
  // -1: there is no such extension. One that cannot be read is there all the same, with nothing we know.
  if (critical != -1 && !sk_GENERAL_NAME_num(names)) receiver(context, CK_NAME_OTHER, NULL, 0);
  for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    switch (name->type) {
      case GEN_URI: hand_over(name->d.uniformResourceIdentifier, CK_NAME_URI, receiver, context); break;
      case GEN_DNS: hand_over(name->d.dNSName, CK_NAME_DNS, receiver, context); break;
      case GEN_IPADD: hand_over(name->d.iPAddress, CK_NAME_ADDRESS, receiver, context); break;
      default: receiver(context, CK_NAME_OTHER, NULL, 0);
    }
  }
  GENERAL_NAMES_free(names);

  const X509_NAME *subject = X509_get_subject_name(certificate);
  for (int i = -1; (i = X509_NAME_get_index_by_NID(subject, NID_commonName, i)) >= 0;) {
    unsigned char *text = NULL;
    int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
    if (length < 0) continue;
    receiver(context, CK_NAME_COMMON, text, (size_t)length);
    OPENSSL_free(text);
  }
  ERR_clear_error();
}

int ck_tls_peer_names(struct bufferevent *connection, ck_name_receiver receiver, void *context) {
  SSL *ssl = bufferevent_openssl_get_ssl(connection);
  X509 *certificate = ssl && SSL_is_init_finished(ssl) ? SSL_get0_peer_certificate(ssl) : NULL;
  if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK) return 0;
  hand_over_names(certificate, receiver, context);
  return 1;
}

int ck_tls_own_names(SSL_CTX *settings, ck_name_receiver receiver, void *context) {
  X509 *certificate = SSL_CTX_get0_certificate(settings);
  if (!certificate) return 0;
  hand_over_names(certificate, receiver, context);
  return 1;
}
