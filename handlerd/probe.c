/* Health checks; see probe.h. */
#include "handlerd/probe.h"

#include "common/http.h"
#include "common/log.h"
#include "common/sockaddr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define FIRST_WITHIN_MS 1000
#define ANSWER_MAX      65536 /* bytes of an HTTP answer; a longer one is a sign of life, too */

/* TFTP (RFC 1350, RFC 2347); what a probe needs of it is three opcodes. */
#define TFTP_RRQ         1
#define TFTP_DATA        3
#define TFTP_ERROR       5
#define TFTP_OACK        6
#define TFTP_NOT_DEFINED 0
#define TFTP_BAD_OPTIONS 8

struct probe {
	struct prober *prober;
	const struct target_conf *conf;
	struct probe_place place;
	struct target_health *health;
	struct loop_timer timer; /* to the next step: begin, send again, give up */
	struct loop_fd lf;
	int fd; /* -1: none is open */
	struct http_request *request;
	bool running;
	bool again; /* TFTP: the request has been sent twice */
	uint64_t began_ms;
};

struct prober {
	struct loop *loop;
	struct http *http; /* NULL: no target has such a probe */
	struct probe *probes;
	struct target_health *health;
	size_t n;
};

static uint64_t
random_below(uint64_t n)
{
	uint64_t v = 0;

	/* without it all probes merely begin together */
	(void)!getrandom(&v, sizeof(v), GRND_NONBLOCK);
	return n > 0 ? v % n : 0;
}

static void
set_timer(struct probe *p, uint64_t delay_ms)
{
	if (loop_timer_set(p->prober->loop, &p->timer, delay_ms) < 0)
		log_warnx("target %s: no memory for a timer: it is probed no more", p->conf->name);
}

static void
close_socket(struct probe *p)
{
	if (p->fd < 0)
		return;
	loop_del(p->prober->loop, &p->lf);
	close(p->fd);
	p->fd = -1;
}

/* The probe is over: `why` is NULL for a good one. */
static void
finish(struct probe *p, const char *why)
{
	uint64_t interval = (uint64_t)p->conf->probe.interval_ms;
	uint64_t took = loop_now_ms(p->prober->loop) - p->began_ms;
	bool first = !p->health->probed;

	close_socket(p);
	p->running = false;
	if (target_health_note(p->health, p->conf, why,
		took > UINT32_MAX ? UINT32_MAX : (uint32_t)took, wall_clock_ms()) ||
	    first)
		log_info("target %s %s probe=%s ms=%llu%s%s", p->conf->name,
		    p->health->down ? "down" : "up",
		    target_probe_name((enum target_probe)p->conf->probe.kind),
		    (unsigned long long)took, why != NULL ? " why=" : "", why != NULL ? why : "");
	set_timer(p, interval - interval / 10 + random_below(interval / 5 + 1));
}

static void
finish_errno(struct probe *p, int error)
{
	finish(p, strerror(error));
}

static int
open_socket(struct probe *p, int type, uint32_t events, loop_fd_fn *fn)
{
	int rc;

	p->fd = socket(p->place.address.family == 4 ? AF_INET : AF_INET6,
	    type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return -errno;
	rc = loop_add(p->prober->loop, &p->lf, p->fd, events, fn, p);
	if (rc < 0) {
		close(p->fd);
		p->fd = -1;
	}
	return rc;
}

/* --- TCP -------------------------------------------------------------------------------------- */

static void
tcp_ready(void *arg, uint32_t events)
{
	struct probe *p = arg;
	socklen_t n = sizeof(int);
	int error = 0;

	(void)events;
	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		error = errno;
	if (error != 0)
		finish_errno(p, error);
	else
		finish(p, NULL);
}

static void
tcp_begin(struct probe *p)
{
	struct sockaddr_storage sa;
	socklen_t n = sockaddr_from_ip(&p->place.address, p->place.port, &sa);
	int rc = open_socket(p, SOCK_STREAM, EPOLLOUT, tcp_ready);

	if (rc < 0)
		finish_errno(p, -rc);
	else if (connect(p->fd, (const struct sockaddr *)&sa, n) < 0 && errno != EINPROGRESS)
		finish_errno(p, errno);
	/* else tcp_ready() comes, also for one that is made already */
}

/* --- TFTP ------------------------------------------------------------------------------------- */

/* Ends the transfer that the server has begun, so that it need not send to the air. */
static void
tftp_end(struct probe *p, uint16_t code, const struct sockaddr *to, socklen_t to_n)
{
	uint8_t packet[32];
	struct wbuf w;

	wbuf_init(&w, packet, sizeof(packet));
	wbuf_u16(&w, TFTP_ERROR);
	wbuf_u16(&w, code);
	wbuf_str(&w, "only probing");
	wbuf_u8(&w, '\0');
	(void)sendto(p->fd, packet, w.used, 0, to, to_n); /* if it is lost, the server gives up */
}

static void
tftp_answered(struct probe *p, struct rbuf *r, const struct sockaddr *from, socklen_t from_n)
{
	uint16_t opcode = rbuf_u16(r), code = rbuf_u16(r);
	char why[64];

	if (opcode == TFTP_OACK || opcode == TFTP_DATA) {
		tftp_end(
		    p, opcode == TFTP_OACK ? TFTP_BAD_OPTIONS : TFTP_NOT_DEFINED, from, from_n);
		finish(p, NULL);
	} else if (opcode == TFTP_ERROR && !r->bad) {
		(void)snprintf(why, sizeof(why), "TFTP error %u", code);
		finish(p, p->conf->probe.any_answer ? NULL : why);
	}
	/* anything else is no answer */
}

static void
tftp_ready(void *arg, uint32_t events)
{
	struct probe *p = arg;
	struct sockaddr_storage sa;
	socklen_t sa_n = sizeof(sa);
	struct ipaddr from;
	uint8_t packet[2048];
	struct rbuf r;
	ssize_t n;

	(void)events;
	n = recvfrom(p->fd, packet, sizeof(packet), 0, (struct sockaddr *)&sa, &sa_n);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			finish_errno(p, errno);
		return;
	}
	from = ip_from_sockaddr((const struct sockaddr *)&sa);
	if (!ip_eq(&from, &p->place.address))
		return; /* a stranger's; from which port is the server's choice */
	rbuf_init(&r, packet, (size_t)n);
	tftp_answered(p, &r, (const struct sockaddr *)&sa, sa_n);
}

static void
tftp_send(struct probe *p)
{
	struct sockaddr_storage sa;
	socklen_t n = sockaddr_from_ip(&p->place.address, p->place.port, &sa);
	uint8_t packet[TARGET_URL_MAX + 64];
	struct wbuf w;

	wbuf_init(&w, packet, sizeof(packet));
	wbuf_u16(&w, TFTP_RRQ);
	wbuf_bytes(&w, p->place.what, strlen(p->place.what) + 1);
	wbuf_bytes(&w, "octet", 6);
	wbuf_bytes(&w, "tsize", 6);
	wbuf_bytes(&w, "0", 2);
	if (sendto(p->fd, packet, w.used, 0, (const struct sockaddr *)&sa, n) < 0)
		finish_errno(p, errno);
	else
		set_timer(p, (uint64_t)(p->conf->probe.timeout_ms + 1) / 2);
}

static void
tftp_begin(struct probe *p)
{
	int rc = open_socket(p, SOCK_DGRAM, EPOLLIN, tftp_ready);

	p->again = false;
	if (rc < 0)
		finish_errno(p, -rc);
	else
		tftp_send(p);
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static void
http_done(void *arg, const struct http_answer *answer)
{
	struct probe *p = arg;
	bool good = answer->error == -EFBIG ||
	            (answer->error == 0 && answer->status >= 200 &&
			answer->status < (p->conf->probe.any_answer ? 500 : 400));

	p->request = NULL;
	finish(p, good ? NULL : answer->text);
}

static void
https_begin(struct probe *p)
{
	const struct http_ask ask = {
		.method = "GET",
		.url = p->place.what,
		.deadline_ms = (uint32_t)p->conf->probe.timeout_ms,
	};
	int rc = http_ask(p->prober->http, &ask, http_done, p, &p->request);

	if (rc < 0)
		finish_errno(p, -rc);
}

/* --- all of them ------------------------------------------------------------------------------ */

static void
begin(struct probe *p)
{
	p->running = true;
	p->began_ms = loop_now_ms(p->prober->loop);
	switch ((enum target_probe)p->conf->probe.kind) {
	case PROBE_TFTP: tftp_begin(p); break;
	case PROBE_HTTPS: https_begin(p); break; /* its time limit is the library's */
	default: set_timer(p, (uint64_t)p->conf->probe.timeout_ms); tcp_begin(p);
	}
}

static void
on_timer(void *arg)
{
	struct probe *p = arg;
	char why[64];

	if (!p->running) {
		begin(p);
	} else if (p->conf->probe.kind == PROBE_TFTP && !p->again) {
		p->again = true; /* a datagram may get lost */
		tftp_send(p);
	} else {
		(void)snprintf(why, sizeof(why), "no answer within %lld ms",
		    (long long)p->conf->probe.timeout_ms);
		finish(p, why);
	}
}

static uint64_t
first_delay(const struct target_conf *conf)
{
	uint64_t interval = (uint64_t)conf->probe.interval_ms;

	return random_below(interval < FIRST_WITHIN_MS ? interval : FIRST_WITHIN_MS);
}

static int
open_http(struct prober *pr, const struct referral_conf *conf)
{
	const struct http_conf hc = {
		.ca = conf->probe_ca,
		.certificate = "",
		.key = "",
		.token_file = "",
		.proxy = "",
		.max_answer = ANSWER_MAX,
	};

	for (size_t i = 0; i < conf->targets.n; i++) {
		if (((const struct target_conf *)conf->targets.v)[i].probe.kind == PROBE_HTTPS)
			return http_open(pr->loop, &hc, &pr->http);
	}
	return 0;
}

int
prober_open(struct loop *loop, const struct referral_conf *conf, const struct targets *targets,
    struct prober **ret)
{
	struct prober *pr = calloc(1, sizeof(*pr));
	int rc;

	if (pr == NULL)
		return -ENOMEM;
	pr->loop = loop;
	pr->probes = calloc(targets->n + 1, sizeof(*pr->probes));
	pr->health = calloc(targets->n + 1, sizeof(*pr->health));
	rc = pr->probes == NULL || pr->health == NULL ? -ENOMEM : open_http(pr, conf);
	for (size_t i = 0; rc == 0 && i < targets->n; i++) {
		struct probe *p = &pr->probes[pr->n++];

		*p = (struct probe){
			.prober = pr, .conf = targets->v[i].conf, .health = &pr->health[i], .fd = -1
		};
		loop_timer_init(&p->timer, on_timer, p);
		if (p->conf->probe.kind == PROBE_NONE)
			continue;
		rc = target_probe_place(p->conf, &p->place);
		if (rc == 0)
			rc = loop_timer_set(loop, &p->timer, first_delay(p->conf));
	}
	if (rc < 0) {
		prober_close(pr);
		return rc;
	}
	*ret = pr;
	return 0;
}

void
prober_close(struct prober *pr)
{
	if (pr == NULL)
		return;
	for (size_t i = 0; i < pr->n; i++) {
		struct probe *p = &pr->probes[i];

		loop_timer_clear(pr->loop, &p->timer);
		close_socket(p);
		if (p->request != NULL)
			http_cancel(p->request);
	}
	http_close(pr->http);
	free(pr->probes);
	free(pr->health);
	free(pr);
}

static bool
same_probe(const struct probe *a, const struct probe *b)
{
	return strcmp(a->conf->name, b->conf->name) == 0 &&
	       a->conf->probe.kind == b->conf->probe.kind &&
	       ip_eq(&a->place.address, &b->place.address) && a->place.port == b->place.port &&
	       strcmp(a->place.what, b->place.what) == 0;
}

void
prober_adopt(struct prober *pr, const struct prober *before)
{
	for (size_t i = 0; i < pr->n; i++) {
		for (size_t k = 0; k < before->n; k++) {
			if (same_probe(&pr->probes[i], &before->probes[k]))
				pr->health[i] = before->health[k];
		}
	}
}

const struct target_health *
prober_health(const struct prober *pr)
{
	return pr->health;
}

json_t *
prober_status(const struct prober *pr)
{
	json_t *list = json_array();

	for (size_t i = 0; i < pr->n; i++) {
		const struct probe *p = &pr->probes[i];
		const struct target_health *h = p->health;

		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "name",
			      p->conf->name, "state", h->down ? "down" : "up", "probe",
			      target_probe_name((enum target_probe)p->conf->probe.kind), "since_ms",
			      (json_int_t)h->since_ms, "probed_ms", (json_int_t)h->probed_ms,
			      "took_ms", (json_int_t)h->took_ms, "probes", (json_int_t)h->probes,
			      "failures", (json_int_t)h->failures, "why", h->why));
	}
	return list;
}
