/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/key_answer.h"

static const struct {
    const char *word, *key, *password;
} answers[KEY_ANSWERS] = {
    [KEY_OK] = {"ok", "", ""},
    [KEY_MALFORMED] = {"malformed", "the API key is not well-formed",
                       "the user and password are not well-formed"},
    [KEY_REPEATED] = {"repeated", "the request carries more than one API key",
                      "the request carries more than one Authorization"},
    [KEY_UNKNOWN] = {"unknown", "the API key is not valid", "the user or password is not valid"},
    [KEY_WRONG] = {"wrong", "the API key is not valid", "the user or password is not valid"},
    [KEY_EXPIRED] = {"expired", "the API key has expired", ""},
    [KEY_DISABLED] = {"disabled", "the API key is disabled", ""},
    [KEY_UNHEARD] = {"unheard", "the API keys are not known yet", "the users are not known yet"},
    [KEY_BUSY] = {"busy", "", "too many passwords are being checked"},
    [KEY_MEMORY] = {"memory", "memory is out", "memory is out"},
};

const char *key_answer_word(enum key_answer a)
{
    return answers[a].word;
}

const char *key_answer_text(enum key_answer a)
{
    return answers[a].key;
}

const char *password_answer_text(enum key_answer a)
{
    return answers[a].password;
}
