/* Names and addresses of server certificates; see ca.h. */
#include "common/ident.h"
#include "common/sockaddr.h"
#include "ferryctl/ca.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lower-case letters, digits, '-' and '.': iPXE compares names as they stand. */
static bool
is_host_name(const char *s)
{
	if (s[0] == '\0' || strlen(s) > 253)
		return false;
	for (; *s != '\0'; s++) {
		if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '-' ||
			*s == '.' || *s == '*'))
			return false;
	}
	return true;
}

int
ca_add_name(struct ca_options *o, const char *name)
{
	if (!is_host_name(name))
		return ctl_error("\"%s\" is no host name in lower case", name);
	if (o->nnames == CA_NAMES)
		return ctl_error("more than %d names", CA_NAMES);
	o->names[o->nnames] = strdup(name);
	return o->names[o->nnames++] != NULL ? CTL_OK : ctl_error("out of memory");
}

int
ca_add_address(struct ca_options *o, const char *address)
{
	struct ipaddr ip;

	if (ip_parse(slice_str(address), &ip) < 0 || ip_is_any(&ip))
		return ctl_error("\"%s\" is not an IP address", address);
	if (o->naddresses == CA_NAMES)
		return ctl_error("more than %d addresses", CA_NAMES);
	o->addresses[o->naddresses] = strdup(address);
	return o->addresses[o->naddresses++] != NULL ? CTL_OK : ctl_error("out of memory");
}

/* The host's own name, full if it is known, in lower case. */
static int
add_own_name(struct ca_options *o)
{
	char name[256];
	struct addrinfo hints = { .ai_flags = AI_CANONNAME }, *info = NULL;

	if (gethostname(name, sizeof(name)) < 0)
		return ctl_error("host name: %s", strerror(errno));
	name[sizeof(name) - 1] = '\0';
	if (strchr(name, '.') == NULL && getaddrinfo(name, NULL, &hints, &info) == 0 &&
	    info->ai_canonname != NULL)
		(void)snprintf(name, sizeof(name), "%s", info->ai_canonname);
	if (info != NULL)
		freeaddrinfo(info);
	for (char *p = name; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p |= 0x20;
	}
	return ca_add_name(o, name);
}

/* Every address of the host but loopback and link-local ones, which no client is told. */
int
ca_add_own(struct ca_options *o)
{
	struct ifaddrs *list, *i;

	if (add_own_name(o) != CTL_OK)
		return CTL_FAIL;
	if (getifaddrs(&list) < 0)
		return ctl_error("addresses: %s", strerror(errno));
	for (i = list; i != NULL && o->naddresses < CA_NAMES; i = i->ifa_next) {
		struct ipaddr ip = ip_from_sockaddr(i->ifa_addr);
		char text[IP_STRLEN];
		bool local = ip.family == 6 && ip.b[0] == 0xfe && (ip.b[1] & 0xc0) == 0x80;

		if (ip.family != 0 && !local && (i->ifa_flags & IFF_LOOPBACK) == 0)
			(void)ca_add_address(o, ip_format(&ip, text));
	}
	freeifaddrs(list);
	return CTL_OK;
}

static bool
take_address(const ASN1_OCTET_STRING *s, struct ipaddr *ret)
{
	int len = ASN1_STRING_length(s);

	if (len != 4 && len != 16)
		return false;
	*ret = (struct ipaddr){ .family = len == 4 ? 4 : 6 };
	memcpy(ret->b, ASN1_STRING_get0_data(s), (size_t)len);
	return true;
}

static int
add_general_name(struct ca_options *o, const GENERAL_NAME *n)
{
	struct ipaddr ip;
	char text[IP_STRLEN], name[254];

	if (n->type == GEN_DNS) {
		(void)slice_copy(name, sizeof(name),
		    (struct slice){ ASN1_STRING_get0_data(n->d.dNSName),
			(size_t)ASN1_STRING_length(n->d.dNSName) });
		return ca_add_name(o, name);
	}
	if (n->type != GEN_IPADD || !take_address(n->d.iPAddress, &ip))
		return CTL_OK;
	return ca_add_address(o, ip_format(&ip, text));
}

int
ca_add_of(struct ca_options *o, X509 *cert)
{
	GENERAL_NAMES *san = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int rc = CTL_OK;

	for (int i = 0; rc == CTL_OK && i < sk_GENERAL_NAME_num(san); i++)
		rc = add_general_name(o, sk_GENERAL_NAME_value(san, i));
	GENERAL_NAMES_free(san);
	return rc;
}

json_t *
ca_list_names(X509 *cert)
{
	GENERAL_NAMES *san = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	json_t *list = json_array();

	for (int i = 0; i < sk_GENERAL_NAME_num(san); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(san, i);
		struct ipaddr ip;
		char text[IP_STRLEN];

		if (n->type == GEN_DNS)
			json_array_append_new(
			    list, json_stringn((const char *)ASN1_STRING_get0_data(n->d.dNSName),
				      (size_t)ASN1_STRING_length(n->d.dNSName)));
		else if (n->type == GEN_IPADD && take_address(n->d.iPAddress, &ip))
			json_array_append_new(list, json_string(ip_format(&ip, text)));
	}
	GENERAL_NAMES_free(san);
	return list;
}

void
ca_drop_names(struct ca_options *o)
{
	for (size_t i = 0; i < o->nnames; i++)
		free(o->names[i]);
	for (size_t i = 0; i < o->naddresses; i++)
		free(o->addresses[i]);
	o->nnames = o->naddresses = 0;
}
