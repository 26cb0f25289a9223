/*
 * A web service for unit tests: tests/suite/webservice.py in a process of its own, on free ports
 * of the loopback, with a folder of its own.
 */
#ifndef TESTS_SERVICE_H
#define TESTS_SERVICE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct service {
	char dir[64];
	pid_t pid;
	int in;                       /* its standard input; it ends when this is closed */
	uint16_t http, https, mutual; /* ports */
};

/* Returns when it serves; ends the test program if it cannot. */
void service_start(struct service *s);
/* Also removes its folder. */
void service_stop(struct service *s);
/* What it does from now on: "answer", "status 500", "slow 300", ...; see webservice.py. */
void service_mode(const struct service *s, const char *mode);
/* What a question at this path is answered with ("v1_boot"). */
void service_says(const struct service *s, const char *path, const char *json);
/* How many requests it has seen; *ret_last gets the last one if there is any and it is not NULL. */
size_t service_requests(const struct service *s, json_t **ret_last);
/* All of them, as a new array. */
json_t *service_log(const struct service *s);
/* The path of a file in its folder, in one of 16 static buffers that take turns. */
const char *service_file(const struct service *s, const char *name);
/* "http://127.0.0.1:PORT" and `path`, likewise. */
const char *service_url(const char *scheme, uint16_t port, const char *path);
/* A port of the loopback on which nobody listens. */
uint16_t service_dead_port(void);

#endif
