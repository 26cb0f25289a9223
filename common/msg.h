/*
 * The messages between the front daemons and handlerd.
 *
 * A message is a header (magic, version, kind, number of records, sender) followed by records;
 * a record is a 32-bit length and a row of fields; a field is a 16-bit tag, a 32-bit length and
 * the value.  Fields that hold their zero value are left out, unknown tags are skipped: a newer
 * daemon can talk to an older one.  The version changes only when that is not enough.
 *
 * Decoded records are views: their slices point into the message and live as long as it does.
 */
#ifndef COMMON_MSG_H
#define COMMON_MSG_H

#include "common/ident.h"
#include "common/wire.h"

#define MSG_VERSION 1
/* The largest message that either side takes; a batch never grows past it. */
#define MSG_MAX_BYTES (4u << 20)
/* The most records in one message. */
#define MSG_MAX_RECORDS 4096u

enum msg_kind {
	MSG_PING,     /* front daemon: are you alive?  No records. */
	MSG_PONG,     /* handlerd: yes.  No records. */
	MSG_REQUESTS, /* front daemon: struct boot_request */
	MSG_ANSWERS,  /* handlerd: struct boot_answer, matched by id */
	MSG_EVENTS,   /* front daemon: struct boot_event */
	MSG_ACK,      /* handlerd: struct msg_ack, for events that are safe in its store */
	MSG_STATUS,   /* front daemon: struct daemon_status */
	MSG_KINDS,
};

/* Where in a boot a request stands. */
enum boot_stage {
	STAGE_NONE,
	STAGE_DISCOVER,   /* DHCPDISCOVER on port 67 */
	STAGE_BOOTSERVER, /* the request to the boot server on port 4011 */
	STAGE_FILE,       /* TFTP read request, GET or HEAD of a file */
	STAGE_BOOT,       /* the iPXE boot request */
	STAGE_REPORT,     /* /2PXE/report/... */
	STAGES,
};

/* What asks. */
enum boot_client {
	CLIENT_UNKNOWN,
	CLIENT_PXE,   /* PXE firmware, BIOS or UEFI */
	CLIENT_IPXE,  /* iPXE or a relative of it */
	CLIENT_HTTP,  /* UEFI HTTP Boot */
	CLIENT_RPI,   /* the boot ROM or EEPROM of a Raspberry Pi */
	CLIENT_UBOOT, /* U-Boot under its own name; it also asks as UEFI PXE firmware */
	CLIENTS,
};

/* The protocol that a request came by. */
enum boot_via {
	VIA_NONE,
	VIA_DHCP,
	VIA_TFTP,
	VIA_HTTP,
	VIA_HTTPS,
	VIAS,
};

/* What a front daemon is to do. */
enum boot_action {
	ACTION_IGNORE, /* say nothing, so that another server may answer */
	ACTION_OFFER,  /* DHCP: offer `file` from `server` in the style given */
	ACTION_FILE,   /* deliver the file at `file`, a path below the content root */
	ACTION_DATA,   /* deliver `data` */
	ACTION_ERROR,  /* refuse, with `error` and `text` */
	ACTIONS,
};

/* How a proxy offer is dressed (docs/architecture.md tells which firmware wants which). */
enum offer_style {
	OFFER_BINL,         /* no option 43: UEFI firmware then asks port 4011 */
	OFFER_PXE10,        /* option 43 = 06 01 08 ff: load the file of this packet */
	OFFER_PXE10_PROMPT, /* the same with a prompt, for BIOS ROMs that insist on one */
	OFFER_IPXE,         /* a script URL for iPXE */
	OFFER_HTTP,         /* UEFI HTTP Boot: option 60 = HTTPClient, a URL */
	OFFER_LOCAL,        /* what makes this firmware go on to its next boot option at once */
	OFFER_MENU,         /* a boot menu of one item, taken at once, whose server we are */
	OFFER_RPI,          /* what a Raspberry Pi looks for before it loads anything */
	OFFER_STYLES,
};

/* The kinds of refusal, which each protocol words in its own way. */
enum boot_error {
	BOOT_ERROR_NONE,
	BOOT_ERROR_NOT_FOUND,
	BOOT_ERROR_FORBIDDEN,
	BOOT_ERROR_UNAVAILABLE, /* try again later */
	BOOT_ERRORS,
};

/* Why handlerd answered as it did; logged with every exchange. */
enum boot_reason {
	REASON_UNSPECIFIED,
	REASON_LOADER,               /* firmware gets the loader for its architecture */
	REASON_LOADER_HTTPS,         /* HTTP Boot gets it by HTTPS: it must have our CA enrolled */
	REASON_SCRIPT_URL,           /* iPXE gets the boot URL, over HTTPS */
	REASON_SCRIPT_URL_HTTP,      /* the same over plain HTTP: this iPXE has no HTTPS */
	REASON_SCRIPT_URL_UNTRUSTED, /* likewise: it has, but nothing that makes it trust us */
	REASON_COLLECT,              /* a script that makes iPXE tell who it is */
	REASON_MENU,                 /* the menu of all images */
	REASON_NO_IMAGE,             /* the content root holds no image */
	REASON_PUBLIC_FILE,          /* a file that anybody may read */
	REASON_REPORT,               /* a report was taken down */
	REASON_UNKNOWN_ARCH,         /* an architecture that the table does not know */
	REASON_NO_LOADER,            /* no loader for this architecture in the content root */
	REASON_NO_HTTPS,             /* this iPXE has no HTTPS, and plain HTTP is off */
	REASON_NOT_A_BOOT,           /* neither PXE, iPXE nor HTTP Boot asks here */
	REASON_BAD_NAME,             /* not a name of something below the content root */
	REASON_NO_SUCH_FILE,
	REASON_TOO_LONG,        /* the answer does not fit the protocol's field */
	REASON_LOADER_LEARNED,  /* another loader than the preferred one, by experience */
	REASON_RULE_SILENCE,    /* a rule wants silence */
	REASON_RULE_REFUSES,    /* a rule ends this firmware's attempt */
	REASON_RULE_ENTRY,      /* a rule names the entry */
	REASON_BLOCKED,         /* somebody blocked the machine, */
	REASON_DENIED,          /* denied it, */
	REASON_HELD,            /* or holds it */
	REASON_QUARANTINE,      /* it is in quarantine */
	REASON_ASSIGNED,        /* an entry is assigned to it */
	REASON_APPROVAL,        /* it waits for approval */
	REASON_UNKNOWN_MACHINE, /* unknown machines are left alone */
	REASON_CHOSEN,          /* an item of its menu */
	REASON_NOT_OFFERED,     /* what it chose is none of its items */
	REASON_NO_ENTRY,        /* the entry that it should boot is not there, or not for it */
	REASON_LOCAL,           /* it is to leave network boot */
	REASON_REFERRED,        /* another boot infrastructure has it */
	REASON_NO_TARGET,       /* no target of a referral can be used */
	REASON_SOURCE_DENIES,   /* a script or the web service says no, */
	REASON_SOURCE_ENTRY,    /* names the entry, */
	REASON_SOURCE_SCRIPT,   /* or gives the whole script */
	REASON_SOURCE_FAILED,   /* it failed, and the fall-back counts */
	REASON_SOURCE_LATE,     /* it takes long: the client asks again */
	REASON_TOKEN,           /* a secret file, and no good token */
	REASON_SOURCE_FILE,     /* the web service tells what is in this file */
	REASON_LOOP,            /* it fetches the same loader again and again */
	REASON_OTHER_FAMILY,    /* tftpd or httpsbootd does not serve this client's IP version */
	REASON_STYLE_LEARNED,   /* the preferred loader, offered in another style, by experience */
	REASON_ORIGIN_FILE,     /* a file that only httpsbootd's origin may have */
	REASON_LOADER_NEWER,    /* iPXE without HTTPS gets one that has it, as plain HTTP is off */
	REASON_SHORTAGE,        /* of descriptors, say: whether there is such a file is not known */
	REASONS,
};

/* What front daemons report besides their requests. */
enum event_kind {
	EVENT_NONE,
	EVENT_OFFER,             /* an offer or boot server answer was sent */
	EVENT_LEASE,             /* a boot client asked a DHCP server for `address` */
	EVENT_TRANSFER_BEGAN,    /* the first byte of a file goes out */
	EVENT_TRANSFER_FINISHED, /* the client has it all */
	EVENT_TRANSFER_FAILED,   /* `text` says why */
	EVENT_SIZE_PROBE,        /* the client only wanted the size (edk2, old ROMs) */
	EVENT_SCRIPT,            /* an iPXE script was delivered */
	EVENT_TLS_FAILED,        /* a client ended the TLS handshake; `text` says how */
	EVENT_LOST,              /* `bytes` events were dropped here, the queue was full */
	EVENT_RIVAL,             /* another server answers clients: common/rival.h */
	EVENT_TRANSFER_PROGRESS, /* how far a long transfer is; every few seconds */
	EVENT_CERTIFICATE,       /* one of ours is about to expire; `text` says which and when */
	EVENT_KINDS,
};

/* Whom another server's offer is for. */
enum rival_client {
	RIVAL_ANY, /* not known, or no boot client */
	RIVAL_BIOS,
	RIVAL_UEFI,
	RIVAL_HTTP, /* UEFI HTTP Boot */
	RIVAL_IPXE,
	RIVAL_CLIENTS,
};

enum daemon_kind {
	DAEMON_NONE,
	DAEMON_DHCPPROXYD,
	DAEMON_TFTPD,
	DAEMON_HTTPSBOOTD,
	DAEMON_HANDLERD,
	DAEMONS,
};

/* The names of these enums' values, for logs and JSON; "?" for a value out of range. */
const char *boot_stage_name(enum boot_stage v);
const char *boot_client_name(enum boot_client v);
const char *boot_via_name(enum boot_via v);
const char *boot_action_name(enum boot_action v);
const char *offer_style_name(enum offer_style v);
const char *boot_reason_name(enum boot_reason v);
const char *event_kind_name(enum event_kind v);
const char *daemon_kind_name(enum daemon_kind v);

struct boot_request {
	uint64_t id; /* chosen by the sender, never 0; its answer carries it back */
	enum boot_stage stage;
	enum boot_client client;
	enum boot_via via;
	uint16_t arch; /* option 93; ARCH_UNKNOWN if the client did not say */
	struct macaddr mac;
	bool has_uuid;
	struct uuid uuid;
	struct ipaddr address; /* the client's; none before it has one */
	struct ipaddr server;  /* ours that it talks to */
	struct ipaddr relay;   /* giaddr */
	uint32_t xid;
	uint16_t secs;
	uint32_t wait_ms;       /* how long the client will still wait, estimated; 0: unknown */
	uint64_t boot;          /* the boot id that the client gave, or 0 */
	bool has_ipxe_features; /* option 175 came with the packet */
	uint64_t ipxe_features; /* bit n: feature tag 16 + n, see IPXE_FEATURE_... */
	uint32_t ipxe_version;  /* major << 16 | minor << 8 | patch; 0 if not said */
	struct slice subnet;    /* name of the asking daemon's instance */
	struct slice interface; /* on which it came */
	struct slice vendor_class;
	struct slice user_class;
	struct slice relay_info; /* option 82, as it came */
	struct slice file;       /* name, or path after the route's prefix, as it came */
	struct slice manufacturer;
	struct slice product;
	struct slice serial;
	struct slice asset;
	struct slice platform;  /* iPXE's: pcbios, efi */
	struct slice buildarch; /* iPXE's: i386, x86_64, arm64, ... */
	struct slice version;   /* iPXE's, or the User-Agent */
	struct slice params;    /* the whole form, URL-encoded */
	struct slice token;     /* that the client shows; a secret, never logged */
	/* for telling one firmware from another */
	struct slice param_list; /* option 55 */
	uint32_t ndi; /* option 94: type << 16 | major << 8 | minor; and NDI_... of other options */
	/*
	 * The client's own certificate, verified: names as RFC 2253 writes them, serial number and
	 * SHA-256 in hexadecimal.  Empty: it showed none.
	 */
	struct slice client_subject, client_issuer, client_serial, client_fingerprint;
	/* of a self-test: to be answered as any other, and to leave no trace */
	bool selftest;
	bool head_only; /* HTTP: HEAD, which gets nothing of a file but its size */
};

/* The form of option 97, above what boot_request's `ndi` says of option 94. */
#define NDI_UUID(form)   ((uint32_t)(form) << 24)
#define NDI_UUID_OF(ndi) ((enum ndi_uuid)((ndi) >> 24 & 3))
#define NDI_VERSION(ndi) ((ndi)&0xffffffu)
/* Option 43 named the item of a boot menu. */
#define NDI_BOOT_ITEM (UINT32_C(1) << 26)
enum ndi_uuid {
	NDI_UUID_ABSENT,
	NDI_UUID_GIVEN, /* type 0 and 16 octets, as RFC 4578 wants it */
	NDI_UUID_ODD,   /* of another type or length */
};

/* More than any token has; what is longer is cut, and so is none. */
#define BOOT_TOKEN_MAX 128

/* Feature tags of option 175, as bits of ipxe_features. */
#define IPXE_FEATURE(tag)  (UINT64_C(1) << ((tag)-16))
#define IPXE_FEATURE_HTTP  IPXE_FEATURE(0x13)
#define IPXE_FEATURE_HTTPS IPXE_FEATURE(0x14)
#define IPXE_FEATURE_EFI   IPXE_FEATURE(0x24)

struct boot_answer {
	uint64_t id;
	enum boot_action action;
	enum boot_reason reason;
	enum offer_style style;
	enum boot_error error;
	uint64_t boot;        /* the boot that the request belongs to, or 0 */
	struct ipaddr server; /* next server of an offer; none: the answering daemon's own */
	struct slice rule;    /* name of what decided */
	struct slice file;    /* offer: NBP or URL; file: path below the content root */
	struct slice data;
	struct slice text;      /* words for a person */
	struct slice trust;     /* offer: SHA-256 of root certificates (DER), 32 bytes each */
	struct slice crosscert; /* offer: URL below which iPXE asks for cross-certificates */
	struct slice options;   /* offer: more DHCP options, as they stand in a packet */
	bool told; /* offer: the timeline tells of it already, it need not be reported again */
	uint32_t delay_ms; /* offer: it waits so long before it leaves (docs/tftp.md) */
	/* file: what is known of it, for who has to fetch it: 0 and empty: nothing */
	uint64_t file_size;
	struct slice file_sha256; /* 32 octets */
};

struct boot_event {
	uint64_t seq;   /* counted up by the sender, from 1 */
	uint64_t at_ms; /* when it happened, in ms since 1970, by the sender's clock */
	enum event_kind kind;
	enum boot_via via;
	uint64_t boot;
	struct macaddr mac;
	struct ipaddr address;
	uint64_t bytes;
	uint32_t duration_ms;
	uint32_t blksize;
	uint32_t windowsize;
	uint32_t retransmits;
	struct slice subnet;
	struct slice file;
	struct slice text;
	/* EVENT_RIVAL: `bytes` offers were seen of the server at `address` and `mac` */
	struct slice interface;
	enum rival_client rival_client;
	uint32_t rival_sends; /* RIVAL_SENDS_... and RIVAL_IS_... */
	struct ipaddr rival_next;
	/*
	 * EVENT_TRANSFER_...: `transfer` ties a transfer's events together, a number that its
	 * sender gives no other one (0: it does not tell); `bytes` are those that the client has
	 * confirmed, in EVENT_TRANSFER_BEGAN those that it is to get.
	 */
	uint64_t transfer;
	uint64_t size;        /* of what is transferred; 0: not known */
	uint64_t bytes_per_s; /* EVENT_TRANSFER_PROGRESS: lately */
};

struct msg_ack {
	uint64_t seq; /* this event and all before it are stored */
};

struct daemon_status {
	enum daemon_kind daemon;
	uint32_t pid;
	uint64_t started_ms;     /* since 1970 */
	struct ipaddr address;   /* where clients reach it; none: wherever they asked */
	struct ipaddr address6;  /* the same over IPv6 */
	uint16_t port;           /* its main port */
	uint16_t http_port;      /* httpsbootd's plain port; 0: off */
	struct slice subnet;     /* instance */
	struct slice version;    /* of the program */
	struct slice host_name;  /* httpsbootd: name to use in URLs, or empty */
	struct slice trust;      /* httpsbootd: SHA-256 of the root it sends, 32 bytes each */
	struct slice counters;   /* lines of "name value" */
	uint64_t certificate_ms; /* httpsbootd: when its first certificate expires, since 1970 */
	struct slice problem;    /* what keeps it from serving some clients, in words; or empty */
	/* tftpd: what it carries */
	uint32_t transfers, max_transfers; /* under way, and how many may be */
	uint64_t bytes_per_s;              /* lately */
	uint32_t retransmit_permille;      /* of the blocks sent lately, those sent again */
	uint32_t queue_blocks;             /* that wait to be sent */
	uint32_t load_permille;            /* its own judgement: LOAD_FULL is all it can carry */
	bool pulls; /* httpsbootd: it fetches files that it lacks from an origin */
};

/* Of daemon_status's load_permille: as much as it can carry.  More counts as that. */
#define LOAD_FULL 1000u

/* The header of a message. */
struct msg_header {
	enum msg_kind kind;
	uint16_t records;
	uint64_t origin; /* random number of the sending process, so that events count once */
};

/*
 * Building: begin, encode records, end.  A record that does not fit is taken back whole and
 * gives -EMSGSIZE; the message stays good.
 */
struct msg_writer {
	struct wbuf w;
	size_t records;
	size_t last_at; /* where the last record begins */
};

void msg_begin(struct msg_writer *m, void *buf, size_t size, enum msg_kind kind, uint64_t origin);
int msg_put_request(struct msg_writer *m, const struct boot_request *r);
int msg_put_answer(struct msg_writer *m, const struct boot_answer *a);
int msg_put_event(struct msg_writer *m, const struct boot_event *e);
int msg_put_ack(struct msg_writer *m, const struct msg_ack *a);
int msg_put_status(struct msg_writer *m, const struct daemon_status *s);
/* The bytes of the record put last, and putting such bytes into another message of its kind. */
struct slice msg_last_record(const struct msg_writer *m);
int msg_put_record(struct msg_writer *m, struct slice record);
/* Fills in the record count and returns the whole message. */
struct slice msg_end(struct msg_writer *m);

/*
 * Reading.  msg_open takes the header: 0, -EBADMSG if this is no such message, -EPROTO if it is
 * of another version.  Then one msg_get_... for each record: 0, -ENOENT after the last, -EBADMSG
 * if the record is malformed; the cursor then stands behind it, and reading may go on unless the
 * lengths themselves were wrong, in which case the next call gives -ENOENT.
 */
struct msg_reader {
	struct msg_header header;
	struct rbuf r;
	size_t left;
};

int msg_open(struct msg_reader *m, const void *buf, size_t n);
int msg_get_request(struct msg_reader *m, struct boot_request *ret);
int msg_get_answer(struct msg_reader *m, struct boot_answer *ret);
int msg_get_event(struct msg_reader *m, struct boot_event *ret);
int msg_get_ack(struct msg_reader *m, struct msg_ack *ret);
int msg_get_status(struct msg_reader *m, struct daemon_status *ret);

#endif
