/*
 * Prints what the tables of configuration keys say: the reference docs/config.md, and the sample
 * files of deploy/config.
 * usage: document config | handlerd | subnet
 */
#include "common/config.h"
#include "dhcpproxyd/dhcpproxyd.h"
#include "handlerd/handlerd.h"
#include "httpsbootd/httpsbootd.h"
#include "tftpd/tftpd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const struct config_table *table;
	const char *intro;
} daemons[] = {
	{ &handlerd_config,
	    "Read from `/etc/bootferry/handlerd.json`, or its defaults when started without a "
	    "file." },
	{ &dhcpproxyd_config, "" },
	{ &tftpd_config, "" },
	{ &httpsbootd_config, "" },
};

static void
put(void *arg, const char *text)
{
	(void)arg;
	fputs(text, stdout);
}

static void
print_reference(void)
{
	puts("# Configuration keys\n\n"
	     "<!-- made by `make docs` from the daemons' tables; edit those -->\n\n"
	     "Files are JSON. An unknown key is an error, so that a misspelled one does not go\n"
	     "unnoticed; `DAEMON -n -c FILE` checks a file, lists every error at once as\n"
	     "`FILE: key.path: what is wrong`, and prints the settings in force.\n\n"
	     "The front daemons of a subnet share one file, `/etc/bootferry/subnet/NAME.json`: a\n"
	     "block named after each daemon, and beside the blocks the keys marked *shared*,\n"
	     "which a block may set otherwise for its daemon. A file for one daemon alone can do\n"
	     "without the block. `SIGHUP` or `ferryctl reload` reads the file again; where the\n"
	     "column says *restart*, a change waits for one.");
	for (size_t i = 0; i < NITEMS(daemons); i++) {
		printf("\n## %s\n\n", daemons[i].table->daemon);
		if (daemons[i].intro[0] != '\0')
			printf("%s\n\n", daemons[i].intro);
		config_document(daemons[i].table, put, NULL);
	}
}

static json_t *
defaults(const struct config_table *table)
{
	void *conf = malloc(table->size);
	json_t *dump;

	if (conf == NULL || config_parse(table, NULL, 0, conf, NULL, NULL) < 0)
		abort();
	dump = config_dump(table, conf);
	config_free(table, conf);
	free(conf);
	return dump;
}

/* Moves the keys that several daemons share from a daemon's block to the top. */
static void
move_shared(const struct config_key *keys, json_t *block, json_t *top)
{
	for (const struct config_key *k = keys; k->name != NULL; k++) {
		if (k->type == CONFIG_INCLUDE) {
			move_shared(k->sub, block, top);
		} else if ((k->flags & CONFIG_SHARED) != 0) {
			json_object_set(top, k->name, json_object_get(block, k->name));
			json_object_del(block, k->name);
		}
	}
}

static json_t *
subnet_sample(void)
{
	json_t *sample = json_object();

	for (size_t i = 1; i < NITEMS(daemons); i++) {
		json_t *block = defaults(daemons[i].table);

		move_shared(daemons[i].table->keys, block, sample);
		json_object_set_new(sample, daemons[i].table->daemon, block);
	}
	return sample;
}

static void
print_json(json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2));

	if (text == NULL)
		abort();
	puts(text);
	free(text);
	json_decref(value);
}

int
main(int argc, char *argv[])
{
	const char *what = argc == 2 ? argv[1] : "";

	if (strcmp(what, "config") == 0)
		print_reference();
	else if (strcmp(what, "handlerd") == 0)
		print_json(defaults(&handlerd_config));
	else if (strcmp(what, "subnet") == 0)
		print_json(subnet_sample());
	else {
		fputs("usage: document config | handlerd | subnet\n", stderr);
		return 2;
	}
	return 0;
}
