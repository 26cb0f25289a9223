/*
 * What becomes of an exchange: how far a transfer is, its end, and who is told: the access log,
 * counters, and handlerd by events.
 */
#include "httpsbootd/exchange.h"

#include "httpsbootd/pulling.h"

#include <stdlib.h>
#include <unistd.h>

#define PROGRESS_MS 5000 /* between two reports of how far a transfer is */

void
exchange_report(
    struct exchange *x, enum event_kind kind, uint64_t bytes, uint64_t rate, const char *text)
{
	uint64_t ms = loop_now_ms(x->worker->loop) - x->began_ms;
	struct boot_event e = {
		.kind = kind,
		.via = x->secure ? VIA_HTTPS : VIA_HTTP,
		.boot = x->boot,
		.address = x->peer,
		.bytes = bytes,
		.duration_ms = ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms,
		.subnet = slice_str(x->worker->instance),
		.file = slice_str(x->path),
		.text = slice_str(text),
		.transfer = x->number,
		.size = x->transfer ? x->bytes : 0,
		.bytes_per_s = rate,
	};

	if (kind == EVENT_TRANSFER_BEGAN)
		e.duration_ms = 0;
	bus_event(x->worker->bus, &e);
}

void
exchange_progress(struct exchange *x, uint64_t ms, uint64_t taken)
{
	/* the head of the answer and TLS's own bytes are in it */
	uint64_t bytes = taken < x->bytes ? taken : x->bytes;
	uint64_t since_ms = ms - x->told_ms;

	if (!x->transfer || since_ms < PROGRESS_MS)
		return;
	exchange_report(
	    x, EVENT_TRANSFER_PROGRESS, bytes, (bytes - x->told_bytes) * 1000 / since_ms, "");
	x->told_ms = ms;
	x->told_bytes = bytes;
}

static void
log_exchange(const struct exchange *x, bool complete)
{
	struct access_log *log = x->worker->access_log;
	const struct access_line line = {
		.secure = x->secure,
		.boot = x->boot,
		.client = x->peer,
		.method = x->method,
		.target = x->target,
		.status = x->status,
		.bytes = x->head ? 0 : x->taken,
		.of = x->head ? 0 : x->bytes,
		.ms = loop_now_ms(x->worker->loop) - x->began_ms,
		.why = x->refused != REQHEAD_FINE ? reqhead_fault_name(x->refused)
		                                  : boot_reason_name(x->reason),
		.file = x->path,
		.tls_version = x->tls_version,
		.tls_suite = x->tls_suite,
		.agent = x->agent,
		.end = complete                ? NULL
		       : x->fault != PACE_FINE ? pace_fault_name(x->fault)
		                               : "aborted",
	};

	if (!access_log_is_on(log))
		return;
	access_log_write(log, &line);
}

/* The engine refuses by itself what is no HTTP, or too large a head; NULL: it has said nothing. */
static void
note_engine_status(struct exchange *x, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_HTTP_STATUS);

	if (x->status != 0 || info == NULL)
		return;
	x->status = info->http_status;
	SERVE_ADD(x->worker->stats.malformed, 1);
}

/* The exchange is over; `why` tells what went wrong, NULL: nothing. */
static void
finish(struct exchange *x, const char *why)
{
	struct worker *w = x->worker;
	struct exchange *next = x->follower;
	uint64_t taken = x->bytes;

	if (x->question != 0)
		bus_cancel(w->bus, x->question);
	if (why == NULL) {
		SERVE_ADD(w->stats.bytes, x->head ? 0 : x->bytes);
	} else {
		uint64_t n = watch_taken(exchange_watched(x));

		SERVE_ADD(w->stats.aborted, 1);
		taken = n < taken ? n : taken;
	}
	x->taken = taken;
	if (tls_body_of(x->client) == NULL) {
		watch_set_user(exchange_watched(x), next);
		exchange_enter(x, next != NULL                   ? PACE_THINK
				  : tls_conn_has_part(x->client) ? PACE_HEAD
								 : PACE_IDLE);
	}
	if (x->transfer)
		exchange_report(x, why == NULL ? EVENT_TRANSFER_FINISHED : EVENT_TRANSFER_FAILED,
		    taken, 0,
		    why == NULL             ? ""
		    : x->fault != PACE_FINE ? "the client took it too slowly"
					    : why);
	else if (x->route.kind == ROUTE_BOOT && x->status == MHD_HTTP_OK && why == NULL &&
		 !x->head && x->refused == REQHEAD_FINE)
		exchange_report(
		    x, EVENT_SCRIPT, x->bytes, 0, x->unanswered ? "handlerd did not answer" : "");
	if (x->status != 0)
		log_exchange(x, why == NULL);
	SERVE_ADD(w->stats.open, (uint64_t)-1);
	*x->prev = x->next;
	if (x->next != NULL)
		x->next->prev = x->prev;
	if (x->leader != NULL)
		x->leader->follower = NULL;
	if (next != NULL) {
		next->leader = NULL;
		MHD_resume_connection(next->connection);
		w->mhd_due = true;
	}
	if (x->delivers)
		close(x->delivery.fd);
	pulling_end(x);
	free(x->body);
	free(x->data);
	free(x);
}

static const char *const end_words[] = {
	[DELIVERY_COMPLETE] = NULL,
	[DELIVERY_CLOSED] = "the client closed the connection before it had all",
	[DELIVERY_STALLED] = "the client took nothing for too long",
	[DELIVERY_BROKEN] = "the file was changed meanwhile, or could not be read",
};

void
exchange_delivered(struct delivery *d, enum delivery_end end)
{
	struct exchange *x = exchange_of(d);

	finish(x, end == DELIVERY_BROKEN && d->ready != NULL ? pulling_why(x) : end_words[end]);
}

/* Seen of libmicrohttpd 0.9.75, where the names of a query do not fit the memory of its head. */
void
exchange_forget(struct worker *w, struct MHD_Connection *connection)
{
	struct fd_info *fd = exchange_fd(w, connection);
	struct exchange *x = fd->begun;

	if (x == NULL)
		return;
	fd->begun = NULL;
	note_engine_status(x, connection);
	finish(x, end_words[DELIVERY_CLOSED]);
}

/* How much of what the client sent was this request, as far as is known for certain. */
static uint64_t
request_bytes(const struct exchange *x, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return x->sent_n + (info != NULL ? info->header_size : 0);
}

void
exchange_end(void *cls, struct MHD_Connection *connection, void **con_cls,
    enum MHD_RequestTerminationCode code)
{
	bool complete = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
	struct exchange *x = *con_cls;

	(void)cls;
	if (x == NULL)
		return;
	*con_cls = NULL;
	if (x->first_call)
		exchange_fd(x->worker, connection)->begun = NULL;
	note_engine_status(x, connection);
	tls_conn_set_owed(x->client, false);
	tls_conn_answered(x->client, request_bytes(x, connection));
	if (x->delivers && complete && tls_body_begin(x->client, &x->delivery) == 0)
		return; /* exchange_delivered() goes on */
	if (x->delivers) {
		tls_body_forget(x->client);
		complete = false;
	}
	finish(x, end_words[complete                        ? DELIVERY_COMPLETE
			    : tls_conn_timed_out(x->client) ? DELIVERY_STALLED
							    : DELIVERY_CLOSED]);
}
