/* See tftp_load_conf.h. */
#include "tests/bench/tftp_load_conf.h"

#include "common/wire.h"
#include "tests/bench/pattern.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
usage(void)
{
	fputs(
	    "usage: tftp_load --net ADDRESS --server ADDRESS --file NAME --size BYTES\n"
	    "       tftp_load --write BYTES\n"
	    "  --port N             69\n"
	    "  --clients N          1\n"
	    "  --blksize N          1468; 512: not asked for\n"
	    "  --windowsize N       0: not asked for\n"
	    "  --tsize              ask for the size and compare it\n"
	    "  --patience SECONDS   without progress a transfer has failed: 24\n"
	    "  --limit SECONDS      for all: 600\n"
	    "  --stagger US         between the requests of two clients: 0\n"
	    "  --spin US            look for packets so long before sleeping: 0\n"
	    "  --express            ACKs past this host's IP stack, if the server is a neighbour\n"
	    "  --loss PERCENT       of all packets, both ways\n"
	    "  --seed N             of the losses\n"
	    "  --drop KIND          once a transfer: rrq, oack, data:N, data:last, ack:N, "
	    "ack:last\n",
	    stderr);
	exit(2);
}

static uint64_t
number(const char *text, uint64_t min, uint64_t max)
{
	uint64_t v;

	if (parse_u64(text, &v) < 0 || v < min || v > max) {
		fprintf(stderr, "tftp_load: %s: want a number from %llu to %llu\n", text,
		    (unsigned long long)min, (unsigned long long)max);
		exit(2);
	}
	return v;
}

static uint32_t
percent(const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= 0 && v < 100)) {
		fprintf(stderr, "tftp_load: %s: want a number below 100\n", text);
		exit(2);
	}
	return (uint32_t)(v / 100 * UINT32_MAX);
}

static struct in_addr
address(const char *text)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1) {
		fprintf(stderr, "tftp_load: %s: not an IPv4 address\n", text);
		exit(2);
	}
	return a;
}

static void
add_drop(struct tftp_load_conf *c, const char *text)
{
	static const char *const kinds[] = { "rrq", "oack", "data:", "ack:" };
	struct tftp_load_drop *d = &c->drops[c->ndrops];

	if (c->ndrops++ >= TFTP_LOAD_DROPS)
		usage();
	for (size_t k = 0; k < NITEMS(kinds); k++) {
		size_t n = strlen(kinds[k]);

		if (strncmp(text, kinds[k], n) != 0)
			continue;
		d->kind = text[0];
		d->last = strcmp(text + n, "last") == 0;
		if (k >= 2 && !d->last)
			d->block = number(text + n, 0, UINT64_MAX);
	}
	if (d->kind == '\0')
		usage();
}

static void
write_contents(uint64_t size)
{
	int rc = pattern_write(stdout, size);

	if (rc < 0)
		fprintf(stderr, "tftp_load: %s\n", strerror(-rc));
	exit(rc < 0);
}

void
tftp_load_conf_read(struct tftp_load_conf *c, int argc, char *argv[])
{
	static const struct option options[] = { { "net", 1, NULL, 'n' },
		{ "server", 1, NULL, 'h' }, { "file", 1, NULL, 'f' }, { "size", 1, NULL, 's' },
		{ "write", 1, NULL, 'w' }, { "port", 1, NULL, 'p' }, { "clients", 1, NULL, 'c' },
		{ "blksize", 1, NULL, 'b' }, { "windowsize", 1, NULL, 'W' },
		{ "tsize", 0, NULL, 't' }, { "express", 0, NULL, 'x' },
		{ "patience", 1, NULL, 'P' }, { "limit", 1, NULL, 'L' },
		{ "stagger", 1, NULL, 'g' }, { "spin", 1, NULL, 'i' }, { "loss", 1, NULL, 'l' },
		{ "seed", 1, NULL, 'S' }, { "drop", 1, NULL, 'd' }, { 0 } };
	int o;

	*c = (struct tftp_load_conf){
		.want = { .blksize = 1468,
		    .patience_us = 24000000 }, /* edk2's PXE: 6 tries of 4 s */
		.server = { .sin_family = AF_INET, .sin_port = htons(69) },
		.nclients = 1,
		.limit_us = 600000000,
		.seed = 1,
	};
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'n': c->net = ntohl(address(optarg).s_addr); break;
		case 'h': c->server.sin_addr = address(optarg); break;
		case 'f': c->want.file = optarg; break;
		case 's': c->want.size = number(optarg, 0, UINT32_MAX * 1024ull); break;
		case 'w': write_contents(number(optarg, 0, UINT64_MAX)); break;
		case 'p': c->server.sin_port = htons((uint16_t)number(optarg, 1, 65535)); break;
		case 'c': c->nclients = (unsigned)number(optarg, 1, TFTP_LOAD_CLIENTS); break;
		case 'b': c->want.blksize = (uint32_t)number(optarg, 8, 65464); break;
		case 'W': c->want.windowsize = (uint32_t)number(optarg, 0, 65535); break;
		case 't': c->want.tsize = true; break;
		case 'x': c->express = true; break;
		case 'P': c->want.patience_us = number(optarg, 1, 3600) * 1000000; break;
		case 'L': c->limit_us = number(optarg, 1, 36000) * 1000000; break;
		case 'g': c->stagger_us = number(optarg, 0, 1000000); break;
		case 'i': c->spin_us = number(optarg, 0, 1000000); break;
		case 'l': c->loss = percent(optarg); break;
		case 'S': c->seed = number(optarg, 1, UINT64_MAX); break;
		case 'd': add_drop(c, optarg); break;
		default: usage();
		}
	}
	c->want.lossy = c->loss > 0 || c->ndrops > 0;
	if (c->net == 0 || c->server.sin_addr.s_addr == 0 || c->want.file == NULL || optind != argc)
		usage();
}
