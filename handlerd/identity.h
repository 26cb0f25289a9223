/*
 * What a client says about who it is, and how much each word of it is worth: adapters that go from
 * machine to machine, UUIDs and serial numbers that makers left at their defaults.  Pure.
 */
#ifndef HANDLERD_IDENTITY_H
#define HANDLERD_IDENTITY_H

#include "common/config.h"
#include "common/ident.h"
#include "common/msg.h"

/* Texts that identify are cut here; SMBIOS strings are rarely longer than 64. */
#define IDENTITY_TEXT_MAX 128

/* A claim.  Empty members were not said; slices belong to whoever made it. */
struct identity {
	struct macaddr mac;
	bool has_uuid;
	struct uuid uuid;
	struct slice serial, asset, manufacturer, product;
	/* the switch port: relay agent, its remote-id and circuit-id (RFC 3046) */
	struct ipaddr relay;
	struct slice remote, circuit;
};

enum identifier {
	IDENTIFIER_MAC,
	IDENTIFIER_UUID,
	IDENTIFIER_SERIAL,
	IDENTIFIER_ASSET,
	/* these only add to or take from what the ones above say */
	IDENTIFIER_MODEL, /* manufacturer and product */
	IDENTIFIER_PORT,  /* of the switch */
	IDENTIFIERS,
};

const char *identifier_name(enum identifier v);

/* The text without blanks and controls around it, at most IDENTITY_TEXT_MAX of it. */
struct slice identity_text(struct slice s);
/* What a request says, by views into it; texts are cut to IDENTITY_TEXT_MAX, blanks trimmed. */
void identity_from_request(const struct boot_request *r, struct identity *ret);

/*
 * What a site knows of identifiers that do not identify, beside the built-in lists.  Any spelling;
 * what cannot be read is left out (identity_check_...() tells when the configuration is read).
 */
struct identity_lists {
	/* hardware addresses of shared adapters (USB, docks): whole, or the beginning and a '*':
	 * "00:e0:4c:*" */
	struct config_strings shared_adapters;
	struct config_strings bad_uuids;
	struct config_strings bad_serials; /* and asset tags; compared without case */
};

/* 0, or -EINVAL: for the check of the configuration. */
int identity_check_adapter(const char *pattern);

/* True if the hardware address may be of another machine tomorrow. */
bool identity_mac_is_shared(const struct identity_lists *lists, const struct macaddr *mac);
/* True for UUIDs that many machines have: all zero, all ones, makers' defaults (either order). */
bool identity_uuid_is_bad(const struct identity_lists *lists, const struct uuid *uuid);
/*
 * True for serial numbers and asset tags that say nothing: shorter than 3 characters, one
 * character repeated, "To be filled by O.E.M." and the like.
 */
bool identity_text_is_bad(const struct identity_lists *lists, struct slice text);

/* The UUID with its first three fields in the other byte order. */
struct uuid uuid_swapped(const struct uuid *u);

#endif
