/* Decisions for people; see explain.h. */
#include "handlerd/explain.h"

#include "common/arch.h"
#include "common/hex.h"
#include "common/json_text.h"
#include "handlerd/judge.h"

static void
set_text(json_t *o, const char *key, struct slice s)
{
	if (s.n > 0)
		json_object_set_new(o, key, json_text(s));
}

static void
set_name(json_t *o, const char *key, const char *s)
{
	json_object_set_new(o, key, json_string(s));
}

static void
add_step(void *arg, const char *step, bool decided, const char *why)
{
	json_t *steps = arg;

	json_array_append_new(
	    steps, json_pack("{s:o, s:b, s:o}", "step", json_text(slice_str(step)), "decided",
		       decided, "why", json_text(slice_str(why))));
}

static json_t *
explain_steps(const struct policy *policy, const struct facts *facts)
{
	json_t *steps = json_array();
	struct ruling ruling;

	if (facts->loop_until_ms > facts->now_ms)
		add_step(steps, "loop-guard", true,
		    "it fetched the same loader again and again; ferryctl loops tells until when");
	else if (facts->subject.stage != STAGE_FILE && facts->subject.stage != STAGE_REPORT)
		judge(policy, facts, add_step, steps, &ruling);
	return steps;
}

static json_t *
explain_machine(const struct machine_knowledge *k)
{
	json_t *o;

	if (!k->known)
		return json_null();
	o = json_pack("{s:I, s:s, s:b, s:b}", "id", (json_int_t)k->m.id, "state",
	    machine_state_name(k->m.state), "new", k->is_new, "assigned", k->is_assigned);
	set_text(o, "entry", k->m.entry);
	set_text(o, "group", k->m.group);
	return o;
}

static json_t *
explain_request(const struct boot_request *r, const struct subject *s)
{
	char mac[MAC_STRLEN], uuid[UUID_STRLEN];
	json_t *o = json_object(), *groups;

	set_name(o, "stage", boot_stage_name(r->stage));
	set_name(o, "client", boot_client_name(s->client));
	set_name(o, "arch", arch_cpu_name(s->cpu));
	if (s->mac.len > 0)
		set_name(o, "mac", mac_format(&s->mac, mac));
	if (s->has_uuid)
		set_name(o, "uuid", uuid_format(&s->uuid, uuid));
	set_text(o, "manufacturer", s->manufacturer);
	set_text(o, "product", s->product);
	set_text(o, "serial", s->serial);
	set_text(o, "asset", s->asset);
	if (s->client_subject.n > 0) {
		set_text(o, "client_subject", s->client_subject);
		set_text(o, "client_issuer", s->client_issuer);
		set_text(o, "client_serial", s->client_serial);
		set_text(o, "client_fingerprint", s->client_fingerprint);
	}
	set_text(o, "subnet", s->subnet);
	json_object_set_new(o, "attempt", json_integer(s->attempt));
	set_name(o, "outcome", rule_outcome_name(s->outcome));
	groups = json_array();
	for (size_t i = 0; i < s->ngroups; i++)
		json_array_append_new(groups, json_text(s->groups[i]));
	json_object_set_new(o, "groups", groups);
	return o;
}

static json_t *
explain_need(unsigned need)
{
	json_t *list = json_array();

	for (enum source i = 0; i < SOURCES; i++) {
		if ((need >> i & 1) != 0)
			json_array_append_new(list, json_string(source_name(i)));
	}
	return list;
}

json_t *
explain_outcome(const struct decision *d)
{
	const struct boot_answer *a = &d->answer;
	json_t *o = json_object();
	char ip[IP_STRLEN];

	set_name(o, "action", d->need != 0 ? "pending" : boot_action_name(a->action));
	set_text(o, "rule", a->rule);
	set_name(o, "reason", boot_reason_name(a->reason));
	if (a->action == ACTION_OFFER) {
		set_name(o, "style", offer_style_name(a->style));
		if (a->server.family != 0)
			set_name(o, "server", ip_format(&a->server, ip));
	}
	set_text(o, "file", a->file);
	if (d->entry[0] != '\0')
		set_name(o, "entry", d->entry);
	set_text(o, "text", a->text);
	return o;
}

/* An offer as handlerd would send it, from which its packet can be built. */
static void
set_message(json_t *o, const struct boot_answer *a)
{
	struct boot_answer numbered = *a;
	uint8_t bytes[4096];
	char hex[2 * sizeof(bytes) + 1];
	struct msg_writer w;

	numbered.id = 1;
	msg_begin(&w, bytes, sizeof(bytes), MSG_ANSWERS, 0);
	if (a->action == ACTION_OFFER && msg_put_answer(&w, &numbered) == 0)
		set_name(o, "message", hex_format(msg_end(&w), hex));
}

/* Why a loader is offered in this style. */
static void
explain_style(json_t *o, const struct facts *facts, const struct decision *d)
{
	char key[FIRMWARE_KEY_STRLEN];

	if (d->answer.action != ACTION_OFFER || (d->effects & EFFECT_LOADER) == 0)
		return;
	set_name(o, "style_why", style_why_name(d->style_why));
	set_name(o, "style_words", style_why_words(d->style_why));
	if (facts->firmware != 0)
		set_name(o, "model", firmware_key_format(facts->firmware, key));
}

json_t *
explain_decision(const struct boot_request *r, const struct policy *policy,
    const struct facts *facts, const struct decision *d)
{
	const struct boot_answer *a = &d->answer;
	json_t *o = explain_outcome(d);
	char ip[IP_STRLEN];

	if (a->action == ACTION_DATA && a->data.n > 0)
		set_text(o, "script", a->data);
	if ((d->effects & EFFECT_LOADER) != 0)
		set_name(o, "loader_why", adapt_reason_name(d->loader_why));
	explain_style(o, facts, d);
	if (facts->tftp_load != 0) {
		json_object_set_new(o, "tftpd_load", json_integer(facts->tftp_load));
		set_text(o, "tftpd_subnet", facts->tftp_subnet);
	}
	if (a->delay_ms != 0) {
		json_object_set_new(o, "delay_ms", json_integer(a->delay_ms));
		set_text(o, "delay_why", d->delay_words);
	}
	set_message(o, a);
	json_object_set_new(o, "asks", explain_need(d->need));
	json_object_set_new(o, "policy", json_integer((json_int_t)policy->number));
	if (r->server.family != 0)
		set_name(o, "own_address", ip_format(&r->server, ip));
	json_object_set_new(o, "machine", explain_machine(&facts->machine));
	json_object_set_new(o, "request", explain_request(r, &facts->subject));
	json_object_set_new(o, "steps", explain_steps(policy, facts));
	return o;
}
