/*
 * To be preloaded into a daemon: nng_close() never returns, as in a process in which nng's reaper
 * thread hangs (common/bus_link.h).
 */
#include <nng/nng.h>
#include <unistd.h>

int
nng_close(nng_socket socket)
{
	(void)socket;
	for (;;)
		pause();
}
