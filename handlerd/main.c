/* handlerd: start-up. */
#include "common/log.h"
#include "handlerd/handlerd.h"

#include <stdlib.h>

int
main(int argc, char *argv[])
{
	struct handlerd_conf conf;
	struct handlerd *d;
	struct opts opts;
	int rc;

	opts_parse(&opts, "handlerd", argc, argv);
	log_init("handlerd", opts.foreground);
	if (config_load(&opts, &handlerd_config, &conf) < 0)
		return EXIT_FAILURE;
	if (opts.check_only) {
		config_print(&handlerd_config, &conf);
		config_free(&handlerd_config, &conf);
		return EXIT_SUCCESS;
	}
	if (!opts.foreground)
		start_background();
	if (handlerd_open(&d, &conf, &opts) < 0)
		fatalx("cannot start");
	rc = handlerd_run(d);
	handlerd_close(d);
	config_free(&handlerd_config, &conf);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
