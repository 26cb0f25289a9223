/* The configuration keys of tftpd. */
#include "tftpd/tftpd.h"

#define AT(member) .off = offsetof(struct tftpd_conf, member)

static const struct config_key keys[] = {
	{ .name = "address",
	    .type = CONFIG_IP,
	    AT(address),
	    .def = "\"\"",
	    .flags = CONFIG_SHARED | CONFIG_RESTART,
	    .help = "IP address to listen on, which clients are told; empty: all, and clients are "
		    "told the one at which they asked" },
	{ .name = "address6",
	    .type = CONFIG_IP,
	    AT(address6),
	    .def = "\"\"",
	    .flags = CONFIG_SHARED | CONFIG_RESTART,
	    .help = "IPv6 address that clients are told; with `address` also listened on, for that "
		    "one is the only one then; empty: see `address`" },
	{ .name = "port",
	    .type = CONFIG_INT,
	    AT(port),
	    .def = "69",
	    .min = 1,
	    .max = 65535,
	    .flags = CONFIG_RESTART,
	    .help = "UDP port of requests" },
	{ .name = "root",
	    .type = CONFIG_STRING,
	    AT(root),
	    .def = "\"/var/lib/bootferry/content\"",
	    .max = 4096,
	    .flags = CONFIG_RESTART,
	    .help = "content root" },
	{ .name = "transfer_ports",
	    .type = CONFIG_PORTS,
	    AT(transfer_ports),
	    .def = "[64001, 65000]",
	    .flags = CONFIG_RESTART,
	    .help = "UDP ports that transfers leave from: a range, one port (that of requests for "
		    "everything on one port), or 0 for any" },
	{ .name = "max_blksize",
	    .type = CONFIG_INT,
	    AT(max_blksize),
	    .def = "65464",
	    .min = 512,
	    .max = 65464,
	    .unit = "bytes",
	    .help = "largest block, if a client asks for so much; it is lowered further to what "
		    "the path to the client takes in one packet (1468 on Ethernet, 1448 over "
		    "IPv6)" },
	{ .name = "allow_fragments",
	    .type = CONFIG_BOOL,
	    AT(allow_fragments),
	    .def = "false",
	    .help = "blocks that are larger than the path's packets, for clients that ask for "
		    "them; one lost fragment loses the block, and many firmwares cannot put them "
		    "together" },
	{ .name = "max_windowsize",
	    .type = CONFIG_INT,
	    AT(max_windowsize),
	    .def = "64",
	    .min = 1,
	    .max = 64,
	    .unit = "blocks",
	    .help = "largest window (RFC 7440)" },
	{ .name = "max_transfers",
	    .type = CONFIG_INT,
	    AT(max_transfers),
	    .def = "20000",
	    .min = 1,
	    .max = 1000000,
	    .flags = CONFIG_RESTART,
	    .help = "transfers at once; a request beyond is dropped, and the client asks again" },
	{ .name = "max_client_transfers",
	    .type = CONFIG_INT,
	    AT(max_client_transfers),
	    .def = "1000",
	    .min = 1,
	    .max = 1000000,
	    .help = "transfers at once of one client address; many machines behind one "
		    "translating router (NAT) share it" },
	{ .name = "workers",
	    .type = CONFIG_INT,
	    AT(workers),
	    .def = "0",
	    .max = 64,
	    .flags = CONFIG_RESTART,
	    .help = "threads; 0: one for each CPU, at most 8; never more than `transfer_ports` has "
		    "ports" },
	{ .name = "front", .type = CONFIG_INCLUDE, .sub = front_keys },
	{ 0 },
};

static void
check(const void *conf, config_error_fn *error, void *arg)
{
	const struct tftpd_conf *c = conf;

	front_check(conf, error, arg);
	front_check_addresses(&c->address, &c->address6, error, arg);
}

const struct config_table tftpd_config = {
	.daemon = "tftpd",
	.keys = keys,
	.size = sizeof(struct tftpd_conf),
	.check = check,
};
