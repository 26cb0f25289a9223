/* Tests of common/rpc.c: server and clients in one process, the loop run between. */
#include "common/rpc.h"

#include "common/log.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct loop *loop;
static struct rpc_server *server;
static struct sockaddr_un addr = { .sun_family = AF_UNIX };
static char reply[4096];

static json_t *
echo(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	(void)arg;
	(void)conn;
	if (json_object_get(params, "data") != NULL)
		return rpc_fail_with(error, RPC_FAILED, json_pack("[i]", 7), "with data");
	if (json_object_get(params, "fail") != NULL)
		return rpc_fail(error, RPC_NOT_FOUND, "there is no \"%s\"",
		    json_string_value(json_object_get(params, "fail")));
	return json_deep_copy(params);
}

static json_t *
watch(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	(void)arg;
	(void)params;
	(void)error;
	rpc_subscribe(conn);
	return json_true();
}

static json_t *
big(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	static char text[1 << 20];

	(void)arg;
	(void)conn;
	(void)params;
	(void)error;
	memset(text, 'x', sizeof(text) - 1);
	return json_string(text);
}

static struct rpc_deferred *put_off[2];
static size_t nput_off;

static json_t *
later(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	(void)arg;
	(void)params;
	(void)error;
	put_off[nput_off++] = rpc_defer(conn);
	return NULL;
}

static const struct rpc_method methods[] = {
	{ "later", later, "", "answers when it is told to" },
	{ "echo", echo, "any", "gives back its parameters" },
	{ "watch", watch, "", "subscribes" },
	{ "big", big, "", "a megabyte" },
	{ 0 },
};

static void
on_limit(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
spin(void)
{
	struct loop_timer limit;

	loop_timer_init(&limit, on_limit, NULL);
	(void)loop_timer_set(loop, &limit, 15);
	CHECK_INT(loop_run(loop), 0);
	loop_timer_clear(loop, &limit);
}

static int
dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	CHECK_INT(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Sends `text`, serves, and returns what came back. */
static const char *
talk(int fd, const char *text)
{
	ssize_t n;

	if (text[0] != '\0')
		CHECK_INT(send(fd, text, strlen(text), MSG_NOSIGNAL), (long long)strlen(text));
	spin();
	n = recv(fd, reply, sizeof(reply) - 1, 0);
	reply[n > 0 ? n : 0] = '\0';
	return n == 0 ? "closed" : reply;
}

int
main(void)
{
	static const struct {
		const char *what, *in, *out;
	} cases[] = {
		{ "a call is answered with its id",
		    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\",\"params\":{\"a\":[1]}}\n",
		    "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":[1]}}\n" },
		{ "an id may be a string, parameters may be missing",
		    "{\"id\":\"x\",\"method\":\"echo\"}\n",
		    "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{}}\n" },
		{ "a notification gets no answer", "{\"method\":\"echo\"}\n", "" },
		{ "two calls in one write get two lines",
		    "{\"id\":1,\"method\":\"echo\"}\n\n{\"id\":2,\"method\":\"echo\"}\n",
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"
		    "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n" },
		{ "a method that fails says why",
		    "{\"id\":1,\"method\":\"echo\",\"params\":{\"fail\":\"boot\"}}\n",
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32001,"
		    "\"message\":\"there is no \\\"boot\\\"\"}}\n" },
		{ "an error may carry data",
		    "{\"id\":1,\"method\":\"echo\",\"params\":{\"data\":1}}\n",
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,"
		    "\"message\":\"with data\",\"data\":[7]}}\n" },
		{ "and costs nothing where nobody wants it",
		    "{\"method\":\"echo\",\"params\":{\"data\":1}}\n", "" },
		{ "an unknown method", "{\"id\":1,\"method\":\"nope\"}\n",
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,"
		    "\"message\":\"there is no method \\\"nope\\\"\"}}\n" },
		{ "no JSON", "hello\n",
		    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"
		    "\"message\":\"not a JSON object on one line\"}}\n" },
		{ "a list is no request", "[1]\n",
		    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
		    "\"message\":\"a request has a \\\"method\\\" and, if any, an object as "
		    "\\\"params\\\"\"}}\n" },
	};
	char dir[] = "/tmp/bootferry-test-XXXXXX", huge[RPC_LINE_MAX + 8192];
	struct rpc_server *other;
	struct stat st;
	int fd, fd2;

	log_init("test_rpc", true);
	log_set_level(LOG_LEVEL_ERROR);
	CHECK(mkdtemp(dir) != NULL);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/sock", dir);
	CHECK_INT(loop_new(&loop), 0);

	test_case("the socket is for owner and group");
	CHECK_INT(rpc_open(loop, addr.sun_path, methods, NULL, &server), 0);
	CHECK_INT(stat(addr.sun_path, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0660);

	fd = dial();
	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("call: %s", cases[i].what);
		CHECK_STR(talk(fd, cases[i].in), cases[i].out);
	}

	test_case("an error that is cut within a character is answered, and the connection lives");
	for (size_t n = 240; n < 260; n++) {
		static const char call[] = "{\"id\":1,\"method\":\"echo\",\"params\":{\"fail\":\"";
		size_t at = sizeof(call) - 1;

		memcpy(huge, call, at);
		memset(huge + at, 'x', n);
		for (size_t i = 0; i < 20; i++)
			memcpy(huge + at + n + 2 * i, "\xc3\xa4", 2);
		memcpy(huge + at + n + 40, "\"}}\n", 5);
		talk(fd, huge);
		CHECK(strstr(reply, "\"code\":-32001,\"message\":\"there is no ") != NULL);
	}

	test_case("a line may arrive in pieces");
	CHECK_STR(talk(fd, "{\"id\":1,\"met"), "");
	CHECK_STR(talk(fd, "hod\":\"echo\"}\n"), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");

	test_case("methods list themselves");
	talk(fd, "{\"id\":1,\"method\":\"rpc.methods\"}\n");
	CHECK(strstr(reply, "\"method\":\"watch\"") != NULL);

	test_case("an answer that is put off comes when it is there, others pass it");
	{
		const struct rpc_error error = { .code = RPC_FAILED, .text = "no" };
		int a = dial();

		CHECK_STR(talk(a, "{\"id\":1,\"method\":\"later\"}\n"
				  "{\"id\":2,\"method\":\"later\"}\n"
				  "{\"id\":3,\"method\":\"echo\"}\n"),
		    "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n");
		rpc_finish(put_off[1], json_string("b"), NULL);
		rpc_finish(put_off[0], NULL, &error);
		CHECK_STR(talk(a, ""), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"b\"}\n"
				       "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,"
				       "\"message\":\"no\"}}\n");
		test_case("nobody waits for it any more");
		nput_off = 0;
		(void)talk(a, "{\"id\":1,\"method\":\"later\"}\n");
		close(a);
		spin();
		rpc_finish(put_off[0], json_true(), NULL);
	}

	test_case("subscribers get what is published, others do not");
	fd2 = dial();
	talk(fd2, "{\"id\":1,\"method\":\"watch\"}\n");
	CHECK(rpc_has_subscribers(server));
	rpc_publish(server, "event", json_pack("{s:i}", "n", 5));
	CHECK_STR(
	    talk(fd2, ""), "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"n\":5}}\n");
	CHECK_STR(talk(fd, ""), "");
	close(fd2);
	spin();
	CHECK(!rpc_has_subscribers(server));

	test_case("a line without end is cut off, and nobody else suffers");
	fd2 = dial();
	memset(huge, ' ', sizeof(huge));
	for (size_t sent = 0; sent < sizeof(huge);) {
		ssize_t n = send(fd2, huge + sent, sizeof(huge) - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		sent += n > 0 ? (size_t)n : 0;
		spin();
	}
	spin();
	CHECK(recv(fd2, reply, sizeof(reply), 0) <= 0 && errno != EAGAIN);
	close(fd2);
	CHECK_STR(talk(fd, "{\"id\":9,\"method\":\"echo\"}\n"),
	    "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}\n");

	test_case("one that never reads its answers is closed");
	fd2 = dial();
	for (int i = 0; i < 40; i++)
		(void)send(fd2, "{\"id\":1,\"method\":\"big\"}\n", 24, MSG_NOSIGNAL);
	for (int i = 0; i < 10; i++)
		spin();
	CHECK(send(fd2, "x", 1, MSG_NOSIGNAL) < 0);
	close(fd2);

	test_case("a second server at the same path is refused");
	CHECK_INT(rpc_open(loop, addr.sun_path, methods, NULL, &other), -EADDRINUSE);

	test_case("a socket left by a dead process is replaced");
	close(fd);
	rpc_close(server);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_INT(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	CHECK_INT(rpc_open(loop, addr.sun_path, methods, NULL, &server), 0);
	rpc_close(server);
	CHECK_INT(stat(addr.sun_path, &st), -1);

	test_case("a path too long for a socket is refused");
	memset(huge, 'a', 200);
	huge[200] = '\0';
	CHECK_INT(rpc_open(loop, huge, methods, NULL, &server), -ENAMETOOLONG);

	loop_free(loop);
	rmdir(dir);
	return test_end();
}
