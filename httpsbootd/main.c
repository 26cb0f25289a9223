/* httpsbootd: start-up. */
#include "common/log.h"
#include "httpsbootd/httpsbootd.h"

#include <stdlib.h>

int
main(int argc, char *argv[])
{
	struct httpsbootd_conf conf;
	struct httpsbootd *d;
	struct opts opts;
	int rc;

	opts_parse(&opts, "httpsbootd", argc, argv);
	log_init("httpsbootd", opts.foreground);
	if (config_load(&opts, &httpsbootd_config, &conf) < 0)
		return EXIT_FAILURE;
	if (opts.check_only) {
		config_print(&httpsbootd_config, &conf);
		config_free(&httpsbootd_config, &conf);
		return EXIT_SUCCESS;
	}
	if (!opts.foreground)
		start_background();
	if (httpsbootd_open(&d, &conf, &opts) < 0)
		fatalx("cannot start");
	rc = httpsbootd_run(d);
	httpsbootd_close(d);
	config_free(&httpsbootd_config, &conf);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
