/*
 * What the web service's parts share: the features that can be switched on, what the site wants
 * when there is no answer, and answers as the dialects' codecs give them.  Pure.
 */
#ifndef HANDLERD_WS_H
#define HANDLERD_WS_H

#include "common/verdict.h"

/* In the order of ws_features. */
enum ws_feature {
	WS_BOOT_REQUEST,
	WS_REPORT_CONFIGURATION,
	WS_REPORT_DOWNLOAD_START,
	WS_REPORT_DOWNLOAD_COMPLETE,
	WS_REPORT_BOOT,
	WS_WINPE_START,
	WS_EXTRA_FILE,
	WS_WINPESHL,
	WS_CONFIG,
	WS_WINPE_END,
	WS_FEATURES,
};

enum ws_kind {
	WS_DECISION, /* answered by a verdict */
	WS_CONTENT,  /* answered by something for WinPE */
	WS_REPORT,   /* told, not asked */
};

struct ws_feature_info {
	const char *name;      /* in the configuration, and "type" of a body */
	const char *path;      /* behind the service's URL */
	const char *name_2pxe; /* what 2PXE calls it */
	enum ws_kind kind;
	const char *file; /* WS_CONTENT: the name below the content root that stands for it */
};

extern const struct ws_feature_info ws_features[WS_FEATURES];

/* The one whose file a path is (in any case), or WS_FEATURES. */
enum ws_feature ws_feature_of_file(struct slice path);

/* What the site wants done when a question has no answer. */
enum ws_fallback {
	WS_LOCAL, /* handlerd decides as if nobody had been asked; nothing is added to WinPE */
	WS_DENY,  /* the machine may not go on */
	WS_WAIT,  /* the client asks again until there is an answer */
	WS_FALLBACKS,
};

enum ws_dialect {
	WS_BOOTFERRY,
	WS_PIXIECORE,
	WS_DIALECTS,
};

/* What a pixiecore service means by "no such machine". */
enum ws_not_found {
	WS_NOT_FOUND_LOCAL, /* leave network boot */
	WS_NOT_FOUND_NONE,  /* no opinion */
	WS_NOT_FOUND_DENY,
	WS_NOT_FOUNDS,
};

/* Ended by NULL, for the configuration. */
extern const char *const ws_fallback_names[WS_FALLBACKS + 1];
extern const char *const ws_dialect_names[WS_DIALECTS + 1];
extern const char *const ws_not_found_names[WS_NOT_FOUNDS + 1];

#define WS_CARRY_MAX      24    /* pairs */
#define WS_CARRY_NAME_MAX 32    /* bytes */
#define WS_CARRY_MAX_TEXT 512   /* bytes of a value */
#define WS_STATUS_MAX     200   /* bytes */
#define WS_TEXT_MAX       65536 /* bytes for WinPE */
#define WS_NAME_MAX       128   /* bytes of a file's name */

/* Something that the client brings back with its later requests. */
struct ws_pair {
	char *name, *value;
};

/* *ret is for ws_pairs_free(), NULL if there are none.  0, or -ENOMEM. */
int ws_pairs_copy(const struct ws_pair *from, size_t n, struct ws_pair **ret);
void ws_pairs_free(struct ws_pair *pairs, size_t n);

/*
 * A question's answer.  Strings are owned and never NULL: "" means "none".
 */
struct ws_answer {
	struct verdict verdict; /* WS_DECISION; else of kind NONE, its cache_s and reason good */
	struct ws_pair *carry;  /* for the client: iPXE settings to set, and to send again */
	size_t ncarry;
	char *status; /* what the service says of this boot, for `ferryctl boots show` */
	bool keep;    /* it may serve again when the service does not answer */
	/* WS_CONTENT: what WinPE gets; all "" if nothing is wanted */
	char *name; /* of the file, for WS_EXTRA_FILE */
	char *text; /* commands, the text of winpeshl.ini, of the configuration, of the file */
	char *url;  /* where the file is, instead of `text` */
};

/* An answer that says nothing.  0, or -ENOMEM. */
int ws_answer_init(struct ws_answer *a);
void ws_answer_fini(struct ws_answer *a);

#endif
