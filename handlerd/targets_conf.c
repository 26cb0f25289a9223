/* The configuration of referral targets: its keys, and what is wrong with one. */
#include "common/arch.h"
#include "handlerd/targets.h"

#include <stdio.h>
#include <string.h>

/* in the order of enum target_probe */
static const char *const probes[] = { "none", "tcp", "tftp", "https", NULL };

#define AT(member) .off = offsetof(struct target_probe_conf, member)
static const struct config_key probe_keys[] = {
	{ .name = "kind",
	    .type = CONFIG_ENUM,
	    AT(kind),
	    .def = "\"none\"",
	    .names = probes,
	    .help = "how it is found out whether the target lives" },
	{ .name = "at",
	    .type = CONFIG_STRING,
	    AT(at),
	    .def = "\"\"",
	    .max = TARGET_URL_MAX,
	    .help = "what is probed. `tcp`: `ADDRESS:PORT`, empty: that of `url`; `https`: a URL, "
		    "empty: the root of that of `url`; `tftp`: a file at `next_server` or "
		    "`tftp://ADDRESS:PORT/FILE`, empty: the first of `files`" },
	{ .name = "any_answer",
	    .type = CONFIG_BOOL,
	    AT(any_answer),
	    .def = "true",
	    .help = "`no such file`, or any HTTP status below 500, is a sign of life too" },
	{ .name = "interval_ms",
	    .type = CONFIG_INT,
	    AT(interval_ms),
	    .def = "10000",
	    .min = 200,
	    .max = 3600000,
	    .unit = "ms",
	    .help = "between two probes, less or more by a tenth" },
	{ .name = "timeout_ms",
	    .type = CONFIG_INT,
	    AT(timeout_ms),
	    .def = "2000",
	    .min = 50,
	    .max = 60000,
	    .unit = "ms",
	    .help = "silence after which a probe has failed" },
	{ .name = "rise",
	    .type = CONFIG_INT,
	    AT(rise),
	    .def = "2",
	    .min = 1,
	    .max = 100,
	    .help = "good probes in a row after which a target that was down is up" },
	{ .name = "fall",
	    .type = CONFIG_INT,
	    AT(fall),
	    .def = "3",
	    .min = 1,
	    .max = 100,
	    .help = "failed probes in a row after which a target that was up is down" },
	{ 0 },
};
#undef AT

#define AT(member) .off = offsetof(struct target_file, member)
static const struct config_key file_keys[] = {
	{ .name = "arch",
	    .type = CONFIG_STRING,
	    AT(arch),
	    .def = "\"\"",
	    .max = 32,
	    .help = "`bios`, `ia32`, `x64`, `arm32`, `arm64`, `riscv64`, `loong64`; with `-http` "
		    "behind it for UEFI HTTP Boot" },
	{ .name = "file",
	    .type = CONFIG_STRING,
	    AT(file),
	    .def = "\"\"",
	    .max = 255,
	    .help = "name of the boot file at `next_server`; for `-http` its URL" },
	{ 0 },
};
#undef AT

#define AT(member) .off = offsetof(struct target_conf, member)
static const struct config_key target_keys[] = {
	{ .name = "name",
	    .type = CONFIG_STRING,
	    AT(name),
	    .def = "\"\"",
	    .max = TARGET_NAME_MAX - 1,
	    .help = "what rules, the log and `ferryctl` call it" },
	{ .name = "next_server",
	    .type = CONFIG_IP,
	    AT(next_server),
	    .def = "\"\"",
	    .help = "address that PXE firmware is sent to for its boot file" },
	{ .name = "files",
	    .type = CONFIG_LIST,
	    AT(files),
	    .sub = file_keys,
	    .size = sizeof(struct target_file),
	    .def = "[]",
	    .max = TARGET_FILES_MAX,
	    .help = "the boot file for each kind of firmware" },
	{ .name = "url",
	    .type = CONFIG_STRING,
	    AT(url),
	    .def = "\"\"",
	    .max = TARGET_URL_MAX,
	    .help = "URL that iPXE is chained to; empty: the target is for firmware only" },
	{ .name = "weight",
	    .type = CONFIG_INT,
	    AT(weight),
	    .def = "100",
	    .min = 0,
	    .max = 10000,
	    .help =
		"share of the machines among targets that are equally near and of one order; 0: "
		"none unless the others are down" },
	{ .name = "order",
	    .type = CONFIG_INT,
	    AT(order),
	    .def = "0",
	    .min = 0,
	    .max = 1000,
	    .help =
		"of targets that are equally near those with the smaller number are used first" },
	{ .name = "near",
	    .type = CONFIG_STRINGS,
	    AT(near),
	    .def = "[]",
	    .max = TARGET_NEAR_MAX,
	    .help =
		"networks (`10.1.0.0/16`) of relays and clients, and names of subnets, that the "
		"target is near to" },
	{ .name = "probe", .type = CONFIG_BLOCK, AT(probe), .sub = probe_keys },
	{ 0 },
};
#undef AT

#define AT(member) .off = offsetof(struct referral_conf, member)
const struct config_key referral_keys[] = {
	{ .name = "targets",
	    .type = CONFIG_LIST,
	    AT(targets),
	    .sub = target_keys,
	    .size = sizeof(struct target_conf),
	    .def = "[]",
	    .max = TARGETS_MAX,
	    .help = "servers that machines can be referred to" },
	{ .name = "max_hops",
	    .type = CONFIG_INT,
	    AT(max_hops),
	    .def = "4",
	    .min = 1,
	    .max = 8,
	    .help = "a machine that has passed so many servers is referred no more" },
	{ .name = "probe_ca",
	    .type = CONFIG_STRING,
	    AT(probe_ca),
	    .def = "\"\"",
	    .max = 4096,
	    .help = "file of the CA that `https` probes trust; empty: those of the system" },
	{ 0 },
};
#undef AT

struct checking {
	const struct referral_conf *conf;
	size_t at; /* of the target */
	config_error_fn *error;
	void *arg;
};

static void
wrong(const struct checking *c, const char *key, const char *what, const char *value)
{
	char path[128], text[512];

	(void)snprintf(path, sizeof(path), "referral.targets[%zu].%s", c->at, key);
	(void)snprintf(text, sizeof(text), value != NULL ? "\"%.200s\" %s" : "%s%s",
	    value != NULL ? value : what, value != NULL ? what : "");
	c->error(c->arg, path, text);
}

static bool
is_name(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";

	return *s != '\0' && s[strspn(s, allowed)] == '\0';
}

/* Both stand in scripts and in packets. */
static bool
is_printable_word(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	}
	return true;
}

static void
check_files(const struct checking *c, const struct target_conf *t)
{
	for (size_t i = 0; i < t->files.n; i++) {
		const struct target_file *f = (const struct target_file *)t->files.v + i;
		size_t n = strlen(f->arch);
		bool http = n > 5 && strcmp(f->arch + n - 5, "-http") == 0;
		struct slice cpu = { (const uint8_t *)f->arch, http ? n - 5 : n };
		enum arch_cpu found = arch_cpu_from_name(cpu);
		struct url_place place;
		char key[64];

		(void)snprintf(key, sizeof(key), "files[%zu].arch", i);
		if (found == ARCH_CPU_NONE || !slice_is(cpu, arch_cpu_name(found)) ||
		    (http && found == ARCH_CPU_BIOS))
			wrong(c, key, "is no kind of firmware", f->arch);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(((const struct target_file *)t->files.v)[k].arch, f->arch) == 0)
				wrong(c, key, "has a file already", f->arch);
		}
		(void)snprintf(key, sizeof(key), "files[%zu].file", i);
		if (f->file[0] == '\0' || !is_printable_word(f->file))
			wrong(c, key, "is no name of a file", f->file);
		else if (http && url_place_http(f->file, &place) < 0)
			wrong(c, key, "is no http or https URL", f->file);
		else if (!http && ip_is_any(&t->next_server))
			wrong(c, "next_server", "is missing: the files are for firmware", NULL);
	}
}

static void
check_near(const struct checking *c, const struct target_conf *t)
{
	for (size_t i = 0; i < t->near.n; i++) {
		struct cidr cidr;
		char key[64];

		if (cidr_parse(slice_str(t->near.v[i]), &cidr) == 0 || is_name(t->near.v[i]))
			continue;
		(void)snprintf(key, sizeof(key), "near[%zu]", i);
		wrong(c, key, "is neither a network nor the name of a subnet", t->near.v[i]);
	}
}

static void
check_probe(const struct checking *c, const struct target_conf *t)
{
	struct probe_place place;

	if (t->probe.kind != PROBE_NONE && target_probe_place(t, &place) < 0)
		wrong(c, "probe.at",
		    t->probe.kind == PROBE_HTTPS  ? "is no URL, and `url` tells none"
		    : t->probe.kind == PROBE_TFTP ? "names no file, and `next_server` and `files` "
						    "tell none"
						  : "is no ADDRESS:PORT, and `url` tells none",
		    t->probe.at);
}

static void
check_target(const struct checking *c, const struct target_conf *t)
{
	struct url_place place;

	if (!is_name(t->name))
		wrong(c, "name", "is no name: letters, digits and ._- are", t->name);
	for (size_t i = 0; i < c->at; i++) {
		if (strcmp(((const struct target_conf *)c->conf->targets.v)[i].name, t->name) == 0)
			wrong(c, "name", "is the name of another target", t->name);
	}
	if (t->url[0] == '\0' && t->files.n == 0)
		wrong(c, "url", "is missing, and there are no files", NULL);
	if (t->url[0] != '\0' && (!is_printable_word(t->url) || url_place_http(t->url, &place) < 0))
		wrong(c, "url", "is no http or https URL", t->url);
	check_files(c, t);
	check_near(c, t);
	check_probe(c, t);
}

void
referral_check(const struct referral_conf *conf, config_error_fn *error, void *arg)
{
	struct checking c = { conf, 0, error, arg };

	for (c.at = 0; c.at < conf->targets.n; c.at++)
		check_target(&c, (const struct target_conf *)conf->targets.v + c.at);
}
