/* The configuration keys of httpsbootd. */
#include "httpsbootd/httpsbootd.h"

#include "common/http.h"
#include "httpsbootd/pull.h"

#include <stdio.h>
#include <string.h>

#define AT(member) .off = offsetof(struct httpsbootd_conf, member)

/* enum tls_profile, enum tls_client_certs */
static const char *const profiles[] = { "compat", "strict", NULL };
static const char *const client_certs[] = { "off", "optional", "required", NULL };

/* enum http_auth */
static const char *const auths[] = { "none", "basic", "ntlm", "negotiate", NULL };

#define ORIGIN(member)                                                                             \
	.off = offsetof(struct httpsbootd_conf, origin.member) -                                   \
	       offsetof(struct httpsbootd_conf, origin)
static const struct config_key origin_keys[] = {
	{ .name = "url",
	    .type = CONFIG_STRING,
	    ORIGIN(url),
	    .def = "\"\"",
	    .max = 2048,
	    .flags = CONFIG_RESTART,
	    .help = "base URL of a server that has the files which are not in `root`: another "
		    "httpsbootd's `https://NAME:8050/2PXE/file/`, or a distribution point's; what "
		    "is fetched from there is kept in `cache`; empty: off" },
	{ .name = "more_urls",
	    .type = CONFIG_STRINGS,
	    ORIGIN(more_urls),
	    .def = "[]",
	    .max = ORIGINS_MAX - 1,
	    .flags = CONFIG_RESTART,
	    .help = "servers with the same files, which are asked in this order when `url` cannot "
		    "be reached; after a minute `url` is tried again" },
	{ .name = "ca",
	    .type = CONFIG_STRING,
	    ORIGIN(ca),
	    .def = "\"\"",
	    .max = 4096,
	    .flags = CONFIG_RESTART,
	    .help = "PEM file with the only CAs that the origin's certificate may be of; empty: "
		    "those of the system" },
	{ .name = "certificate",
	    .type = CONFIG_STRING,
	    ORIGIN(certificate),
	    .def = "\"\"",
	    .max = 4096,
	    .flags = CONFIG_RESTART,
	    .help = "PEM file with the certificate that is shown to the origin; empty: none" },
	{ .name = "key",
	    .type = CONFIG_STRING,
	    ORIGIN(key),
	    .def = "\"\"",
	    .max = 4096,
	    .flags = CONFIG_RESTART,
	    .help = "PEM file with its key; empty: it is in the same file" },
	{ .name = "auth",
	    .type = CONFIG_ENUM,
	    ORIGIN(auth),
	    .def = "\"none\"",
	    .names = auths,
	    .flags = CONFIG_RESTART,
	    .help = "how to log in at the origin: `negotiate` is Kerberos, whose tickets come from "
		    "a keytab or a cache that the environment names" },
	{ .name = "user",
	    .type = CONFIG_STRING,
	    ORIGIN(user),
	    .def = "\"\"",
	    .max = 256,
	    .flags = CONFIG_RESTART,
	    .help = "account at the origin; for `ntlm` as `DOMAIN\\user`; for `negotiate` empty" },
	{ .name = "password_file",
	    .type = CONFIG_STRING,
	    ORIGIN(password_file),
	    .def = "\"\"",
	    .max = 4096,
	    .flags = CONFIG_RESTART,
	    .help = "file with its password in the first line; read anew for each file" },
	{ .name = "timeout_s",
	    .type = CONFIG_INT,
	    ORIGIN(timeout_s),
	    .def = "15",
	    .min = 1,
	    .max = 3600,
	    .unit = "s",
	    .flags = CONFIG_RESTART,
	    .help = "how long a connection to the origin may take, and how long it may send slower "
		    "than `min_rate`" },
	{ .name = "min_rate",
	    .type = CONFIG_INT,
	    ORIGIN(min_rate),
	    .def = "1000",
	    .min = 1,
	    .max = 1000000000,
	    .unit = "bytes/s",
	    .flags = CONFIG_RESTART,
	    .help = "slowest origin that is borne for long" },
	{ .name = "retries",
	    .type = CONFIG_INT,
	    ORIGIN(retries),
	    .def = "5",
	    .min = 0,
	    .max = 1000,
	    .flags = CONFIG_RESTART,
	    .help = "how often in a row a file that breaks off is taken up where it ended, after "
		    "pauses of 0.2, 1, 2, 4, ... up to 30 s, before those who wait for it are let "
		    "down" },
	{ .name = "cache",
	    .type = CONFIG_STRING,
	    ORIGIN(cache),
	    .def = "\"\"",
	    .max = 4096,
	    .flags = CONFIG_RESTART,
	    .help = "folder of what was fetched, this daemon's alone; empty: "
		    "`/var/cache/bootferry/SUBNET`" },
	{ .name = "max_bytes",
	    .type = CONFIG_INT,
	    ORIGIN(max_bytes),
	    .def = "53687091200",
	    .min = 1048576,
	    .max = INT64_MAX,
	    .unit = "bytes",
	    .flags = CONFIG_RESTART,
	    .help = "most that is kept there; what was used longest ago makes room, and a larger "
		    "file is refused" },
	{ .name = "fresh_s",
	    .type = CONFIG_INT,
	    ORIGIN(fresh_s),
	    .def = "60",
	    .min = 0,
	    .max = 31536000,
	    .unit = "s",
	    .flags = CONFIG_RESTART,
	    .help =
		"so long a kept file is given without asking the origin whether it has a newer "
		"one; a file whose SHA-256 handlerd knows is asked for only when that changes" },
	{ 0 },
};

static const struct config_key keys[] = {
	{ .name = "address",
	    .type = CONFIG_IP,
	    AT(address),
	    .def = "\"\"",
	    .flags = CONFIG_SHARED | CONFIG_RESTART,
	    .help = "IP address to listen on, which clients are told; empty: all, and clients are "
		    "told the one at which they asked" },
	{ .name = "address6",
	    .type = CONFIG_IP,
	    AT(address6),
	    .def = "\"\"",
	    .flags = CONFIG_SHARED | CONFIG_RESTART,
	    .help = "IPv6 address that clients are told; with `address` also listened on, for that "
		    "one is the only one then; empty: see `address`" },
	{ .name = "more_addresses",
	    .type = CONFIG_STRINGS,
	    AT(more_addresses),
	    .def = "[]",
	    .max = MORE_ADDRESSES_MAX,
	    .flags = CONFIG_RESTART,
	    .help = "IP addresses of either version to listen on beside `address`; scripts lead a "
		    "client back to the one that it came by" },
	{ .name = "port",
	    .type = CONFIG_INT,
	    AT(port),
	    .def = "8050",
	    .min = 1,
	    .max = 65535,
	    .flags = CONFIG_RESTART,
	    .help = "TCP port of HTTPS" },
	{ .name = "http_port",
	    .type = CONFIG_INT,
	    AT(http_port),
	    .def = "0",
	    .min = 0,
	    .max = 65535,
	    .flags = CONFIG_RESTART,
	    .help = "TCP port of plain HTTP, for UEFI HTTP Boot and for iPXE without HTTPS; 0: "
		    "off" },
	{ .name = "name",
	    .type = CONFIG_STRING,
	    AT(name),
	    .def = "\"\"",
	    .max = 253,
	    .help = "host name in URLs, which the certificate must carry and clients must be able "
		    "to look up; empty: the address" },
	{ .name = "certificate",
	    .type = CONFIG_STRING,
	    AT(certificate),
	    .def = "\"/etc/bootferry/tls/server.pem\"",
	    .max = 4096,
	    .help = "PEM file with the certificate, those between, and the root" },
	{ .name = "key",
	    .type = CONFIG_STRING,
	    AT(key),
	    .def = "\"/etc/bootferry/tls/server.key\"",
	    .max = 4096,
	    .help = "PEM file with the certificate's key" },
	{ .name = "certificate_ecdsa",
	    .type = CONFIG_STRING,
	    AT(certificate_ecdsa),
	    .def = "\"\"",
	    .max = 4096,
	    .help = "PEM file like `certificate` with a second one, with an elliptic curve, for "
		    "clients that can use it; empty: `certificate`'s name with `-ecdsa` before its "
		    "ending, if there is such a file" },
	{ .name = "key_ecdsa",
	    .type = CONFIG_STRING,
	    AT(key_ecdsa),
	    .def = "\"\"",
	    .max = 4096,
	    .help = "PEM file with that one's key; empty: `key`'s name with `-ecdsa` before its "
		    "ending" },
	{ .name = "kept_certificates",
	    .type = CONFIG_STRING,
	    AT(kept_certificates),
	    .def = "\"/var/lib/bootferry/httpsbootd\"",
	    .max = 3800,
	    .help = "folder in which the certificates and keys that were served last are kept, for "
		    "a start at which the files above do not fit each other; empty: nowhere" },
	{ .name = "tls_profile",
	    .type = CONFIG_ENUM,
	    AT(tls_profile),
	    .def = "\"compat\"",
	    .names = profiles,
	    .help =
		"`compat` has what boot clients need: TLS 1.2 and 1.3, with DHE and plain RSA "
		"key exchange besides ECDHE; `strict` is TLS 1.3, and of TLS 1.2 ECDHE with "
		"AES-GCM "
		"and ChaCha20 alone, which firmware of before 2025 and iPXE of before 2024 lack" },
	{ .name = "ticket_rotation_s",
	    .type = CONFIG_INT,
	    AT(ticket_rotation_s),
	    .def = "3600",
	    .min = 0,
	    .max = 86400,
	    .unit = "s",
	    .help = "how often the key of session tickets is replaced; the one before stays good "
		    "as long; 0: sessions cannot be resumed" },
	{ .name = "client_certificates",
	    .type = CONFIG_ENUM,
	    AT(client_certificates),
	    .def = "\"off\"",
	    .names = client_certs,
	    .help = "whether clients show a certificate of their own: `optional` checks one that "
		    "is shown, `required` turns away who has none; rules know them by "
		    "`client_subject` and the like" },
	{ .name = "client_ca",
	    .type = CONFIG_STRING,
	    AT(client_ca),
	    .def = "\"\"",
	    .max = 4096,
	    .help = "PEM file with the CAs of clients' certificates" },
	{ .name = "root",
	    .type = CONFIG_STRING,
	    AT(root),
	    .def = "\"/var/lib/bootferry/content\"",
	    .max = 4096,
	    .flags = CONFIG_RESTART,
	    .help = "content root" },
	{ .name = "workers",
	    .type = CONFIG_INT,
	    AT(workers),
	    .def = "0",
	    .max = 64,
	    .flags = CONFIG_RESTART,
	    .help = "threads; 0: one for each CPU, at most 8" },
	{ .name = "max_connections",
	    .type = CONFIG_INT,
	    AT(max_connections),
	    .def = "10000",
	    .min = 1,
	    .max = 1000000,
	    .flags = CONFIG_RESTART,
	    .help = "connections at once, over all workers" },
	{ .name = "max_connections_per_address",
	    .type = CONFIG_INT,
	    AT(max_connections_per_address),
	    .def = "1000",
	    .max = 1000000,
	    .flags = CONFIG_RESTART,
	    .help = "connections at once from one address; 0: any number" },
	{ .name = "max_requests",
	    .type = CONFIG_INT,
	    AT(max_requests),
	    .def = "10000",
	    .max = 1000000000,
	    .help = "requests on one connection, which is closed after the last; 0: any number" },
	{ .name = "max_head_bytes",
	    .type = CONFIG_INT,
	    AT(max_head_bytes),
	    .def = "32768",
	    .min = 4096,
	    .max = 1048576,
	    .unit = "bytes",
	    .flags = CONFIG_RESTART,
	    .help = "room for the head of a request and that of its answer; a larger one gets 414 "
		    "or 431" },
	{ .name = "idle_timeout_s",
	    .type = CONFIG_INT,
	    AT(idle_timeout_s),
	    .def = "60",
	    .min = 5,
	    .max = 3600,
	    .unit = "s",
	    .flags = CONFIG_RESTART,
	    .help = "a connection on which nothing moves for so long is closed" },
	{ .name = "head_timeout_s",
	    .type = CONFIG_INT,
	    AT(head_timeout_s),
	    .def = "15",
	    .min = 1,
	    .max = 3600,
	    .unit = "s",
	    .flags = CONFIG_RESTART,
	    .help = "how long the head of a request may take, from its first byte; the first one "
		    "from the connection's begin" },
	{ .name = "slow_timeout_s",
	    .type = CONFIG_INT,
	    AT(slow_timeout_s),
	    .def = "30",
	    .min = 1,
	    .max = 3600,
	    .unit = "s",
	    .flags = CONFIG_RESTART,
	    .help = "a client that sends a form or takes an answer slower than `min_rate` for so "
		    "long is cut off" },
	{ .name = "min_rate",
	    .type = CONFIG_INT,
	    AT(min_rate),
	    .def = "500",
	    .max = 1000000000,
	    .unit = "bytes/s",
	    .flags = CONFIG_RESTART,
	    .help = "slowest client that is borne for long; 0: any" },
	{ .name = "max_form_bytes",
	    .type = CONFIG_INT,
	    AT(max_form_bytes),
	    .def = "65536",
	    .min = 1024,
	    .max = 1048576,
	    .unit = "bytes",
	    .help = "largest form that is taken" },
	{ .name = "http_allow",
	    .type = CONFIG_STRINGS,
	    AT(http_allow),
	    .def = "[\"/2PXE/boot\", \"/2PXE/boot/*\", \"/2PXE/file/*\", "
		   "\"/2PXE/certificate/*\", \"/2PXE/report/*\"]",
	    .max = 64,
	    .flags = CONFIG_RESTART,
	    .help = "paths that plain HTTP serves, without regard to case; `*` stands for any "
		    "characters. Secret files are served over HTTPS only, whatever stands here" },
	{ .name = "access_log",
	    .type = CONFIG_STRING,
	    AT(access_log),
	    .def = "\"log\"",
	    .max = 4096,
	    .flags = CONFIG_RESTART,
	    .help = "a line for each request: `log`: in the daemon's log, where 50 a second find "
		    "room; the path of a file: all of them there; `off`: nowhere" },
	{ .name = "origin",
	    .type = CONFIG_BLOCK,
	    AT(origin),
	    .sub = origin_keys,
	    .help = "where files come from that are not in `root`" },
	{ .name = "front", .type = CONFIG_INCLUDE, .sub = front_keys },
	{ 0 },
};

static void
check_origin_url(const struct httpsbootd_conf *c, const char *key, const char *url,
    config_error_fn *error, void *arg)
{
	size_t n = strlen(url);

	if (!http_url_valid(url) || strchr(url, '?') != NULL) {
		error(arg, key,
		    "it is no http or https URL, or has a name, a password or a query in it");
		return;
	}
	if (url[n - 1] != '/')
		error(arg, key, "it must end with \"/\", for the path follows");
	if (c->origin.auth == HTTP_AUTH_BASIC && !http_url_private(url))
		error(arg, "origin.auth", "\"basic\" would send the password in the clear by http");
}

static void
check_origin(const struct httpsbootd_conf *c, config_error_fn *error, void *arg)
{
	if (c->origin.url[0] == '\0') {
		if (c->origin.more_urls.n > 0)
			error(arg, "origin.more_urls", "there is no origin.url to begin with");
		return;
	}
	check_origin_url(c, "origin.url", c->origin.url, error, arg);
	for (size_t i = 0; i < c->origin.more_urls.n; i++)
		check_origin_url(c, "origin.more_urls", c->origin.more_urls.v[i], error, arg);
	if ((c->origin.auth == HTTP_AUTH_BASIC || c->origin.auth == HTTP_AUTH_NTLM) &&
	    (c->origin.user[0] == '\0' || c->origin.password_file[0] == '\0'))
		error(arg, "origin.auth", "it needs user and password_file");
	if (c->origin.cache[0] != '\0' && c->origin.cache[0] != '/')
		error(arg, "origin.cache", "it is no path from the root on");
}

static void
check_more_addresses(const struct httpsbootd_conf *c, config_error_fn *error, void *arg)
{
	struct ipaddr ip;
	char what[100];

	if (c->more_addresses.n > 0 && c->address.family == 0)
		error(arg, "more_addresses", "without `address` all addresses are listened on");
	for (size_t i = 0; i < c->more_addresses.n; i++) {
		const char *text = c->more_addresses.v[i];

		if (ip_parse(slice_str(text), &ip) == 0 && !ip_is_any(&ip))
			continue;
		(void)snprintf(what, sizeof(what), "\"%.50s\" is no IP address", text);
		error(arg, "more_addresses", what);
	}
}

static void
check(const void *conf, config_error_fn *error, void *arg)
{
	const struct httpsbootd_conf *c = conf;
	char what[400];

	front_check(conf, error, arg);
	front_check_addresses(&c->address, &c->address6, error, arg);
	check_origin(c, error, arg);
	check_more_addresses(c, error, arg);
	if (c->http_port == c->port)
		error(arg, "http_port", "it is the same as port");
	for (size_t i = 0; i < c->http_allow.n; i++) {
		const char *pattern = c->http_allow.v[i];

		if (pattern[0] == '/' || pattern[0] == '*')
			continue;
		(void)snprintf(what, sizeof(what),
		    "\"%.200s\" can fit no path: it begins neither with \"/\" nor with \"*\"",
		    pattern);
		error(arg, "http_allow", what);
	}
	if (c->client_certificates != 0 && c->client_ca[0] == '\0')
		error(arg, "client_ca", "client_certificates need the CAs that they are of");
	if (c->access_log[0] != '/' && strcmp(c->access_log, "log") != 0 &&
	    strcmp(c->access_log, "off") != 0) {
		(void)snprintf(what, sizeof(what),
		    "\"%.200s\" is neither \"log\", \"off\" nor the path of a file from the root "
		    "on",
		    c->access_log);
		error(arg, "access_log", what);
	}
	for (const char *p = c->name; *p != '\0'; p++) {
		bool ok = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' ||
		          *p == '.' || *p == ':';

		if (ok)
			continue;
		/* iPXE compares the name in the URL with the certificate's as it stands */
		(void)snprintf(what, sizeof(what),
		    "\"%s\" is no host name in lower case (letters, digits, '-' and '.')", c->name);
		error(arg, "name", what);
		break;
	}
}

const struct config_table httpsbootd_config = {
	.daemon = "httpsbootd",
	.keys = keys,
	.size = sizeof(struct httpsbootd_conf),
	.check = check,
};
