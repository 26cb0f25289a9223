/* What the front daemons have in common; see front.h. */
#include "common/front.h"

#include "common/bus_url.h"
#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_CHECK_MS 20

/* log_level_names, ended as CONFIG_ENUM wants it */
static const char *const levels[] = { "error", "warning", "info", "debug", NULL };

#define AT(member) .off = offsetof(struct front_conf, member)
const struct config_key front_keys[] = {
	{ .name = "handler",
	    .type = CONFIG_STRINGS,
	    AT(handler),
	    .def = "[\"ipc:///run/bootferry/handlerd.ipc\"]",
	    .min = 1,
	    .max = BUS_HANDLERS,
	    .flags = CONFIG_SHARED | CONFIG_RESTART,
	    .help = "nng URLs of handlerd; the first that lives is used" },
	{ .name = "handler_ca",
	    .type = CONFIG_STRING,
	    AT(handler_ca),
	    .def = "\"\"",
	    .max = 4096,
	    .flags = CONFIG_SHARED | CONFIG_RESTART,
	    .help = "PEM file with the CA of handlerd's certificate, for `tls+tcp` URLs; the "
		    "certificate must name the URL's host (an address as IP and as DNS name)" },
	{ .name = "handler_certificate",
	    .type = CONFIG_STRING,
	    AT(handler_certificate),
	    .def = "\"\"",
	    .max = 4096,
	    .flags = CONFIG_SHARED | CONFIG_RESTART,
	    .help = "PEM file with this daemon's certificate and key, for `tls+tcp` URLs" },
	{ .name = "handler_timeout_ms",
	    .type = CONFIG_INT,
	    AT(handler_timeout_ms),
	    .def = "3000",
	    .min = 100,
	    .max = 60000,
	    .unit = "ms",
	    .flags = CONFIG_SHARED | CONFIG_RESTART,
	    .help = "how long handlerd may take to answer a request" },
	{ .name = "control",
	    .type = CONFIG_STRING,
	    AT(control),
	    .def = "\"\"",
	    .max = 107,
	    .flags = CONFIG_RESTART,
	    .help = "Unix socket of the control interface; empty: "
		    "`/run/bootferry/DAEMON-SUBNET.sock`" },
	{ .name = "user",
	    .type = CONFIG_STRING,
	    AT(user),
	    .def = "\"\"",
	    .max = 64,
	    .flags = CONFIG_RESTART,
	    .help = "account to run as when started by root, or `uid:gid`; empty: "
		    "`bootferry-DAEMON`" },
	{ .name = "log_level",
	    .type = CONFIG_ENUM,
	    AT(log_level),
	    .def = "\"info\"",
	    .names = levels,
	    .flags = CONFIG_SHARED,
	    .help = "the least severe lines that are logged" },
	{ .name = "subnet",
	    .type = CONFIG_STRING,
	    AT(subnet),
	    .def = "\"\"",
	    .max = SUBNET_MAX,
	    .flags = CONFIG_SHARED | CONFIG_RESTART,
	    .help = "name of this instance in logs and timelines; empty: the configuration "
		    "file's name without `.json`" },
	{ 0 },
};

void
front_check(const void *conf, config_error_fn *error, void *arg)
{
	const struct front_conf *f = conf;

	bus_check_urls(&f->handler, "handler", f->handler_ca, f->handler_certificate, error, arg);
}

void
front_check_addresses(
    const struct ipaddr *address, const struct ipaddr *address6, config_error_fn *error, void *arg)
{
	if (address6->family == 4)
		error(arg, "address6", "it is an IPv4 address: that is for `address`");
	if (address6->family == 6 && address->family == 6)
		error(arg, "address6", "`address` is an IPv6 address already");
}

static struct front_conf *
conf_of(const struct front *f)
{
	return f->conf;
}

static void
apply_log_level(const struct front *f)
{
	log_set_level(f->opts->verbose ? LOG_LEVEL_DEBUG : (enum log_level)conf_of(f)->log_level);
}

static json_t *
reload(struct front *f)
{
	json_t *result = config_reload(f->opts, f->table, f->conf);

	if (result != NULL) {
		apply_log_level(f);
		f->ops->reloaded(f->arg);
	}
	return result;
}

static json_t *
rpc_reload(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	json_t *result = reload(arg);

	(void)conn;
	(void)params;
	if (result == NULL)
		return rpc_fail(error, RPC_FAILED,
		    "the configuration has errors, which are in the log; nothing changed");
	return result;
}

static json_t *
rpc_config_show(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	const struct front *f = arg;

	(void)conn;
	(void)params;
	(void)error;
	return config_dump(f->table, f->conf);
}

static struct slice
print_counters(struct front *f)
{
	struct bus_client_stats bus;
	struct wbuf w;

	if (f->ops->gather != NULL)
		f->ops->gather(f->arg);
	wbuf_init(&w, f->counters_text, sizeof(f->counters_text));
	counters_print(&w, f->counters, f->counter_base);
	if (f->bus != NULL) {
		bus_client_stats(f->bus, &bus);
		if (f->ops->bus_stats != NULL)
			f->ops->bus_stats(f->arg, &bus);
		bus_stats_print(&bus, &w);
	}
	return wbuf_view(&w);
}

static json_t *
rpc_status(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct front *f = arg;
	json_t *status;

	(void)conn;
	(void)params;
	(void)error;
	status = json_pack("{s:s, s:s, s:s, s:i, s:I, s:b}", "daemon", daemon_kind_name(f->daemon),
	    "subnet", f->instance, "version", BOOTFERRY_VERSION, "pid", (int)getpid(), "started_ms",
	    (json_int_t)f->started_ms, "handlerd", f->bus != NULL && bus_is_up(f->bus));
	if (f->ops->status != NULL)
		f->ops->status(f->arg, status);
	json_object_set_new(status, "counters", counters_parse(print_counters(f)));
	return status;
}

static const struct rpc_method methods[] = {
	{ "status", rpc_status, "", "what this daemon is doing, with its counters" },
	{ "config.show", rpc_config_show, "", "the effective configuration" },
	{ "reload", rpc_reload, "", "reads the configuration file again" },
	{ 0 },
};

static void
on_stop_check(void *arg)
{
	struct front *f = arg;
	bool done = f->ops->idle(f->arg) && (f->bus == NULL || bus_is_drained(f->bus));

	if (done || loop_now_ms(f->loop) >= f->stop_at_ms) {
		if (!done)
			log_warnx("stopping with work in hand");
		loop_stop(f->loop);
		return;
	}
	(void)loop_timer_set(f->loop, &f->stop_timer, STOP_CHECK_MS);
}

static void
stop(struct front *f)
{
	log_info("stopping");
	start_stopping();
	f->stop_at_ms = loop_now_ms(f->loop) + FRONT_STOP_MS;
	f->ops->stop(f->arg);
	on_stop_check(f);
}

static void
on_signal(void *arg, int signo)
{
	struct front *f = arg;

	if (signo == SIGHUP) {
		json_decref(reload(f));
		return;
	}
	if (f->stop_at_ms != 0) { /* asked twice: at once */
		loop_stop(f->loop);
		return;
	}
	stop(f);
}

static void
announce(void *arg, struct daemon_status *status)
{
	struct front *f = arg;

	*status = (struct daemon_status){
		.daemon = f->daemon,
		.pid = (uint32_t)getpid(),
		.started_ms = f->started_ms,
		.subnet = slice_str(f->instance),
		.version = slice_str(BOOTFERRY_VERSION),
		.counters = print_counters(f),
	};
	f->ops->announce(f->arg, status);
}

/* Those that all have, then the daemon's own. */
static void
list_methods(struct front *f)
{
	size_t n = 0;

	for (const struct rpc_method *m = methods; m->name != NULL; m++)
		f->all_methods[n++] = *m;
	for (const struct rpc_method *m = f->methods; m != NULL && m->name != NULL; m++) {
		assert(n + 1 < NITEMS(f->all_methods));
		f->all_methods[n++] = *m;
	}
	f->all_methods[n] = (struct rpc_method){ 0 };
}

static int
open_control(struct front *f)
{
	const char *path = conf_of(f)->control;
	char buf[256];
	int rc;

	if (path[0] == '\0') {
		(void)mkdir("/run/bootferry", 0755); /* there, or rpc_open says what is wrong */
		(void)snprintf(buf, sizeof(buf), "/run/bootferry/%s-%s.sock",
		    daemon_kind_name(f->daemon), f->instance);
		path = buf;
	}
	list_methods(f);
	rc = rpc_open(f->loop, path, f->all_methods, f, &f->rpc);
	if (rc < 0)
		log_errx("control: \"%s\": %s", path, strerror(-rc));
	return rc;
}

int
front_open(struct front *f)
{
	int rc;

	apply_log_level(f);
	f->started_ms = wall_clock_ms();
	loop_timer_init(&f->stop_timer, on_stop_check, f);
	f->instance = config_instance(f->opts->config_path, conf_of(f)->subnet);
	if (f->instance == NULL)
		return -ENOMEM;
	if (strlen(f->instance) > SUBNET_MAX) {
		log_errx("subnet: \"%s\", from the file's name, has more than %d characters",
		    f->instance, SUBNET_MAX);
		return -ENAMETOOLONG;
	}
	rc = loop_new(&f->loop);
	if (rc == 0 && f->shares_loop && bus_urls_need_nng(&conf_of(f)->handler))
		rc = loop_share(f->loop);
	if (rc == 0)
		rc = loop_signals(f->loop, on_signal, f);
	if (rc < 0) {
		log_errx("event loop: %s", strerror(-rc));
		return rc;
	}
	/* a daemon that serves is worth more than none because nobody could ask how it is */
	if (open_control(f) < 0)
		log_warnx("going on without a control socket");
	return 0;
}

void
front_drop(const struct front *f)
{
	start_drop(conf_of(f)->user, daemon_kind_name(f->daemon), f->keep);
}

int
front_connect(struct front *f, uint32_t max_pending, bus_answer_fn *answer)
{
	const struct front_conf *conf = conf_of(f);
	struct bus_client_conf bus = {
		.urls = (const char *const *)conf->handler.v,
		.nurls = conf->handler.n,
		.tls_ca = conf->handler_ca,
		.tls_certificate = conf->handler_certificate,
		.deadline_ms = (uint32_t)conf->handler_timeout_ms,
		.max_pending = max_pending,
		.answer = answer,
		.answer_arg = f->arg,
		.status = announce,
		.status_arg = f,
	};

	return bus_client_open(f->loop, &bus, &f->bus);
}

int
front_run(struct front *f)
{
	int rc;

	start_ready();
	rc = loop_run(f->loop);
	if (rc < 0)
		log_errx("event loop: %s", strerror(-rc));
	return rc;
}

void
front_close(struct front *f)
{
	bus_client_close(f->bus);
	rpc_close(f->rpc);
	loop_free(f->loop);
	free(f->instance);
}
