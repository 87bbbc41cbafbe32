// SPDX-License-Identifier: GPL-2.0
/*
 * Traffic that iperf does not make, for traffic.sh. A client prints "packets=… bytes=… seconds=…".
 *
 * load sink PORT SIZE single|gro
 *	reads many datagrams of that size with a call, or super-packets; acknowledges sixteen or
 *	more
 * load stream ADDRESS PORT SIZE COUNT
 *	sends COUNT datagrams, 64 with a call (sendmmsg), 512 of them on their way
 * load segments ADDRESS PORT SIZE COUNT
 *	the same, but 16 with a call (UDP_SEGMENT)
 * load echo-server PORT
 *	sends each datagram back
 * load echo ADDRESS PORT SIZE COUNT [DEVICE PEERS]
 *	requests, each after the answer to the one before; with DEVICE and PEERS a round of requests
 *	at once, one through each of the devices DEVICE1, DEVICE2, …
 * load http-server PORT SIZE
 *	answers each request with SIZE bytes
 * load http ADDRESS PORT SIZE COUNT AT-ONCE new|kept
 *	sends COUNT requests, over a new connection for each or over those of the start
 * load latency ADDRESS PORT COUNT
 *	as echo with 64 bytes, each 1 ms after the answer before; prints p50 and p99 in µs, and how
 *	many had none within half a second
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define SEGMENTS 16
#define WINDOW 512
#define REQUEST 100
#define MOST_AT_ONCE 256

static char buffer[1 << 17];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static struct sockaddr_in address(const char *ip, const char *port)
{
	struct sockaddr_in found = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };

	if (inet_pton(AF_INET, ip, &found.sin_addr) != 1)
		die(ip);
	return found;
}

static void option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die("setsockopt");
}

static int udp_socket(void)
{
	/* What does not come within it is lost. */
	struct timeval patience = { .tv_sec = 2 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0)
		die("socket");
	option(fd, SOL_SOCKET, SO_RCVBUF, 4 << 20);
	option(fd, SOL_SOCKET, SO_SNDBUF, 4 << 20);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("SO_RCVTIMEO");
	return fd;
}

static int udp_server(const char *port)
{
	struct sockaddr_in own = address("0.0.0.0", port);
	int fd = udp_socket();

	if (bind(fd, (struct sockaddr *)&own, sizeof(own)))
		die("bind");
	return fd;
}

static int udp_client(const char *ip, const char *port, const char *device)
{
	struct sockaddr_in other = address(ip, port);
	int fd = udp_socket();

	if (device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, strlen(device)))
		die(device);
	if (connect(fd, (struct sockaddr *)&other, sizeof(other)))
		die("connect");
	return fd;
}

static void result(long packets, long bytes, double begin)
{
	printf("packets=%ld bytes=%ld seconds=%.6f\n", packets, bytes, now() - begin);
}

/* Each datagram begins with its place in the stream: 0 means a new client. */
static void sink(const char *port, int size, int gro)
{
	static char buffers[BATCH][2048];
	struct mmsghdr messages[BATCH] = {};
	struct iovec places[BATCH];
	struct sockaddr_in from;
	int fd = udp_server(port), batch = gro ? 1 : BATCH, got, i;
	uint64_t total = 0, told = 0, chunk = SEGMENTS * size, first;

	option(fd, SOL_UDP, UDP_GRO, gro);
	for (i = 0; i < batch; i++) {
		places[i].iov_base = gro ? buffer : buffers[i];
		places[i].iov_len = gro ? sizeof(buffer) : sizeof(buffers[i]);
		messages[i].msg_hdr.msg_iov = &places[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	messages[0].msg_hdr.msg_name = &from;
	for (;;) {
		messages[0].msg_hdr.msg_namelen = sizeof(from);
		got = recvmmsg(fd, messages, batch, MSG_WAITFORONE, NULL);
		if (got <= 0)
			continue;
		for (i = 0; i < got; i++) {
			memcpy(&first, places[i].iov_base, sizeof(first));
			if (!first)
				total = told = 0;
			total += messages[i].msg_len;
		}
		if (total / chunk == told / chunk)
			continue;
		told = total;
		sendto(fd, &total, sizeof(total), 0, (struct sockaddr *)&from, sizeof(from));
	}
}

/* How many datagrams of that size a call sends from the place on. */
static int send_segments(int fd, uint64_t place, int size, int count)
{
	uint64_t here;
	int i;

	for (i = 0; i < count; i++) {
		here = place + i * size;
		memcpy(buffer + i * size, &here, sizeof(here));
	}
	return send(fd, buffer, count * size, 0) < 0 ? -1 : count;
}

static int send_messages(int fd, uint64_t place, int size, int count)
{
	struct mmsghdr messages[BATCH] = {};
	struct iovec places[BATCH];
	uint64_t here;
	int i;

	for (i = 0; i < count; i++) {
		here = place + i * size;
		places[i].iov_base = memcpy(buffer + i * size, &here, sizeof(here));
		places[i].iov_len = size;
		messages[i].msg_hdr.msg_iov = &places[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	return sendmmsg(fd, messages, count, 0);
}

/* As far as WINDOW datagrams ahead of what is acknowledged. */
static void stream(const char *ip, const char *port, int size, long count, int segments)
{
	uint64_t arrived = 0, acknowledged;
	int fd = udp_client(ip, port, NULL), batch = segments ? SEGMENTS : BATCH, got;
	double begin = now();
	long sent = 0;

	if (size < (int)sizeof(acknowledged) || size * batch > (int)sizeof(buffer) || count % SEGMENTS)
		die("the size, or the count, which must be one of sixteens");
	if (segments)
		option(fd, SOL_UDP, UDP_SEGMENT, size);
	while (arrived < (uint64_t)count * size) {
		while (sent < count && sent - (long)(arrived / size) <= WINDOW - batch) {
			got = count - sent < batch ? count - sent : batch;
			got = (segments ? send_segments : send_messages)(fd, (uint64_t)sent * size, size, got);
			if (got < 0)
				die("send");
			sent += got;
		}
		if (recv(fd, &acknowledged, sizeof(acknowledged), 0) != sizeof(acknowledged))
			die("datagrams were lost");
		if (acknowledged > arrived)
			arrived = acknowledged;
	}
	result(count, arrived, begin);
}

static void echo_server(const char *port)
{
	struct sockaddr_in from;
	socklen_t length;
	int fd = udp_server(port);
	ssize_t got;

	for (;;) {
		length = sizeof(from);
		got = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &length);
		if (got >= 0)
			sendto(fd, buffer, got, 0, (struct sockaddr *)&from, length);
	}
}

static void echo(const char *ip, const char *port, int size, long count, const char *device, int peers)
{
	char name[32];
	int fds[MOST_AT_ONCE], i;
	long done = 0;
	double begin;

	if (peers > MOST_AT_ONCE)
		peers = MOST_AT_ONCE;
	for (i = 0; i < peers; i++) {
		snprintf(name, sizeof(name), "%s%d", device ?: "", i + 1);
		fds[i] = udp_client(ip, port, device ? name : NULL);
	}
	begin = now();
	while (done < count) {
		for (i = 0; i < peers; i++)
			if (send(fds[i], buffer, size, 0) != size)
				die("send");
		for (i = 0; i < peers; i++)
			if (recv(fds[i], buffer, sizeof(buffer), 0) != size)
				die("no answer");
		done += peers;
	}
	result(done, done * size, begin);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void latency(const char *ip, const char *port, long count)
{
	struct timeval patience = { .tv_usec = 500000 };
	int fd = udp_client(ip, port, NULL);
	double *times = calloc(count, sizeof(*times)), begin;
	long i, answer, answered = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("SO_RCVTIMEO");
	for (i = 0; i < count; i++) {
		usleep(1000);
		begin = now();
		memcpy(buffer, &i, sizeof(i));
		if (send(fd, buffer, 64, 0) != 64)
			die("send");
		do {
			/* A late one is the answer to a request that counts as lost. */
			answer = -1;
			if (recv(fd, &answer, sizeof(answer), 0) < 0)
				break;
		} while (answer != i);
		if (answer == i)
			times[answered++] = now() - begin;
	}
	if (!answered)
		die("no answer");
	qsort(times, answered, sizeof(*times), compare);
	printf("p50=%.1f p99=%.1f lost=%ld\n", times[answered / 2] * 1e6, times[answered * 99 / 100] * 1e6,
	       count - answered);
}

static int tcp_listen(const char *port)
{
	struct sockaddr_in own = address("0.0.0.0", port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) || listen(fd, 1024))
		die("listen");
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
}

/* A request comes in one piece: it is that short. */
static void http_server(const char *port, int size)
{
	int listener = tcp_listen(port), epoll = epoll_create1(0), ready, fd, i;
	struct epoll_event events[64];

	watch(epoll, listener);
	for (;;) {
		ready = epoll_wait(epoll, events, 64, -1);
		for (i = 0; i < ready; i++) {
			fd = events[i].data.fd;
			if (fd == listener) {
				fd = accept(listener, NULL, NULL);
				if (fd >= 0) {
					option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
					watch(epoll, fd);
				}
			} else if (recv(fd, buffer, sizeof(buffer), 0) <= 0) {
				close(fd);
			} else if (send(fd, buffer, size, MSG_NOSIGNAL) != size) {
				close(fd);
			}
		}
	}
}

static int request(struct sockaddr_in *server, int epoll, int fd)
{
	if (fd < 0) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)server, sizeof(*server)))
			die("connect");
		option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		watch(epoll, fd);
	}
	if (send(fd, buffer, REQUEST, MSG_NOSIGNAL) != REQUEST)
		die("send");
	return fd;
}

static void http(const char *ip, const char *port, int size, long count, int at_once, int kept)
{
	struct sockaddr_in server = address(ip, port);
	int epoll = epoll_create1(0), ready, fd, i;
	/* What is still to come of the answer, by descriptor. */
	static int rest[4 * MOST_AT_ONCE + 1024];
	struct epoll_event events[64];
	long begun = 0, done = 0;
	double begin = now();
	ssize_t got;

	for (i = 0; i < at_once && begun < count; i++, begun++) {
		fd = request(&server, epoll, -1);
		rest[fd] = size;
	}
	while (done < count) {
		ready = epoll_wait(epoll, events, 64, 5000);
		if (ready <= 0)
			die("no answer");
		for (i = 0; i < ready; i++) {
			fd = events[i].data.fd;
			got = recv(fd, buffer, sizeof(buffer), 0);
			if (got <= 0)
				die("the connection ended");
			rest[fd] -= got;
			if (rest[fd])
				continue;
			done++;
			if (!kept) {
				close(fd);
				fd = -1;
			}
			if (begun < count) {
				fd = request(&server, epoll, fd);
				rest[fd] = size;
				begun++;
			}
		}
	}
	result(done, done * size, begin);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int words = argc - 2;

	if (!strcmp(what, "sink") && words == 3)
		sink(argv[2], atoi(argv[3]), !strcmp(argv[4], "gro"));
	else if (!strcmp(what, "stream") && words == 4)
		stream(argv[2], argv[3], atoi(argv[4]), atol(argv[5]), 0);
	else if (!strcmp(what, "segments") && words == 4)
		stream(argv[2], argv[3], atoi(argv[4]), atol(argv[5]), 1);
	else if (!strcmp(what, "echo-server") && words == 1)
		echo_server(argv[2]);
	else if (!strcmp(what, "echo") && words == 4)
		echo(argv[2], argv[3], atoi(argv[4]), atol(argv[5]), NULL, 1);
	else if (!strcmp(what, "echo") && words == 6)
		echo(argv[2], argv[3], atoi(argv[4]), atol(argv[5]), argv[6], atoi(argv[7]));
	else if (!strcmp(what, "latency") && words == 3)
		latency(argv[2], argv[3], atol(argv[4]));
	else if (!strcmp(what, "http-server") && words == 2)
		http_server(argv[2], atoi(argv[3]));
	else if (!strcmp(what, "http") && words == 6)
		http(argv[2], argv[3], atoi(argv[4]), atol(argv[5]), atoi(argv[6]), !strcmp(argv[7], "kept"));
	else
		return fprintf(stderr, "usage: see the top of load.c\n"), 2;
	return 0;
}
