/*
 * How a request to the origin ends; see pull.h.  The end of a file is given to nobody before all of
 * it was checked, so that one which is short or wrong looks complete to nobody.
 */
#include "common/log.h"
#include "httpsbootd/pull_parts.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
fetch_free(struct fetch *f)
{
	EVP_MD_CTX_free(f->digest);
	free(f);
}

/* With the lock held: others get its place. */
static void
leave(struct fetch *f)
{
	struct pull *pull = f->pull;
	struct fetch **at = &pull->running;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	pull->nrunning--;
	loop_timer_clear(pull->thread.loop, &f->retry); /* here, for the loop is this thread's */
}

void
fetch_let_go(struct fetch *f)
{
	struct pull *pull = f->pull;
	struct pull_file *file = f->p->file;
	int fd;

	pull_lock(pull);
	pull->shelf.reserved -= f->reserved;
	if (file->coming == f->p)
		file->coming = NULL;
	if (file->asked == f->p)
		file->asked = NULL;
	f->p->fetch = NULL;
	pull_unref(f->p, &fd);
	if (fd >= 0)
		pull_keeper_close(pull, fd);
	pull_unlock(pull);
	fetch_free(f);
	pull_wake(pull);
	pull_hurry(pull); /* from the loop: nothing is begun within the end of another */
}

static void
end(struct fetch *f)
{
	pull_lock(f->pull);
	leave(f);
	pull_unlock(f->pull);
	fetch_let_go(f);
}

/* With the lock held: the origin is there. */
static void
note_reached(struct pull *pull)
{
	if (pull->failures > 0)
		log_peer_info("origin: it can be reached again");
	pull->failures = 0;
	pull->pause_ms = 0;
}

/* Clients are given what there was before, if that may still be right. */
static bool
give_stale(struct fetch *f)
{
	struct pull_file *file = f->p->file;

	if (f->p->fd >= 0 || atomic_load(&f->p->state) != PULL_ASKING || !file->item.kept ||
	    keep_judge(&file->note, &f->want, wall_clock_ms(), f->pull->conf.fresh_ms) ==
		KEEP_WRONG ||
	    !pull_take_kept(f->p))
		return false;
	pull_note_stale(f->pull, file);
	return true;
}

void
fetch_fail(struct fetch *f, int error, const char *text)
{
	struct pull *pull = f->pull;
	struct pulled *p = f->p;
	struct pull_file *file = p->file;
	uint64_t now_ms = pull_now_ms(), wait_ms;
	char path[LOG_QUOTE_SIZE];

	if (error == -ELOOP) /* told once, not for each file */
		log_peer_debug("origin: %s: %s", log_quote(slice_str(file->item.path), path), text);
	else
		log_peer_warn("origin: %s: %s", log_quote(slice_str(file->item.path), path), text);
	if (p->fd >= 0)
		pull_disk_forget(pull->dir, file->item.path);
	PULL_ADD(pull, failures, 1);
	pull_lock(pull);
	wait_ms = keep_pause_ms(++file->failures);
	file->pause_ms = now_ms + wait_ms;
	file->error = error == -EFBIG || error == -EACCES || error == -ELOOP ? error : -EAGAIN;
	(void)snprintf(file->text, sizeof(file->text), "%s", text);
	if ((file->error == -EAGAIN || file->error == -ELOOP) && give_stale(f)) {
		pull_unlock(pull);
		end(f);
		return;
	}
	p->error = file->error;
	p->retry_s = (uint32_t)((wait_ms + 999) / 1000);
	memcpy(p->text, file->text, sizeof(p->text));
	atomic_store_explicit(&p->state, PULL_FAILED, memory_order_release);
	pull_unlock(pull);
	end(f);
}

/* Our own request came back to us, or the origin had one of its own back. */
void
fetch_fail_ring(struct fetch *f)
{
	struct pull *pull = f->pull;
	char text[sizeof(pull->ring)];
	const char *ring;

	pull_lock(pull);
	ring = pull_ring_words(pull);
	(void)snprintf(text, sizeof(text), "%s",
	    ring != NULL ? ring : "the origin is in a ring of servers that are each other's");
	pull_unlock(pull);
	fetch_fail(f, -ELOOP, text);
}

/* The origin cannot be reached, by this request or any other. */
static void
fail_origin(struct fetch *f, const char *text)
{
	struct pull *pull = f->pull;

	pull_turn(pull, f->url);
	pull_lock(pull);
	/* one outage, not as many as there are files */
	if (pull->pause_ms <= pull_now_ms())
		pull->pause_ms = pull_now_ms() + keep_pause_ms(++pull->failures);
	(void)snprintf(pull->problem, sizeof(pull->problem), "%s", text);
	pull_unlock(pull);
	fetch_fail(f, -EAGAIN, text);
}

static void
end_absent(struct fetch *f)
{
	struct pull *pull = f->pull;
	struct pull_file *file = f->p->file;

	PULL_ADD(pull, absent, 1);
	pull_lock(pull);
	if (file->item.kept)
		pull_keeper_drop(pull, file);
	file->failures = 0;
	file->pause_ms = pull_now_ms() + keep_pause_ms(3);
	file->error = f->p->error = -ENOENT;
	(void)snprintf(file->text, sizeof(file->text), "no such file");
	memcpy(f->p->text, file->text, sizeof(f->p->text));
	atomic_store_explicit(&f->p->state, PULL_FAILED, memory_order_release);
	pull_unlock(pull);
	end(f);
}

/* The kept one still is the file. */
static void
end_unchanged(struct fetch *f)
{
	struct pull *pull = f->pull;
	struct pull_file *file = f->p->file;
	bool unchanged; /* f is the keeper's once it has it */

	pull_lock(pull);
	file->note.checked_ms = wall_clock_ms();
	f->note = file->note;
	f->unchanged = unchanged = pull_take_kept(f->p);
	file->failures = 0;
	file->pause_ms = 0;
	if (unchanged) {
		file->coming = NULL; /* it is on the shelf */
		leave(f);
		pull_keeper_take(f);
	}
	pull_unlock(pull);
	if (!unchanged) {
		fetch_fail(f, -EAGAIN, "the kept file is gone");
		return;
	}
	PULL_ADD(pull, unchanged, 1);
	pull_wake(pull);
	pull_hurry(pull);
}

static void
log_whole(const struct fetch *f)
{
	uint64_t ms = loop_now_ms(f->pull->thread.loop) - f->began_ms;
	char path[LOG_QUOTE_SIZE];

	log_peer_info("origin: fetched file=%s bytes=%llu ms=%llu",
	    log_quote(slice_str(f->note.path), path), (unsigned long long)f->note.size,
	    (unsigned long long)ms);
}

/* All of it is here and right: those who wait get the rest, and then it is put on the shelf. */
static void
end_whole(struct fetch *f)
{
	struct pull *pull = f->pull;
	struct pull_file *file = f->p->file;
	bool no_store = f->no_store; /* f is the keeper's once it has it */

	log_whole(f);
	pull_lock(pull);
	file->failures = 0;
	file->pause_ms = 0;
	if (no_store) { /* nor is what was kept before */
		pull_disk_forget(pull->dir, file->item.path);
		pull_keeper_drop(pull, file);
	} else {
		leave(f);
		pull_keeper_take(f);
	}
	pull_unlock(pull);
	pull_wake(pull);
	if (no_store)
		end(f);
	else
		pull_hurry(pull);
}

/* The answer to HEAD, or a whole file, unless it is a wrong one. */
static void
end_good(struct fetch *f)
{
	struct pull *pull = f->pull;
	unsigned n = DIGEST_BYTES;
	const char *text = "";
	int rc;

	if (f->head) {
		pull_lock(pull);
		atomic_store_explicit(&f->p->state, PULL_COMPLETE, memory_order_release);
		pull_unlock(pull);
		end(f);
		return;
	}
	if (EVP_DigestFinal_ex(f->digest, f->note.sha256, &n) != 1) {
		fetch_fail(f, -EAGAIN, "out of memory");
		return;
	}
	pull_lock(pull);
	f->note.size = atomic_load(&f->p->came);
	rc = keep_check_end(&f->want, f->length, f->note.size, f->note.sha256, &text);
	if (rc == 0) { /* at once: whoever joins from now on is compared with what came */
		atomic_store(&f->p->size, f->note.size);
		atomic_store_explicit(&f->p->state, PULL_COMPLETE, memory_order_release);
	}
	pull_unlock(pull);
	if (rc < 0)
		fetch_fail(f, rc, text);
	else
		end_whole(f);
}

/* What is worth a look when the origin wants to know who we are. */
static const char *const refusal_words[HTTP_AUTHS] = {
	[HTTP_AUTH_NONE] = ": it wants a login, and origin.auth is none",
	[HTTP_AUTH_BASIC] = ": are origin.user and its password right?",
	[HTTP_AUTH_NTLM] = ": are origin.user and its password right?",
	[HTTP_AUTH_NEGOTIATE] = ": is there a ticket for it (KRB5_CLIENT_KTNAME, KRB5CCNAME)?",
};

void
fetch_ended(void *arg, const struct http_answer *answer)
{
	struct fetch *f = arg;
	struct pull *pull = f->pull;
	char text[PULL_TEXT_SIZE];

	f->request = NULL;
	if (f->fault < 0) { /* we broke it off */
		fetch_fail(f, f->fault, f->fault_text);
		return;
	}
	if (fetch_breaks(f, answer) || fetch_turns(f, answer))
		return;
	if (answer->error == -ECONNREFUSED || answer->error == -EACCES ||
	    (answer->error == -ETIMEDOUT && f->p->fd < 0)) {
		(void)snprintf(text, sizeof(text), "%s%s%s",
		    f->again ? "the origin broke off: " : "",
		    answer->error == -EACCES ? "no TLS with the origin (see origin.ca): " : "",
		    answer->text);
		fail_origin(f, text);
		return;
	}
	pull_lock(pull);
	note_reached(pull);
	pull_unlock(pull);
	if (answer->error < 0) {
		(void)snprintf(text, sizeof(text), "the origin broke off: %s", answer->text);
		fetch_fail(f, -EAGAIN, text);
	} else if (answer->status == 304 && f->conditional && !f->again) {
		end_unchanged(f);
	} else if ((answer->status == 404 || answer->status == 410) && !f->again) {
		end_absent(f);
	} else if (answer->status == HTTP_LOOP_DETECTED) {
		fetch_fail_ring(f);
	} else if (answer->status != 200 && answer->status != 206) {
		(void)snprintf(text, sizeof(text), "the origin answers with status %ld%s",
		    answer->status, answer->status == 401 ? refusal_words[pull->conf.auth] : "");
		fetch_fail(f,
		    answer->status == 401 || answer->status == 403 || answer->status == 407
			? -EACCES
			: -EAGAIN,
		    text);
	} else {
		end_good(f);
	}
}
