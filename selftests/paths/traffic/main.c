// SPDX-License-Identifier: GPL-2.0
/*
 * Traffic from one network namespace to another one, checked byte by byte and number by number
 * where it arrives.
 *
 * usage: traffic tcp|datagrams|echo|connections|hold|tap|nfqueue FROM TO ADDRESS [KEY=VALUE…]
 *
 * Prints what came of it as KEY=VALUE words. The receiver is a child in TO; FROM sends. "hold"
 * opens a packet socket on the device ADDRESS of TO, prints a line, and reads nothing until it is
 * killed; for "tap" and "nfqueue" see there.
 */
#include "traffic.h"

const char *from, *to, *address;
static char **options;
uint8_t pattern[PERIOD + 2 * CHUNK];

void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

const char *text(const char *key, const char *otherwise)
{
	size_t length = strlen(key);

	for (char **option = options; *option; option++)
		if (!strncmp(*option, key, length) && (*option)[length] == '=')
			return *option + length + 1;
	return otherwise;
}

long number(const char *key, long otherwise)
{
	const char *value = text(key, NULL);

	return value ? strtol(value, NULL, 0) : otherwise;
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

void nap(double seconds)
{
	struct timespec t = { (time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9) };

	nanosleep(&t, NULL);
}

/* TCP, or what else takes its place. */
static int protocol(int type)
{
	return type == SOCK_STREAM && number("sctp", 0) ? IPPROTO_SCTP : 0;
}

static void make_pattern(void)
{
	uint32_t x = 2463534242u;

	for (size_t i = 0; i < sizeof(pattern); i++) {
		if (i >= PERIOD) {
			pattern[i] = pattern[i - PERIOD];
			continue;
		}
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		pattern[i] = x >> 11;
	}
}

void enter(const char *ns)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	fd = open(path, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

void option(int fd, int level, int name, int value, const char *what)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die(what);
}

/* The address of the receiver, or any at the receiver's own end. */
socklen_t place(struct sockaddr_storage *place, int port, int any)
{
	struct sockaddr_in6 *v6 = (void *)place;
	struct sockaddr_in *v4 = (void *)place;

	memset(place, 0, sizeof(*place));
	if (strchr(address, ':')) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		if (!any && inet_pton(AF_INET6, address, &v6->sin6_addr) != 1)
			die(address);
		return sizeof(*v6);
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	if (!any && inet_pton(AF_INET, address, &v4->sin_addr) != 1)
		die(address);
	return sizeof(*v4);
}

int bound(int type, int port)
{
	struct sockaddr_storage here;
	socklen_t length = place(&here, port, 1);
	int fd = socket(here.ss_family, type, protocol(type));

	if (fd < 0)
		die("socket");
	option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	if (bind(fd, (void *)&here, length))
		die("bind");
	return fd;
}

int connected(int type, int port)
{
	struct sockaddr_storage there, here;
	socklen_t length = place(&there, port, 0);
	int fd = socket(there.ss_family, type, protocol(type));

	if (fd < 0)
		die("socket");
	if (type == SOCK_STREAM && number("mss", 0))
		option(fd, IPPROTO_TCP, TCP_MAXSEG, number("mss", 0), "TCP_MAXSEG");
	if (number("port", 0) && bind(fd, (void *)&here, place(&here, number("port", 0), 1)))
		die("bind");
	if (connect(fd, (void *)&there, length))
		die("connect");
	return fd;
}

/* --- the child at the other end */

/* end[1] gets what was sent, ready[0] tells that it listens, results[0] what it found. */
int end[2];
static int ready[2], results[2];
static pid_t child;

void report(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vdprintf(results[1], format, list);
	va_end(list);
}

void is_ready(void)
{
	if (write(ready[1], "x", 1) != 1)
		die("pipe");
}

/* The process that is never idle (see lib.sh) stops while packets are on their way. */
static void never_idle(int signal)
{
	const char *process = getenv("WG_NEVER_IDLE");

	if (process && *process)
		kill(strtol(process, NULL, 10), signal);
}

void start(void (*receiver)(void))
{
	char byte;

	alarm(number("limit", 20));
	if (pipe(ready) || pipe(results) || pipe(end))
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		/* A path that lets nothing through ends the sender, and that the receiver. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(end[1]);
		enter(to);
		receiver();
		exit(0);
	}
	close(ready[1]);
	close(results[1]);
	close(end[0]);
	if (read(ready[0], &byte, 1) != 1)
		die("the receiver");
	enter(from);
	never_idle(SIGSTOP);
}

void finish(void)
{
	char buffer[4096];
	ssize_t length;
	int status;

	while ((length = read(results[0], buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, length, stdout);
	fputc('\n', stdout);
	waitpid(child, &status, 0);
	never_idle(SIGCONT);
	if (status)
		exit(1);
}

int main(int count, char **words)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		{ "tcp", tcp }, { "datagrams", datagrams }, { "echo", echo }, { "connections", connections }, { "hold", hold },
		{ "tap", tap },
		{ "nfqueue", nfqueue },
	};

	if (count < 5) {
		fprintf(stderr, "usage: traffic tcp|datagrams|echo|connections|hold|tap|nfqueue FROM TO ADDRESS [KEY=VALUE…]\n");
		return 2;
	}
	from = words[2];
	to = words[3];
	address = words[4];
	options = words + 5;
	make_pattern();
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		if (strcmp(words[1], tests[i].name))
			continue;
		tests[i].run();
		return 0;
	}
	return 2;
}
