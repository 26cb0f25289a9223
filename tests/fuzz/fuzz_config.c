/* A configuration file for each daemon: what is accepted prints, and its print is accepted. */
#include "dhcpproxyd/dhcpproxyd.h"
#include "handlerd/handlerd.h"
#include "httpsbootd/httpsbootd.h"
#include "tests/fuzz/fuzz.h"
#include "tftpd/tftpd.h"

#include <string.h>

static void
on_error(void *arg, const char *path, const char *what)
{
	int *errors = arg;

	MUST(path != NULL && what[0] != '\0');
	(*errors)++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct config_table *const tables[] = { &dhcpproxyd_config, &tftpd_config,
		&httpsbootd_config, &handlerd_config };

	for (size_t i = 0; i < NITEMS(tables); i++) {
		void *conf = malloc(tables[i]->size);
		int errors = 0;
		json_t *dump;
		char *text;

		MUST(conf != NULL);
		if (config_parse(tables[i], (const char *)data, size, conf, on_error, &errors) <
		    0) {
			MUST(errors > 0);
			free(conf);
			continue;
		}
		MUST(errors == 0);
		dump = config_dump(tables[i], conf);
		text = json_dumps(dump, 0);
		config_free(tables[i], conf);
		MUST(text != NULL);
		MUST(config_parse(tables[i], text, strlen(text), conf, on_error, &errors) == 0);
		config_free(tables[i], conf);
		free(conf);
		free(text);
		json_decref(dump);
	}
	return 0;
}
