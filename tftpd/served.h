/*
 * What transfers read from: files mapped (or converted) once and shared by all that read the same
 * one, or bytes made for one machine.  A file that is replaced by a rename leaves those who read it
 * alone; one that is cut short in place makes their sends fail, not the daemon.  But bytes of its
 * last page that are gone read as zeros, and one that is written in place gives some of its old
 * bytes and some of its new: served_is_unchanged() tells.
 *
 * The files are shared by the threads of a daemon; what a transfer holds does not change.
 */
#ifndef TFTPD_SERVED_H
#define TFTPD_SERVED_H

#include "common/content.h"

#include <pthread.h>
#include <stdatomic.h>

#define SERVED_CHAINS 256

/*
 * The most that is converted for netascii: of one file, and what all of them may take together, as
 * anybody can ask for it.
 */
#define SERVED_NETASCII_MAX  (16u << 20)
#define SERVED_CONVERTED_MAX (128u << 20)
/* The same of bytes made for machines, with what each takes beside them. */
#define SERVED_MADE_MAX (256u << 20)

enum served_kind {
	SERVED_BYTES,    /* of one transfer */
	SERVED_MAPPED,   /* a file */
	SERVED_NETASCII, /* a file, converted */
};

struct served {
	struct served *next, **prev; /* of its chain, if it is of a file */
	size_t refs;                 /* of a file: under the lock */
	uint64_t size;
	const uint8_t *data; /* NULL if empty */
	enum served_kind kind;
	bool counted; /* in `made` */
	int fd;       /* of a mapped file */
	/* the file as it was opened */
	uint64_t inode, device, file_size;
	struct timespec mtime;
};

/* The files of one daemon that are being read. */
struct served_files {
	pthread_mutex_t lock;
	struct served *chains[SERVED_CHAINS]; /* by inode */
	size_t n;
	uint64_t converted; /* bytes of them that netascii takes */
	_Atomic uint64_t made;
};

void served_files_init(struct served_files *files);
/* All have been released. */
void served_files_fini(struct served_files *files);

/*
 * Takes over f->fd.  0 with a reference for the caller, or a negative errno.
 */
int served_file(struct served_files *files, struct content_file *f, struct served **ret);
/* A copy of bytes.  0, or -ENOMEM. */
int served_bytes(struct slice bytes, struct served **ret);
/*
 * A copy of bytes in netascii: line feed as CR LF, carriage return as CR NUL (RFC 764).  0, or
 * -ENOMEM.
 */
int served_netascii(struct slice bytes, struct served **ret);
/* Either of them, for one machine.  0, or -ENOMEM, also beyond SERVED_MADE_MAX. */
int served_made(struct served_files *files, struct slice bytes, bool netascii, struct served **ret);
/*
 * Netascii of a file, shared by all that read it so; takes over f->fd.  Reads rather than maps, for
 * bytes are looked at here, and a file cut short meanwhile must not be the daemon's end.  0,
 * -EFBIG, -ENOMEM (also beyond SERVED_CONVERTED_MAX), or what else the system said.
 */
int served_netascii_file(struct served_files *files, struct content_file *f, struct served **ret);
/* Asks the system: false if the file was written to, extended or cut short since it was opened. */
bool served_is_unchanged(const struct served *s);
/* NULL is allowed. */
void served_release(struct served_files *files, struct served *s);

#endif
