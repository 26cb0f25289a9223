/* Start-up of the daemons; see start.h. */
#include "common/start.h"

#include "common/log.h"
#include "common/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define CONFIG_FILE_MAX (1024 * 1024)

/* The pipe to the parent that waits in start_background(), or -1. */
static int ready_fd = -1;

static _Noreturn void
usage(const char *daemon, int status)
{
	fprintf(status == 0 ? stdout : stderr,
	    "usage: %s [-c FILE] [-n] [-f] [-v] [-V]\n"
	    "  -c FILE  configuration; built-in defaults without it\n"
	    "  -n       check the configuration, print the effective one and exit\n"
	    "  -f       stay in the foreground and log to standard error\n"
	    "  -v       debug log\n"
	    "  -V       print the version and exit\n",
	    daemon);
	exit(status);
}

void
opts_parse(struct opts *opts, const char *daemon, int argc, char *argv[])
{
	int c;

	*opts = (struct opts){ 0 };
	while ((c = getopt(argc, argv, "c:nfvVh")) != -1) {
		switch (c) {
		case 'c': opts->config_path = optarg; break;
		case 'n': opts->check_only = true; break;
		case 'f': opts->foreground = true; break;
		case 'v': opts->verbose = true; break;
		case 'V': printf("%s (Bootferry) %s\n", daemon, BOOTFERRY_VERSION); exit(0);
		case 'h': usage(daemon, 0);
		default: usage(daemon, EXIT_FAILURE);
		}
	}
	if (optind != argc)
		usage(daemon, EXIT_FAILURE);
}

/* The whole file as new text, or NULL with errno. */
static char *
read_file(const char *path, size_t *ret_n)
{
	struct stat st;
	char *text = NULL;
	size_t n = 0;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0)
		goto fail;
	if (!S_ISREG(st.st_mode) || st.st_size > CONFIG_FILE_MAX) {
		errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		goto fail;
	}
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		goto fail;
	while (n < (size_t)st.st_size) {
		ssize_t got = read(fd, text + n, (size_t)st.st_size - n);

		if (got < 0)
			goto fail;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	text[n] = '\0';
	*ret_n = n;
	return text;
fail:
	n = (size_t)errno;
	free(text);
	close(fd);
	errno = (int)n;
	return NULL;
}

struct error_sink {
	const char *path;
	bool plain; /* to standard error, as it is */
	bool logged;
};

static void
on_error(void *arg, const char *path, const char *what)
{
	const struct error_sink *sink = arg;

	if (sink->plain)
		fprintf(stderr, "%s: %s: %s\n", sink->path, path, what);
	if (sink->logged)
		log_errx("%s: %s: %s", sink->path, path, what);
}

int
config_read(const struct opts *opts, const struct config_table *table, void *conf,
    config_error_fn *error, void *arg)
{
	char *text = NULL;
	size_t n = 0;
	int rc;

	if (opts->config_path != NULL) {
		text = read_file(opts->config_path, &n);
		if (text == NULL) {
			error(arg, "file", strerror(errno));
			return -EINVAL;
		}
	}
	rc = config_parse(table, text, n, conf, error, arg);
	free(text);
	return rc;
}

int
config_load(const struct opts *opts, const struct config_table *table, void *conf)
{
	struct error_sink sink = { .path = opts->config_path,
		.plain = opts->check_only || !opts->foreground,
		.logged = !opts->check_only };

	return config_read(opts, table, conf, on_error, &sink);
}

void
config_print(const struct config_table *table, const void *conf)
{
	json_t *dump = config_dump(table, conf);
	char *text = json_dumps(dump, JSON_INDENT(2));

	puts(text != NULL ? text : "null");
	free(text);
	json_decref(dump);
}

json_t *
config_reload(const struct opts *opts, const struct config_table *table, void *conf)
{
	struct error_sink sink = { .path = opts->config_path, .logged = true };
	void *next = malloc(table->size);
	json_t *result, *value;
	const char *key;
	size_t i;

	if (next == NULL || config_read(opts, table, next, on_error, &sink) < 0) {
		log_errx("reload: the configuration stays as it was");
		free(next);
		return NULL;
	}
	result = config_apply(table, conf, next);
	config_free(table, next);
	free(next);
	json_object_foreach(json_object_get(result, "changed"), key, value)
	{
		char *text = json_dumps(json_array_get(value, 1), JSON_ENCODE_ANY | JSON_COMPACT);

		log_info("reload: %s is now %s", key, text != NULL ? text : "?");
		free(text);
	}
	json_array_foreach(json_object_get(result, "restart"), i, value)
	    log_warnx("reload: %s changed, which needs a restart", json_string_value(value));
	return result;
}

char *
config_instance(const char *path, const char *subnet)
{
	const char *base;
	char *name;
	size_t n;

	if (subnet[0] != '\0')
		return strdup(subnet);
	if (path == NULL)
		return strdup("default");
	base = strrchr(path, '/');
	name = strdup(base != NULL ? base + 1 : path);
	if (name == NULL)
		return NULL;
	n = strlen(name);
	if (n > 5 && strcmp(name + n - 5, ".json") == 0)
		name[n - 5] = '\0';
	return name;
}

void
start_background(void)
{
	int fds[2], null_fd;
	char byte;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		fatal("pipe2");
	pid = fork();
	if (pid < 0)
		fatal("fork");
	if (pid > 0) {
		close(fds[1]);
		/* end of file instead of a byte: the child ended, and has logged why */
		_exit(read(fds[0], &byte, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	close(fds[0]);
	ready_fd = fds[1];
	if (setsid() < 0)
		fatal("setsid");
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ||
	    dup2(null_fd, STDERR_FILENO) < 0)
		fatal("/dev/null");
	close(null_fd);
}

int
start_make_folder(const char *path, const char *user, const char *daemon)
{
	char folder[4096], account[64];
	uid_t uid = 0;
	gid_t gid = 0;
	bool give;

	if (strlen(path) >= sizeof(folder))
		return -ENAMETOOLONG;
	(void)snprintf(account, sizeof(account), "bootferry-%s", daemon);
	give = geteuid() == 0 && priv_ids(user[0] != '\0' ? user : account, &uid, &gid) == 0;
	strcpy(folder, path);
	for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0750) == 0) {
			if (give && chown(folder, uid, gid) < 0)
				log_warn("\"%s\": chown", folder);
		} else if (errno != EEXIST) {
			int rc = -errno;

			log_warn("cannot make the folder \"%s\"", folder);
			return rc;
		}
		*slash = '/';
	}
	return 0;
}

void
start_drop(const char *user, const char *daemon, uint64_t keep)
{
	char account[64];
	int rc;

	(void)snprintf(account, sizeof(account), "bootferry-%s", daemon);
	rc = priv_drop_keep(user[0] != '\0' ? user : account, keep);
	if (rc == -ENOENT && user[0] == '\0') {
		log_warnx("there is no account %s, so this daemon stays root; "
			  "deploy/sysusers.d/bootferry.conf makes the accounts",
		    account);
		return;
	}
	if (rc < 0) {
		errno = -rc;
		fatal("user: cannot become \"%s\"", user[0] != '\0' ? user : account);
	}
}

void
start_ready(void)
{
	(void)sd_notify(0, "READY=1"); /* fails only where nobody listens */
	log_info("ready");
	if (ready_fd >= 0) {
		if (write(ready_fd, "", 1) != 1)
			log_warn("cannot tell the parent that all is ready");
		close(ready_fd);
		ready_fd = -1;
	}
}

void
start_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1"); /* as above */
}
