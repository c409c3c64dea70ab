/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* key_answer.h - what was found out about an API key, or a user and password.
 *
 * Each has a word, for metrics, and a text, for the client. Who tries out keys is not to learn
 * whether it was the id that was wrong or the secret: these two have the same text. */

enum key_answer {
    KEY_OK,
    KEY_MALFORMED, /* by its form it cannot be right */
    KEY_REPEATED,  /* the request carries more than one */
    KEY_UNKNOWN,   /* no such key, no such user */
    KEY_WRONG,     /* another secret, another password */
    KEY_EXPIRED,
    KEY_DISABLED,
    KEY_UNHEARD, /* the store was never read */
    KEY_BUSY,    /* too many passwords are being checked */
    KEY_MEMORY,
    KEY_ANSWERS
};

const char *key_answer_word(enum key_answer a);
/* Static. Of an API key; of a user with password. */
const char *key_answer_text(enum key_answer a);
const char *password_answer_text(enum key_answer a);
