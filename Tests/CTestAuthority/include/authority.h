// Certificates for the tests, made when they run: nothing private is kept in the repository.
#ifndef CALLKEEPER_TEST_AUTHORITY_H
#define CALLKEEPER_TEST_AUTHORITY_H

/// What a certificate says. NULL leaves a part out.
struct test_certificate {
  const char *common_name;
  /// subjectAltName and extendedKeyUsage as OpenSSL's configuration files write them.
  const char *alternative_names;
  const char *usages;
  int is_authority;
  /// When it is valid, in seconds from now.
  int valid_from;
  int valid_until;
};

/// Makes a key and its certificate. `issuer` is what an earlier call returned, or NULL for a certificate that
/// signs itself. Returns certificate and key in PEM, one behind the other, for the caller to free; NULL when
/// OpenSSL refuses.
char *test_issue(const struct test_certificate *wanted, const char *issuer);

/// Encrypts a key in PEM with a password. Returns it in PEM for the caller to free, or NULL.
char *test_lock(const char *key, const char *password);

#endif
