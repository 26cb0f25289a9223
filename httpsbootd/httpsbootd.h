/*
 * httpsbootd: the HTTPS boot server of one subnet, with plain HTTP as an option.
 *
 * The boot path asks handlerd and always answers with an iPXE script; files are served once
 * handlerd has allowed them; reports go to handlerd.
 */
#ifndef HTTPSBOOTD_HTTPSBOOTD_H
#define HTTPSBOOTD_HTTPSBOOTD_H

#include "common/front.h"

struct httpsbootd_conf {
	struct front_conf front;
	struct ipaddr address;
	struct ipaddr address6;
	struct config_strings more_addresses;
	int64_t port;
	int64_t http_port;
	char *name;
	char *certificate;
	char *key;
	char *certificate_ecdsa;
	char *key_ecdsa;
	char *kept_certificates;
	int tls_profile;         /* enum tls_profile */
	int client_certificates; /* enum tls_client_certs */
	char *client_ca;
	int64_t ticket_rotation_s;
	char *root;
	int64_t workers;
	int64_t max_connections;
	int64_t max_connections_per_address;
	int64_t max_requests;
	int64_t max_head_bytes;
	int64_t idle_timeout_s;
	int64_t head_timeout_s;
	int64_t slow_timeout_s;
	int64_t min_rate;
	int64_t max_form_bytes;
	struct config_strings http_allow;
	char *access_log;
	struct {
		char *url;
		struct config_strings more_urls;
		char *ca;
		char *certificate;
		char *key;
		int auth; /* enum http_auth */
		char *user;
		char *password_file;
		int64_t timeout_s;
		int64_t min_rate;
		int64_t retries;
		char *cache;
		int64_t max_bytes;
		int64_t fresh_s;
	} origin;
};

#define MORE_ADDRESSES_MAX 16

extern const struct config_table httpsbootd_config;

struct httpsbootd;

/* Binds the ports, reads certificate and key.  0, or a negative errno after logging why. */
int httpsbootd_open(struct httpsbootd **ret, struct httpsbootd_conf *conf, const struct opts *opts);
/* Gives up root, connects to handlerd and serves until SIGTERM. */
int httpsbootd_run(struct httpsbootd *d);
void httpsbootd_close(struct httpsbootd *d);

#endif
