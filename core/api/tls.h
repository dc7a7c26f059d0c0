/* tls.h - the certificate and key that the server shows. Private to this room. */
#ifndef LOCKSTEP_API_TLS_H
#define LOCKSTEP_API_TLS_H

#include "base/buf.h"
#include "base/err.h"

struct tls {
    struct buf certificate, key; /* PEM */
};

/* Reads and checks the files. LKS_E_CONFIG: the message names the file and what is wrong with it. To be
 * freed by tls_fini() in any case. */
enum lks_code tls_load(const char *certificate_path, const char *key_path, struct tls *tls,
                       struct lks_err *err);
void tls_fini(struct tls *tls);

#endif
