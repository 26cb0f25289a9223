/*
 * Which machines have been told of a new CA, while it takes another one's place: handlerd knows
 * what its offers carried, and nobody knows the rest; see ca.h.
 */
#include "ferryctl/ca.h"

#include "ferryctl/table.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

json_t *
ca_roots_ask(const struct ca_options *o, X509 *ca)
{
	uint8_t digest[DIGEST_BYTES];
	char hex[DIGEST_STRLEN];

	if (X509_digest(ca, EVP_sha256(), digest, NULL) != 1)
		return NULL;
	return ctl_try(o->ctl, "machines.roots",
	    json_pack(
		"{s:s, s:I}", "sha256", digest_format(digest, hex), "days", (json_int_t)o->within));
}

static void
print_machines(const json_t *list, json_int_t all)
{
	const json_t *m;
	size_t i;

	json_array_foreach(list, i, m)
	{
		char line[512], time[32], *safe;

		(void)snprintf(line, sizeof(line), "    #%lld  %s  %.64s %.64s %.64s, last seen %s",
		    (long long)member_int(m, "id"), member_text(m, "mac"),
		    member_text(m, "manufacturer"), member_text(m, "product"),
		    member_text(m, "serial"),
		    format_time((uint64_t)member_int(m, "last_ms"), time));
		safe = table_safe(line);
		puts(safe);
		free(safe);
	}
	if (all > (json_int_t)json_array_size(list))
		printf("    and %lld more\n", (long long)all - (long long)json_array_size(list));
}

/* Those whose chain does not lead to the new CA: what knows that alone does not boot there. */
static size_t
print_servers(const json_t *list, FILE *out, const char *indent)
{
	const json_t *s;
	size_t i, n = 0;

	json_array_foreach(list, i, s)
	{
		if (json_is_true(json_object_get(s, "sends")))
			continue;
		fprintf(out,
		    "%shttpsbootd of subnet %s, %s, does not send the new CA%s: `ferryctl ca "
		    "issue` "
		    "for it once more\n",
		    indent, member_text(s, "subnet"), member_text(s, "address"),
		    json_is_true(json_object_get(s, "alive")) ? "" : " (it is silent)");
		n++;
	}
	return n;
}

void
ca_roots_print(const struct ca_options *o, const json_t *told)
{
	json_int_t untold = member_int(told, "untold"), elsewhere = member_int(told, "elsewhere");

	printf("\nMachines and the new CA's fingerprint\n");
	if (told == NULL) {
		printf("  handlerd does not answer: who has been offered it is not known\n");
		return;
	}
	printf(
	    "  offered it      %lld, of which %lld came to iPXE since\n"
	    "  not yet         %lld of those seen in the last %llu days: they get it at their next "
	    "boot\n",
	    (long long)member_int(told, "told"), (long long)member_int(told, "booted"),
	    (long long)untold, (unsigned long long)o->within);
	print_machines(json_object_get(told, "untold_machines"), untold);
	printf(
	    "  elsewhere       %lld of those seen in the last %llu days came to iPXE without our "
	    "offer\n",
	    (long long)elsewhere, (unsigned long long)o->within);
	print_machines(json_object_get(told, "elsewhere_machines"), elsewhere);
	printf(
	    "  silent          %lld were not seen for longer\n"
	    "What a DHCP server's own option 175, a stamped loader, or roots that are built in or "
	    "enrolled tell a\nmachine is not known here: look after those \"elsewhere\" by hand.\n",
	    (long long)member_int(told, "silent"));
	(void)print_servers(json_object_get(told, "servers"), stdout, "");
}

void
ca_roots_warn(const struct ca_options *o, X509 *ca, bool last)
{
	json_t *told = ca_roots_ask(o, ca);
	json_int_t untold = member_int(told, "untold"), elsewhere = member_int(told, "elsewhere");

	if (told == NULL)
		fprintf(stderr, "ferryctl: handlerd does not answer: whether machines lack the new "
				"CA's fingerprint is not known\n");
	else if (untold + elsewhere > 0)
		fprintf(stderr,
		    "ferryctl: warning: of the machines seen in the last %llu days %lld have not "
		    "been "
		    "offered the new CA's fingerprint yet, and %lld come to iPXE without our "
		    "offers: "
		    "%s\n",
		    (unsigned long long)o->within, (long long)untold, (long long)elsewhere,
		    last ? "what knows the old CA alone no longer boots over HTTPS"
			 : "what knows the old CA alone still boots, until `ferryctl ca roll "
			   "finish`");
	(void)print_servers(json_object_get(told, "servers"), stderr, "ferryctl: warning: ");
	json_decref(told);
}
