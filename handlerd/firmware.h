/*
 * What tells one model of firmware from another, whichever machine it is in: what its DISCOVERs are
 * made of.  Pure.
 *
 * Two machines of a model send the same options 55, 60, 93 and 94, the same form of option 97, and
 * have adapters of one maker.  A key is a hash of these; it is the same on every host.
 */
#ifndef HANDLERD_FIRMWARE_H
#define HANDLERD_FIRMWARE_H

#include "common/msg.h"

#include <jansson.h>

#define FIRMWARE_TEXT_MAX 255 /* bytes of an option */

/* Slices point into the request that it was read from. */
struct firmware {
	uint16_t arch;
	uint32_t ndi; /* as in struct boot_request */
	bool has_adapter;
	uint8_t adapter[3];      /* the maker's part of the MAC */
	struct slice class;      /* option 60 */
	struct slice param_list; /* option 55 */
};

void firmware_of_request(const struct boot_request *r, struct firmware *ret);
/* True for UEFI HTTP Boot, by option 60. */
bool firmware_is_http(const struct firmware *f);
/* Never 0. */
uint64_t firmware_key(const struct firmware *f);

/* A key as people write it: 16 hexadecimal digits. */
#define FIRMWARE_KEY_STRLEN 17
const char *firmware_key_format(uint64_t key, char buf[static FIRMWARE_KEY_STRLEN]);

/* "x64 UEFI by PXE, UNDI 3.16, adapters 00:23:24, 36 options asked for". */
#define FIRMWARE_WORDS_MAX 160
const char *firmware_words(const struct firmware *f, char buf[static FIRMWARE_WORDS_MAX]);

/*
 * As JSON and back: {"class": "...", "arch": 7, "ndi": "1.3.16", "uuid": "given", "options":
 * "0103...", "adapter": "00:23:24"}.  What does not print of a class is written as 0x and digits,
 * like the identifiers of option 82.
 */
json_t *firmware_dump(const struct firmware *f);

/* Where a parsed one's slices point to. */
struct firmware_room {
	uint8_t class[FIRMWARE_TEXT_MAX], param_list[FIRMWARE_TEXT_MAX];
};
/* 0, or -EINVAL with the wrong key in *ret_key and what is wrong with it in *ret_what. */
int firmware_parse(const json_t *o, struct firmware_room *room, struct firmware *ret,
    const char **ret_key, const char **ret_what);

#endif
