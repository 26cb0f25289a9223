/* See stock.h. */
#include "tests/stock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
print_mistake(void *arg, const char *path, const char *what)
{
	(void)arg;
	fprintf(stderr, "%s: %s\n", path, what);
}

struct policy *
stock_policy_of(const char *text)
{
	json_t *object = json_loads(text, 0, NULL);
	struct policy *policy;
	struct policy_conf conf;

	if (object == NULL ||
	    config_parse_object(policy_keys, object, &conf, sizeof(conf), print_mistake, NULL) < 0)
		abort();
	/* a web service is a block of its own: here it is as if there were one */
	conf.ask_webservice = strstr(text, "webservice") != NULL;
	if (policy_new(&conf, 1, print_mistake, NULL, &policy) < 0)
		abort();
	config_free_object(policy_keys, &conf);
	json_decref(object);
	return policy;
}

const struct policy *
stock_policy(void)
{
	static struct policy *policy;

	if (policy == NULL)
		policy = stock_policy_of("{}");
	return policy;
}

#define IPXE(of)                                                                                   \
	{                                                                                          \
		.kind = LOADER_IPXE, .cpu = of, .https = LOADER_HTTPS_YES                          \
	}

static const struct loader loaders[] = {
	{ .path = "boot/x64/snponly.efi", .info = IPXE(ARCH_CPU_X64), .rank = 1, .size = 300000 },
	{ .path = "boot/arm64/snponly.efi",
	    .info = IPXE(ARCH_CPU_ARM64),
	    .rank = 1,
	    .size = 300000 },
	{ .path = "boot/bios/undionly.kpxe",
	    .info = IPXE(ARCH_CPU_BIOS),
	    .rank = 1,
	    .size = 90000 },
	{ .path = "boot/rpi/bootcode.bin",
	    .info = { .kind = LOADER_RPI, .cpu = ARCH_CPU_RPI, .https = LOADER_HTTPS_NO },
	    .rank = 5,
	    .size = 52000 },
};

static const struct image images[] = {
	{
	    .name = "tiny",
	    .title = "Tiny Linux",
	    .type = IMAGE_LINUX,
	    .cpu = ARCH_CPU_NONE,
	    .args = "console=ttyS0",
	    .files = { { .role = IMAGE_KERNEL, .name = "vmlinuz", .size = 8000000 },
		{ .role = IMAGE_INITRD, .name = "initrd.img", .size = 4000000 } },
	    .nfiles = 2,
	},
};

static void
stock_subject(const struct boot_request *r, struct subject *s)
{
	*s = (struct subject){
		.stage = r->stage,
		.client = r->stage == STAGE_BOOT ? CLIENT_IPXE : r->client,
		.via = r->via,
		.arch = r->arch,
		.cpu = request_cpu(r, ARCH_UNKNOWN, ARCH_CPU_NONE),
		.machine = 1u << RULE_MACHINE_NEW | 1u << RULE_MACHINE_UNKNOWN,
		.attempt = 1,
		.waited_s = r->secs,
		.ipxe_version = r->ipxe_version,
		.has_ipxe_features = r->has_ipxe_features,
		.ipxe_features = r->ipxe_features,
		.weekday = 2,
		.minute = 9 * 60,
		.mac = r->mac,
		.has_uuid = r->has_uuid,
		.uuid = r->uuid,
		.address = r->address,
		.relay = r->relay,
		.subnet = r->subnet,
		.interface = r->interface,
		.manufacturer = r->manufacturer,
		.product = r->product,
		.serial = r->serial,
		.asset = r->asset,
		.vendor_class = r->vendor_class,
		.user_class = r->user_class,
		.file = r->file,
		.params = r->params,
	};
}

static const struct adapt *
no_experience(void)
{
	static struct adapt *adapt;

	if (adapt == NULL && adapt_new(1, 1, &adapt) < 0)
		abort();
	return adapt;
}

static const struct styles *
no_styles(void)
{
	static struct styles *styles;

	if (styles == NULL && styles_new(1, 1, &styles) < 0)
		abort();
	return styles;
}

void
stock_facts(const struct boot_request *r, bool trusted, uint16_t http_port,
    char path[static CONTENT_PATH_MAX], struct facts *ret)
{
	static const struct loader *best[ARCH_CPUS];

	for (size_t i = 0; i < NITEMS(loaders); i++)
		best[loaders[i].info.cpu] = &loaders[i];
	*ret = (struct facts){
		.loaders = loaders,
		.nloaders = NITEMS(loaders),
		.best = best,
		.images = images,
		.nimages = NITEMS(images),
		.adapt = no_experience(),
		.styles = no_styles(),
		.now_ms = 1,
		.web = { .known = true,
		    .host = r->server.family == 6 ? STOCK_ADDRESS6 : STOCK_ADDRESS,
		    .ip = r->server.family == 6 ? STOCK_ADDRESS6 : STOCK_ADDRESS,
		    .port = 8050,
		    .http_port = http_port,
		    .trust = slice_str("0123456789abcdef0123456789abcdef") },
		.self = { .id = "stock" },
		.boot = STOCK_BOOT,
		.trusted = trusted,
		.token = "",
		.path = path,
	};
	stock_subject(r, &ret->subject);
	path[0] = '\0';
	if (r->stage == STAGE_FILE)
		ret->path_rc = path_normalise(r->file, path);
}
