/* The request as handlerd gets it; see question.h. */
#include "httpsbootd/question.h"

#include "common/arch.h"
#include "common/params.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a request to handlerd may hold (common/msg.c). */
#define PARAMS_MAX (1u << 20)

static bool
has_field(const struct form *form, struct slice name)
{
	for (size_t i = 0; i < form->n; i++) {
		struct slice had = form->fields[i].name;

		if (had.n == name.n && name.n > 0 &&
		    strncasecmp((const char *)had.p, (const char *)name.p, name.n) == 0)
			return true;
	}
	return false;
}

/*
 * The form that handlerd gets: the body, then what the query tells beside it.  A referral's URL
 * has its mark in the query, and iPXE posts a form to it.
 */
static struct slice
join_params(const struct exchange *x, const struct form *body, char *dst)
{
	struct slice query = x->route.query, name, value;
	size_t used = x->body_n;

	if (x->body_n == 0)
		return query;
	memcpy(dst, x->body, x->body_n);
	while (params_next(&query, &name, &value)) {
		size_t n = name.n + value.n + 2; /* with '&' and '=' */

		if (has_field(body, name) || used + n > PARAMS_MAX)
			continue;
		dst[used] = '&';
		memcpy(dst + used + 1, name.p, name.n);
		dst[used + 1 + name.n] = '=';
		if (value.n > 0)
			memcpy(dst + used + 2 + name.n, value.p, value.n);
		used += n;
	}
	return (struct slice){ (const uint8_t *)dst, used };
}

/* What the client proved itself with; valid while the connection is. */
static void
add_identity(const struct exchange *x, struct boot_request *r)
{
	const struct tls_identity *id = x->identity;

	if (id == NULL)
		return;
	r->client_subject = slice_str(id->subject);
	r->client_issuer = slice_str(id->issuer);
	r->client_serial = slice_str(id->serial);
	r->client_fingerprint = slice_str(id->fingerprint);
}

bool
question_ask(struct exchange *x)
{
	static const enum boot_stage stages[] = {
		[ROUTE_BOOT] = STAGE_BOOT,
		[ROUTE_FILE] = STAGE_FILE,
		[ROUTE_REPORT] = STAGE_REPORT,
	};
	const char *agent = exchange_header(x, MHD_HTTP_HEADER_USER_AGENT);
	/* decoding never makes anything longer, joining by two octets a pair without '=' */
	size_t size = 2 * x->route.query.n + x->body_n + 2;
	uint8_t *scratch = malloc(2 * size);
	struct form form = { .n = 0 };
	struct wbuf w;
	struct boot_request r = {
		.stage = stages[x->route.kind],
		.via = x->secure ? VIA_HTTPS : VIA_HTTP,
		.arch = ARCH_UNKNOWN,
		.address = x->peer,
		.server = x->local,
		.subnet = slice_str(x->worker->instance),
		.file = { (const uint8_t *)x->route.rest, x->route.rest_n },
		.head_only = x->head,
	};

	if (scratch == NULL)
		return false;
	add_identity(x, &r);
	wbuf_init(&w, scratch, size);
	form_parse((struct slice){ x->body, x->body_n }, &w, &form);
	r.params = join_params(x, &form, (char *)scratch + size);
	form_parse(x->route.query, &w, &form);
	form_to_request(&form, &r);
	/* who does not say who he is may have an address that does */
	if (r.mac.len == 0 && r.boot == 0 && r.token.n == 0)
		(void)mac_from_ipv6(&r.address, &r.mac);
	if (r.version.n == 0 && agent != NULL)
		r.version = (struct slice){ (const uint8_t *)agent, strnlen(agent, 255) };
	if (agent != NULL && strncmp(agent, "UefiHttpBoot/", 13) == 0)
		r.client = CLIENT_HTTP;
	else if (agent != NULL && strncmp(agent, "iPXE/", 5) == 0)
		r.client = CLIENT_IPXE;
	x->question = bus_ask(x->worker->bus, &r, x);
	free(scratch);
	return x->question != 0;
}
