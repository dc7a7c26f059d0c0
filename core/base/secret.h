/* secret.h - keeps credentials out of texts that come from elsewhere: servers repeat what they were shown,
 * whole or in part. */
#ifndef LOCKSTEP_BASE_SECRET_H
#define LOCKSTEP_BASE_SECRET_H

/*
 * Replaces in `text`, in place, what is `secret` or a part of it by `***`: the whole secret, any six
 * characters in a row of it, and three where the rest was masked or cut off (`sk-ab****wxyz`). NULL or ""
 * hides nothing.
 */
void secret_hide(char *text, const char *secret);

/* The same for the password in `url` (`http://user:password@host`): as it stands there, percent-decoded, and
 * as the header `Authorization: Basic` carries it with the user's name. */
void secret_hide_url(char *text, const char *url);

#endif
