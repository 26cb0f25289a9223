/* The self-test at the start; see checkup.h. */
#include "dhcpproxyd/checkup.h"

#include "common/log.h"
#include "common/netcheck.h"
#include "common/probe_web.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_MS   3000 /* the other daemons may just be starting, too */
#define AGAIN_MS   1000
#define PATIENCE_S 15   /* with handlerd */
#define TRIES      3    /* to fetch a file, */
#define FETCH_MS   3000 /* each so long */
#define FILE_MAX   512
#define QUESTIONS  4

/* Whom it asks for; machines that are not there (see emulated.h), but for their last octet. */
static const struct {
	const char *name;
	enum boot_client client;
	uint16_t arch;
} kinds[QUESTIONS] = {
	{ "BIOS", CLIENT_PXE, 0 },
	{ "UEFI x64", CLIENT_PXE, 7 },
	{ "UEFI arm64", CLIENT_PXE, 11 },
	{ "UEFI HTTP Boot", CLIENT_HTTP, 16 },
};

struct question {
	struct asked asked;
	bool offered;
	enum boot_reason reason;
	struct ipaddr server;
	char file[FILE_MAX];
};

/* What the thread works on. */
struct job {
	struct netfacts facts;
	struct findings findings;
	bool connected;
	bool impatient; /* something could not be fetched */
	struct ipaddr own;
	struct question questions[QUESTIONS];
};

struct checkup {
	struct front *front;
	const struct networks *networks;
	struct loop_timer timer;
	uint64_t began_ms;
	size_t waiting;
	struct job *job; /* until the thread has it */
};

/* --- in the thread -------------------------------------------------------------------------- */

/* A daemon that is just starting gets other chances; when these are used up, all were. */
static void
fetch(struct job *j, const struct question *q, struct probe_result *ret)
{
	bool web = strstr(q->file, "://") != NULL;
	int tries = j->impatient ? 1 : TRIES;

	for (int i = 0; i < tries; i++) {
		if (i > 0)
			(void)sleep(1);
		if (web) {
			const struct probe_web ask = { .url = q->file,
				.method = "HEAD",
				.from = j->own,
				.wait_ms = FETCH_MS };

			probe_web(&ask, ret);
		} else {
			const struct probe_tftp ask = { .server = q->server,
				.port = 69,
				.from = j->own,
				.name = q->file,
				.wait_ms = FETCH_MS };

			probe_tftp(&ask, ret);
		}
		if (ret->good)
			return;
	}
	j->impatient = true;
}

static void
check_files(struct job *j)
{
	enum boot_reason reason = REASON_UNSPECIFIED;
	struct probe_result r;
	size_t offers = 0;

	for (size_t i = 0; i < QUESTIONS; i++) {
		struct question *q = &j->questions[i];
		char ip[IP_STRLEN];

		if (!q->offered) {
			reason = q->reason;
			continue;
		}
		offers++;
		if (q->file[0] == '\0' || q->server.family != 4)
			continue; /* it is to leave network boot */
		fetch(j, q, &r);
		if (!r.good)
			finding_add(&j->findings, FINDING_FAULT, "file",
			    "such machines find nothing to start",
			    "see that tftpd and httpsbootd run there, and their logs",
			    "%s is offered %.200s, and %s does not give it: %.150s", kinds[i].name,
			    q->file, ip_format(&q->server, ip), r.text);
	}
	if (offers == 0)
		finding_add(&j->findings, FINDING_WARNING, "offers", "no machine boots from here",
		    "ferryctl status tells what is missing, ferryctl doctor dhcp more",
		    "no kind of firmware would be offered anything: %s", boot_reason_name(reason));
}

static void *
work(void *arg)
{
	struct job *j = arg;

	netfacts_read(&j->facts);
	netcheck_judge(&j->facts, &j->findings);
	if (j->connected)
		check_files(j);
	else
		finding_add(&j->findings, FINDING_FAULT, "handlerd",
		    "without it clients get silence", "start it, or correct the key `handler`",
		    "none is connected");
	for (size_t i = 0; i < j->findings.n; i++) {
		const struct finding *f = &j->findings.v[i];

		if (f->verdict != FINDING_GOOD)
			log_warnx(
			    "self-test: %s: %s: %s (%s)", f->check, f->found, f->effect, f->cure);
	}
	free(j);
	return NULL;
}

/* --- in the loop ---------------------------------------------------------------------------- */

/* Whether the port of DHCP is read by packet sockets. */
static bool
reads_packets(const struct networks *n)
{
	json_t *status = json_object();
	const json_t *link;
	bool found = false;
	size_t i;

	networks_status(n, status);
	json_array_foreach(json_object_get(status, "interfaces"), i, link)
	{
		const char *kind = json_string_value(json_object_get(link, "dhcp"));

		found = found || (kind != NULL && strcmp(kind, "packet") == 0);
	}
	json_decref(status);
	return found;
}

static void
take_facts(const struct checkup *c, struct netfacts *f)
{
	const struct dhcpproxyd_conf *conf = c->front->conf;

	/* of several interfaces, or those of a pattern, what they share is looked at */
	if (conf->interfaces.n == 1 && strpbrk(conf->interfaces.v[0], "*?[") == NULL)
		(void)strncpy(f->interface, conf->interfaces.v[0], sizeof(f->interface) - 1);
	f->address = conf->address;
	f->dhcp_port = conf->listen_dhcp ? (uint16_t)conf->port : 0;
	f->boot_port = conf->listen_boot ? (uint16_t)conf->boot_port : 0;
	f->pid = getpid();
	f->packet = reads_packets(c->networks);
}

static void
hand_over(struct checkup *c)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	take_facts(c, &c->job->facts);
	rc = pthread_attr_init(&attr);
	if (rc == 0) {
		(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		rc = pthread_create(&thread, &attr, work, c->job);
		(void)pthread_attr_destroy(&attr);
	}
	if (rc != 0) {
		log_warnx("self-test: no thread for it: %s", strerror(rc));
		free(c->job);
	}
	c->job = NULL;
}

void
checkup_answered(struct checkup *c, struct asked *asked, const struct boot_answer *answer)
{
	struct question *q = (struct question *)asked;

	if (answer != NULL) {
		q->offered = answer->action == ACTION_OFFER;
		q->reason = answer->reason;
		q->server = answer->server.family != 0 ? answer->server : c->job->own;
		(void)slice_copy(q->file, sizeof(q->file), answer->file);
	}
	if (--c->waiting == 0)
		hand_over(c);
}

static void
ask(struct checkup *c)
{
	for (size_t i = 0; i < QUESTIONS; i++) {
		struct boot_request r = {
			.stage = STAGE_DISCOVER,
			.client = kinds[i].client,
			.via = VIA_DHCP,
			.arch = kinds[i].arch,
			.mac = { .len = 6, .b = { 0x02, 0xd0, 0xc7, 0, 0, (uint8_t)(0xf0 + i) } },
			.server = c->job->own,
			.subnet = slice_str(c->front->instance),
			.interface = slice_str(c->job->facts.interface),
			.selftest = true,
		};

		c->job->questions[i].asked.selftest = true;
		if (bus_ask(c->front->bus, &r, &c->job->questions[i].asked) != 0)
			c->waiting++;
	}
	if (c->waiting == 0)
		hand_over(c);
}

static void
on_timer(void *arg)
{
	struct checkup *c = arg;
	uint64_t now_ms = loop_now_ms(c->front->loop);

	c->job->connected = bus_is_up(c->front->bus);
	if (!c->job->connected) {
		if (now_ms - c->began_ms < PATIENCE_S * 1000)
			(void)loop_timer_set(c->front->loop, &c->timer, AGAIN_MS);
		else
			hand_over(c);
		return;
	}
	c->job->own = networks_address(c->networks);
	ask(c);
}

int
checkup_start(struct front *front, const struct networks *networks, struct checkup **ret)
{
	struct checkup *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->job = calloc(1, sizeof(*c->job));
	if (c == NULL || c->job == NULL) {
		free(c);
		return -ENOMEM;
	}
	c->front = front;
	c->networks = networks;
	c->began_ms = loop_now_ms(front->loop);
	loop_timer_init(&c->timer, on_timer, c);
	if (loop_timer_set(front->loop, &c->timer, FIRST_MS) < 0) {
		checkup_free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void
checkup_free(struct checkup *c)
{
	if (c == NULL)
		return;
	loop_timer_clear(c->front->loop, &c->timer);
	free(c->job);
	free(c);
}
