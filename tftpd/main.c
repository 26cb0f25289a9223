/* tftpd: start-up. */
#include "common/log.h"
#include "tftpd/tftpd.h"

#include <stdlib.h>

int
main(int argc, char *argv[])
{
	struct tftpd_conf conf;
	struct tftpd *d;
	struct opts opts;
	int rc;

	opts_parse(&opts, "tftpd", argc, argv);
	log_init("tftpd", opts.foreground);
	if (config_load(&opts, &tftpd_config, &conf) < 0)
		return EXIT_FAILURE;
	if (opts.check_only) {
		config_print(&tftpd_config, &conf);
		config_free(&tftpd_config, &conf);
		return EXIT_SUCCESS;
	}
	if (!opts.foreground)
		start_background();
	if (tftpd_open(&d, &conf, &opts) < 0)
		fatalx("cannot start");
	rc = tftpd_run(d);
	tftpd_close(d);
	config_free(&tftpd_config, &conf);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
