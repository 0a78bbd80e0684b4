#include "authority.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

static int add_extension(X509 *certificate, int kind, const char *value) {
  if (!value) return 1;
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
  int added = extension && X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return added;
}

static int fill(X509 *certificate, EVP_PKEY *key, const struct test_certificate *wanted, X509 *issuer) {
  uint64_t serial = 0;
  X509_NAME *subject = X509_get_subject_name(certificate);
  return RAND_bytes((unsigned char *)&serial, 7) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial + 1) &&
         X509_set_version(certificate, X509_VERSION_3) &&
         X509_gmtime_adj(X509_getm_notBefore(certificate), wanted->valid_from) &&
         X509_gmtime_adj(X509_getm_notAfter(certificate), wanted->valid_until) &&
         (!wanted->common_name ||
          X509_NAME_add_entry_by_NID(
              subject, NID_commonName, MBSTRING_UTF8, (const unsigned char *)wanted->common_name, -1, -1, 0)) &&
         X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject) &&
         X509_set_pubkey(certificate, key) &&
         add_extension(certificate, NID_basic_constraints, wanted->is_authority ? "critical,CA:TRUE" : NULL) &&
         add_extension(certificate, NID_subject_alt_name, wanted->alternative_names) &&
         add_extension(certificate, NID_ext_key_usage, wanted->usages);
}

// What was written into a memory file, as a string of the caller's; the file is freed.
static char *text_of(BIO *file) {
  char *found = NULL;
  long length = BIO_get_mem_data(file, &found);
  char *text = length > 0 ? strndup(found, (size_t)length) : NULL;
  BIO_free(file);
  return text;
}

static char *in_pem(X509 *certificate, EVP_PKEY *key) {
  BIO *file = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(file, certificate);
  PEM_write_bio_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
  return text_of(file);
}

char *test_lock(const char *key, const char *password) {
  BIO *file = BIO_new_mem_buf(key, -1), *locked = BIO_new(BIO_s_mem());
  EVP_PKEY *read = PEM_read_bio_PrivateKey(file, NULL, NULL, NULL);
  BIO_free(file);
  PEM_write_bio_PKCS8PrivateKey(locked, read, EVP_aes_128_cbc(), password, (int)strlen(password), NULL, NULL);
  EVP_PKEY_free(read);
  return text_of(locked);
}

char *test_issue(const struct test_certificate *wanted, const char *issuer) {
  X509 *parent = NULL, *certificate = X509_new();
  EVP_PKEY *parent_key = NULL, *key = EVP_EC_gen("P-256");
  char *text = NULL;
  if (issuer) {
    BIO *file = BIO_new_mem_buf(issuer, -1);
    parent = PEM_read_bio_X509(file, NULL, NULL, NULL);
    parent_key = PEM_read_bio_PrivateKey(file, NULL, NULL, NULL);
    BIO_free(file);
  }
  if (certificate && key && (!issuer || (parent && parent_key)) && fill(certificate, key, wanted, parent) &&
      X509_sign(certificate, issuer ? parent_key : key, EVP_sha256()))
    text = in_pem(certificate, key);
  X509_free(parent);
  X509_free(certificate);
  EVP_PKEY_free(parent_key);
  EVP_PKEY_free(key);
  return text;
}
