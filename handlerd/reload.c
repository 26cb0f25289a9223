/* The reload; see reload.h. */
#include "handlerd/reload.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- mistakes ------------------------------------------------------------------------------- */

struct mistakes {
	const char *file;
	json_t *list;
};

static void
take_mistake(void *arg, const char *path, const char *what)
{
	struct mistakes *m = arg;

	log_errx("%s: %s: %s", m->file, path, what);
	if (m->list != NULL)
		json_array_append_new(
		    m->list, json_pack("{s:s, s:s}", "path", path, "error", what));
}

/* --- the parts that a policy sets up ---------------------------------------------------------- */

/* Health checks for the targets of a policy; none if there is no target. */
static int
open_probes(struct handlerd *h, const struct policy *policy, struct prober **ret)
{
	int rc;

	*ret = NULL;
	if (policy->targets->n == 0)
		return 0;
	rc = prober_open(h->loop, &policy->conf.referral, policy->targets, ret);
	if (rc == 0 && h->prober != NULL)
		prober_adopt(*ret, h->prober);
	return rc;
}

/* Switches to a policy that was compiled; on failure all is as it was. */
static int
switch_to(struct handlerd *h, struct policy *fresh, const struct webservice_conf *web)
{
	struct prober *prober;
	int rc = open_probes(h, fresh, &prober);

	if (rc < 0) {
		log_errx("referral: %s", strerror(-rc));
		return rc;
	}
	rc = sources_configure(h->sources, &fresh->conf.hooks, web);
	if (rc < 0) {
		prober_close(prober);
		/* back to what worked a moment ago */
		if (h->policy != NULL)
			(void)sources_configure(
			    h->sources, &h->policy->conf.hooks, &h->conf->webservice);
		return rc;
	}
	prober_close(h->prober);
	h->prober = prober;
	policy_unref(h->policy);
	h->policy = fresh;
	return 0;
}

int
reload_first(struct handlerd *h)
{
	struct mistakes m = { .file = "config" };
	struct policy *policy;
	int rc;

	handlerd_link_policy(&h->conf->policy, &h->conf->webservice);
	rc = policy_new(&h->conf->policy, ++h->policies, take_mistake, &m, &policy);
	if (rc < 0)
		return rc;
	rc = switch_to(h, policy, &h->conf->webservice);
	if (rc < 0)
		policy_unref(policy);
	return rc;
}

/* --- the transaction ------------------------------------------------------------------------- */

/* A configuration from text or from the file; NULL after its mistakes were taken. */
static struct handlerd_conf *
read_conf(const struct handlerd *h, const char *text, struct mistakes *m)
{
	struct handlerd_conf *conf = malloc(sizeof(*conf));
	int rc;

	if (conf == NULL)
		return NULL;
	if (text != NULL)
		rc = config_parse(&handlerd_config, text, strlen(text), conf, take_mistake, m);
	else
		rc = config_read(h->opts, &handlerd_config, conf, take_mistake, m);
	if (rc < 0) {
		free(conf);
		return NULL;
	}
	handlerd_link_policy(&conf->policy, &conf->webservice);
	return conf;
}

static void
free_conf(struct handlerd_conf *conf)
{
	if (conf != NULL)
		config_free(&handlerd_config, conf);
	free(conf);
}

static void
log_changes(json_t *result)
{
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach(json_object_get(result, "changed"), key, value)
	{
		char *text = json_dumps(json_array_get(value, 1), JSON_ENCODE_ANY | JSON_COMPACT);

		log_info("reload: %s is now %.500s", key, text != NULL ? text : "?");
		free(text);
	}
	json_array_foreach(json_object_get(result, "restart"), i, value)
	    log_warnx("reload: %s changed, which needs a restart", json_string_value(value));
}

struct policy *
handlerd_policy_of(struct handlerd *h, const char *text, json_t **ret_errors)
{
	struct mistakes m = { .file = "config", .list = json_array() };
	struct handlerd_conf *conf = read_conf(h, text, &m);
	struct policy *policy = NULL;

	if (conf != NULL && policy_new(&conf->policy, 0, take_mistake, &m, &policy) < 0)
		policy = NULL;
	free_conf(conf);
	if (policy == NULL) {
		*ret_errors = m.list;
		return NULL;
	}
	json_decref(m.list);
	return policy;
}

json_t *
handlerd_reload(struct handlerd *h, const char *text, bool check, json_t **ret_errors)
{
	struct mistakes m = {
		.file = text != NULL                   ? "config"
		        : h->opts->config_path != NULL ? h->opts->config_path
		                                       : "config",
		.list = json_array(),
	};
	struct handlerd_conf *next = read_conf(h, text, &m);
	struct policy *policy = NULL;
	json_t *result = NULL;

	if (next != NULL &&
	    policy_new(&next->policy, h->policies + 1, take_mistake, &m, &policy) < 0)
		policy = NULL;
	if (policy == NULL)
		goto out;
	if (check) {
		result = config_compare(&handlerd_config, h->conf, next);
		policy_unref(policy);
		goto out;
	}
	if (switch_to(h, policy, &next->webservice) < 0) {
		take_mistake(&m, "", "it could not be put into force; the log tells why");
		policy_unref(policy);
		goto out;
	}
	h->policies++;
	result = config_apply(&handlerd_config, h->conf, next);
	handlerd_apply(h);
	log_changes(result);
	handlerd_rescan(h);
out:
	if (result == NULL)
		log_errx("reload: the configuration stays as it was");
	free_conf(next);
	*ret_errors = result == NULL ? m.list : NULL;
	if (result != NULL)
		json_decref(m.list);
	return result;
}
