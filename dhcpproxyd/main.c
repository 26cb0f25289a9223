/* dhcpproxyd: start-up. */
#include "common/log.h"
#include "dhcpproxyd/dhcpproxyd.h"

#include <stdlib.h>

int
main(int argc, char *argv[])
{
	struct dhcpproxyd_conf conf;
	struct dhcpproxyd *d;
	struct opts opts;
	int rc;

	opts_parse(&opts, "dhcpproxyd", argc, argv);
	log_init("dhcpproxyd", opts.foreground);
	if (config_load(&opts, &dhcpproxyd_config, &conf) < 0)
		return EXIT_FAILURE;
	if (opts.check_only) {
		config_print(&dhcpproxyd_config, &conf);
		config_free(&dhcpproxyd_config, &conf);
		return EXIT_SUCCESS;
	}
	if (!opts.foreground)
		start_background();
	if (dhcpproxyd_open(&d, &conf, &opts) < 0)
		fatalx("cannot start");
	rc = dhcpproxyd_run(d);
	dhcpproxyd_close(d);
	config_free(&dhcpproxyd_config, &conf);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
