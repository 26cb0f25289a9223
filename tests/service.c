/* A web service for unit tests; see service.h. */
#include "tests/service.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char *
next_buffer(void)
{
	static char buffers[16][256];
	static unsigned turn;

	return buffers[turn++ % 16];
}

const char *
service_file(const struct service *s, const char *name)
{
	char *buf = next_buffer();

	snprintf(buf, 256, "%s/%s", s->dir, name);
	return buf;
}

const char *
service_url(const char *scheme, uint16_t port, const char *path)
{
	char *buf = next_buffer();

	snprintf(buf, 256, "%s://127.0.0.1:%u%s", scheme, port, path);
	return buf;
}

static void
die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

void
service_start(struct service *s)
{
	const char *tests = getenv("BOOTFERRY_TESTS");
	char program[512];
	int in[2], out[2];
	unsigned ports[3];
	FILE *f;

	strcpy(s->dir, "/tmp/bootferry-service-XXXXXX");
	if (mkdtemp(s->dir) == NULL || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		die("service");
	snprintf(
	    program, sizeof(program), "%s/suite/webservice.py", tests != NULL ? tests : "tests");
	signal(SIGPIPE, SIG_IGN);
	s->pid = fork();
	if (s->pid < 0)
		die("fork");
	if (s->pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execlp("python3", "python3", program, s->dir, (char *)NULL);
		die("python3");
	}
	close(in[0]);
	close(out[1]);
	s->in = in[1];
	f = fdopen(out[0], "r");
	if (f == NULL || fscanf(f, "ready %u %u %u", &ports[0], &ports[1], &ports[2]) != 3) {
		fprintf(stderr, "%s did not start\n", program);
		exit(EXIT_FAILURE);
	}
	fclose(f);
	s->http = (uint16_t)ports[0];
	s->https = (uint16_t)ports[1];
	s->mutual = (uint16_t)ports[2];
}

void
service_stop(struct service *s)
{
	char command[128];

	close(s->in);
	waitpid(s->pid, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
	if (system(command) != 0)
		die(command);
}

static void
put(const struct service *s, const char *name, const char *text)
{
	char new[256], path[256];
	FILE *f;

	/* written beside and renamed, as the service may be reading it */
	snprintf(new, sizeof(new), "%s/new", s->dir);
	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	f = fopen(new, "w");
	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0 || rename(new, path) < 0)
		die(name);
}

void
service_mode(const struct service *s, const char *mode)
{
	put(s, "mode", mode);
}

void
service_says(const struct service *s, const char *path, const char *json)
{
	char name[128];

	snprintf(name, sizeof(name), "%s.json", path);
	put(s, name, json);
}

json_t *
service_log(const struct service *s)
{
	json_t *all = json_array(), *one;
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/requests", s->dir);
	f = fopen(path, "r");
	while (f != NULL && (one = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL)) != NULL)
		json_array_append_new(all, one);
	if (f != NULL)
		fclose(f);
	return all;
}

size_t
service_requests(const struct service *s, json_t **ret_last)
{
	json_t *all = service_log(s);
	size_t n = json_array_size(all);

	if (ret_last != NULL && n > 0)
		*ret_last = json_incref(json_array_get(all, n - 1));
	json_decref(all);
	return n;
}

uint16_t
service_dead_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* bound for the life of the test and never listening: nobody else can take it */
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, n) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &n) < 0)
		die("dead port");
	return ntohs(sin.sin_port);
}
