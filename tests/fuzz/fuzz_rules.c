/*
 * Rules with patterns of a stranger, one a line as "FIELD PATTERN", against one machine: what
 * compiles can be matched and explained, and both agree.
 */
#include "handlerd/rules.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void
ignore_error(void *arg, const char *path, const char *what)
{
	(void)arg;
	MUST(path[0] != '\0' && what[0] != '\0');
}

/* The field that a line names, and its pattern; RULE_FIELDS if it names none. */
static enum rule_field
split(char *line, char **pattern)
{
	char *blank = strchr(line, ' ');

	if (blank == NULL)
		return RULE_FIELDS;
	*blank = '\0';
	*pattern = blank + 1;
	for (enum rule_field f = 0; f < RULE_FIELDS; f++) {
		if (strcmp(rule_field_name(f), line) == 0)
			return f;
	}
	return RULE_FIELDS;
}

static const struct subject machine = {
	.stage = STAGE_BOOT,
	.client = CLIENT_IPXE,
	.via = VIA_HTTPS,
	.arch = 7,
	.cpu = ARCH_CPU_X64,
	.machine = 1u << RULE_MACHINE_SEEN,
	.attempt = 1,
	.waited_s = 4,
	.ipxe_version = 0x011501,
	.has_ipxe_features = true,
	.ipxe_features = IPXE_FEATURE_HTTPS,
	.outcome = OUTCOME_FAILED,
	.outcome_age_s = 3600,
	.weekday = 2,
	.minute = 540,
	.mac = { 6, { 0x52, 0x54, 0, 1, 2, 3 } },
	.has_uuid = true,
	.address = { 4, { 10, 1, 2, 3 } },
};

static void
check_rules(const struct rule_conf *conf)
{
	const struct config_list list = { .v = (void *)(uintptr_t)conf, .n = 1 };
	struct subject s = machine;
	struct rules *rules;
	char why[256];
	bool holds;

	if (rules_compile(&list, ignore_error, NULL, &rules) < 0)
		return;
	s.manufacturer = s.product = s.serial = slice_str("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
	s.subnet = slice_str("office");
	s.params = slice_str("a=1&pin=%41%00&entry=x");
	holds = rules_match(rules, &s, 0) == 0;
	MUST(rules_explain(rules, 0, &s, why, sizeof(why)) == holds);
	MUST(strlen(why) > 0);
	for (const char *c = why; *c != '\0'; c++)
		MUST(*c >= ' ' && *c < 0x7f);
	rules_free(rules);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "r", none[] = "";
	char *text = fuzz_text(data, size), *rest = text, *line;
	static char *patterns[RULE_FIELDS][8];
	struct rule_conf conf = { .name = name, .entry = none, .menu = none, .text = none };

	while ((line = strsep(&rest, "\n")) != NULL) {
		char *pattern = NULL;
		enum rule_field f = split(line, &pattern);
		struct config_strings *to;

		if (f == RULE_FIELDS)
			continue;
		to = &conf.when.by[f];
		to->v = patterns[f];
		if (to->n < NITEMS(patterns[f]))
			to->v[to->n++] = pattern;
	}
	check_rules(&conf);
	conf.unless = conf.when;
	conf.when = (struct rule_when){ 0 };
	check_rules(&conf);
	free(text);
	return 0;
}
