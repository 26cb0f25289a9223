/* The configuration keys of tokens. */
#include "handlerd/token.h"

#define AT(member) .off = offsetof(struct token_conf, member)

const struct config_key token_keys[] = {
	{ .name = "life_s",
	    .type = CONFIG_INT,
	    AT(life_s),
	    .def = "3600",
	    .min = 60,
	    .max = TOKEN_LIFE_MAX_S,
	    .unit = "s",
	    .help =
		"how long a token is good: longer than the longest installation fetches files" },
	{ .name = "key_life_s",
	    .type = CONFIG_INT,
	    AT(key_life_s),
	    .def = "86400",
	    .min = 600,
	    .max = 31536000,
	    .unit = "s",
	    .help = "age at which the key that signs tokens gets a successor" },
	{ .name = "uses",
	    .type = CONFIG_INT,
	    AT(uses),
	    .def = "10",
	    .min = 0,
	    .max = 65535,
	    .help = "requests that a token allows for each file; 0: any number" },
	{ .name = "bind_address",
	    .type = CONFIG_BOOL,
	    AT(bind_address),
	    .def = "true",
	    .help = "a token is good from the address alone that it was given to; `false` where "
		    "machines change their address while they boot" },
	{ .name = "max_held",
	    .type = CONFIG_INT,
	    AT(max_held),
	    .def = "65536",
	    .min = 16,
	    .max = 10000000,
	    .flags = CONFIG_RESTART,
	    .help = "tokens and files whose uses are counted at once" },
	{ 0 },
};
