/* The kernel's list of UDP sockets (sock_diag(7)): who else holds a port. */
#ifndef DHCPPROXYD_DIAG_H
#define DHCPPROXYD_DIAG_H

#include "common/wire.h"

enum diag_kind {
	DIAG_OTHER,
	DIAG_SOCKET,
	DIAG_DONE,
	DIAG_FAILED, /* `error` */
};

struct diag_message {
	enum diag_kind kind;
	int error; /* a negative errno */
	uint16_t port;
	int ifindex; /* that it is bound to; 0: all */
	uint32_t inode;
	uint32_t uid;
};

/* Takes the next message off *left: 0; -ENOENT after the last; -EBADMSG, and *left is empty. */
int diag_next(struct slice *left, struct diag_message *ret);

/* The question for the UDP sockets of this port, of IPv4 or of IPv6. */
#define DIAG_QUESTION_MAX 128
void diag_put_question(struct wbuf *w, int family, uint16_t port);

#endif
