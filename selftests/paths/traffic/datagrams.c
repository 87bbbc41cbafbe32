// SPDX-License-Identifier: GPL-2.0
/* Numbered datagrams. */
#include "traffic.h"

#define UDP_PORT 7100

struct head {
	uint32_t number;
	uint32_t length;
};

/* A datagram says its number at its client, and its length; the rest follows from them. */
static void datagram(uint8_t *buffer, uint32_t n, uint32_t length)
{
	struct head head = { n, length };

	memcpy(buffer, pattern + n * 977ul % PERIOD, length);
	memcpy(buffer, &head, length < sizeof(head) ? length : sizeof(head));
}

struct client {
	int fd;
	uint32_t next;
	uint8_t *seen;
};

struct total {
	uint32_t number[MAX_SOCKETS];
	double begin;
};

static long clients(void)
{
	return number("clients", 1);
}

#define MOST 1000000

static long got, got_bytes, late, twice, altered;
static double last;

static void arrived(struct client *client, const uint8_t *data, size_t length)
{
	static uint8_t expected[2 * CHUNK];
	struct head head;

	got_bytes += length;
	last = now();
	if (length < sizeof(head)) {
		altered++;
		return;
	}
	memcpy(&head, data, sizeof(head));
	if (head.number >= MOST || head.length != length) {
		altered++;
		return;
	}
	datagram(expected, head.number, length);
	if (memcmp(expected, data, length)) {
		altered++;
		return;
	}
	if (client->seen[head.number]) {
		twice++;
		return;
	}
	client->seen[head.number] = 1;
	got++;
	if (head.number < client->next)
		late++;
	else
		client->next = head.number + 1;
}

/* All that waits at one socket. */
static void drain(struct client *client)
{
	static uint8_t buffer[2 * CHUNK];
	char control[256];
	struct iovec part = { buffer, sizeof(buffer) };

	for (;;) {
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
		ssize_t length = recvmsg(client->fd, &message, MSG_DONTWAIT);
		size_t each = length;

		if (length < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
			int size;

			if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO)
				continue;
			memcpy(&size, CMSG_DATA(c), sizeof(size));
			each = size;
		}
		for (size_t at = 0; at < (size_t)length; at += each)
			arrived(client, buffer + at, (size_t)length - at < each ? (size_t)length - at : each);
	}
}

static void join(int fd)
{
	struct ip_mreqn group = { .imr_ifindex = if_nametoindex("wg0") };

	if (inet_pton(AF_INET, address, &group.imr_multiaddr) != 1 ||
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)))
		die("IP_ADD_MEMBERSHIP");
}

static void datagrams_receiver(void)
{
	struct client client[MAX_SOCKETS];
	struct pollfd sockets[MAX_SOCKETS + 1];
	int large = -1, known = 0, quiet = number("quiet", 1000);
	long wanted = 0, lost = 0;
	struct total total;

	for (long i = 0; i < clients(); i++) {
		client[i] = (struct client){ bound(SOCK_DGRAM, UDP_PORT + i), 0, calloc(MOST, 1) };
		option(client[i].fd, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25, "SO_RCVBUFFORCE");
		if (number("gro", 0))
			option(client[i].fd, SOL_UDP, UDP_GRO, 1, "UDP_GRO");
		if (number("group", 0))
			join(client[i].fd);
		sockets[i] = (struct pollfd){ client[i].fd, POLLIN, 0 };
	}
	if (text("watch", NULL))
		large = watch(text("watch", NULL), number("frame", 1600));
	sockets[clients()] = (struct pollfd){ end[0], POLLIN, 0 };
	is_ready();
	while (!known || got < wanted) {
		int count = poll(sockets, clients() + !known, known ? quiet : -1);

		if (count < 0)
			die("poll");
		if (!count)
			break;
		for (long i = 0; i < clients(); i++)
			if (sockets[i].revents)
				drain(&client[i]);
		if (known || !sockets[clients()].revents)
			continue;
		if (read(end[0], &total, sizeof(total)) != sizeof(total))
			die("the sender is gone");
		for (long i = 0; i < clients(); i++)
			wanted += total.number[i];
		known = 1;
	}
	/* Whatever comes twice may come last. */
	nap(quiet / 2e3);
	for (long i = 0; i < clients(); i++)
		drain(&client[i]);
	for (long i = 0; i < clients(); i++)
		for (uint32_t n = 0; n < total.number[i]; n++)
			lost += !client[i].seen[n];
	report("udp_got=%ld udp_late=%ld udp_lost=%ld udp_twice=%ld udp_altered=%ld udp_bytes=%ld ",
	       got, late, lost, twice, altered, got_bytes);
	/* With gaps it is not the path that says how long it takes. */
	if (!number("gap", 0))
		report("udp_seconds=%.6f ", last - total.begin);
	if (large >= 0)
		report("large=%u ", watched(large));
}

struct sending {
	struct mmsghdr message;
	struct iovec part;
	struct sockaddr_storage there;
	char control[64];
	uint8_t *data;
	long count;
};

#define SENDS 16

/* Fills in one send of COUNTxSIZE to client i. */
static void prepare(struct sending *s, const char *shape, long i, uint32_t *next, uint64_t txtime)
{
	char *rest;
	long count = strtol(shape, &rest, 10), size = strtol(rest + 1, NULL, 10), left = 0;
	struct msghdr *m = &s->message.msg_hdr;
	struct cmsghdr *c;

	if (!s->data)
		s->data = malloc(2 * CHUNK);
	for (long n = 0; n < count; n++)
		datagram(s->data + n * size, next[i] + n, size);
	s->count = count;
	s->part = (struct iovec){ s->data, count * size };
	memset(m, 0, sizeof(*m));
	m->msg_iov = &s->part;
	m->msg_iovlen = 1;
	if (number("unconnected", 0) || clients() > 1) {
		m->msg_namelen = place(&s->there, UDP_PORT + i, 0);
		m->msg_name = &s->there;
	}
	m->msg_control = s->control;
	m->msg_controllen = sizeof(s->control);
	memset(s->control, 0, sizeof(s->control));
	c = CMSG_FIRSTHDR(m);
	if (count > 1) {
		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
		*(uint16_t *)CMSG_DATA(c) = size;
		left += CMSG_SPACE(sizeof(uint16_t));
		c = (void *)(s->control + left);
	}
	if (txtime) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_TXTIME;
		c->cmsg_len = CMSG_LEN(sizeof(txtime));
		memcpy(CMSG_DATA(c), &txtime, sizeof(txtime));
		left += CMSG_SPACE(sizeof(txtime));
	}
	m->msg_controllen = left;
	if (!left)
		m->msg_control = NULL;
}

/* The stamps that came back for what was sent. */
static long stamps(int fd)
{
	char control[512], data[64];
	long count = 0;

	for (;;) {
		struct iovec part = { data, sizeof(data) };
		struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

		if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return count;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
			count += c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING;
	}
}

/* Now and the µs of the option "txtime", by the clock that the option "clock" names. */
static uint64_t send_time(void)
{
	struct timespec t;

	clock_gettime(number("clock", CLOCK_MONOTONIC), &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec + number("txtime", 0) * 1000ull;
}

void datagrams(void)
{
	long rounds = number("rounds", 20), gap = number("gap", 0), errors = 0, left, stamped = 0;
	const char *shape = text("shape", "1x1200");
	static struct sending sends[SENDS];
	struct total total = { 0 };
	int fd, flags = number("nonblock", 0) ? MSG_DONTWAIT : 0, outstanding = 1;
	double limit;

	start(datagrams_receiver);
	fd = connected(SOCK_DGRAM, UDP_PORT);
	if (number("unconnected", 0) || clients() > 1) {
		struct sockaddr_storage there;

		close(fd);
		place(&there, UDP_PORT, 0);
		fd = number("port", 0) ? bound(SOCK_DGRAM, number("port", 0)) : socket(there.ss_family, SOCK_DGRAM, 0);
	}
	if (number("sndbuf", 0))
		option(fd, SOL_SOCKET, SO_SNDBUFFORCE, number("sndbuf", 0), "SO_SNDBUFFORCE");
	if (number("pacing", 0))
		option(fd, SOL_SOCKET, SO_MAX_PACING_RATE, number("pacing", 0), "SO_MAX_PACING_RATE");
	if (number("timestamps", 0))
		option(fd, SOL_SOCKET, SO_TIMESTAMPING,
		       SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY,
		       "SO_TIMESTAMPING");
	if (number("txtime", 0)) {
		struct sock_txtime txtime = { number("clock", CLOCK_MONOTONIC), 0 };

		if (setsockopt(fd, SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)))
			die("SO_TXTIME");
	}
	total.begin = now();
	for (long round = 0; round < rounds; round++) {
		long client = round % clients(), count = 0;
		uint64_t txtime = number("txtime", 0) ? send_time() : 0;

		for (const char *next = shape; next && count < SENDS; count++) {
			struct sending *s = &sends[count];

			prepare(s, next, client, total.number, txtime);
			total.number[client] += s->count;
			next = strchr(next, ',');
			next = next ? next + 1 : NULL;
			if (number("mmsg", 0))
				continue;
			if (sendmsg(fd, &s->message.msg_hdr, flags) < 0) {
				errors++;
				total.number[client] -= s->count;
			}
		}
		if (number("mmsg", 0)) {
			struct mmsghdr messages[SENDS];
			int sent;

			for (long n = 0; n < count; n++)
				messages[n] = sends[n].message;
			sent = sendmmsg(fd, messages, count, flags);
			for (long n = count - 1; n >= (sent < 0 ? 0 : sent); n--) {
				errors++;
				total.number[client] -= sends[n].count;
			}
		}
		if (gap)
			nap(gap / 1e6);
	}
	if (write(end[1], &total, sizeof(total)) != sizeof(total))
		die("pipe");
	for (limit = now() + number("release", 2000) / 1e3; outstanding && now() < limit; nap(0.01))
		if (ioctl(fd, SIOCOUTQ, &outstanding))
			die("SIOCOUTQ");
	left = outstanding;
	if (number("timestamps", 0)) {
		nap(0.5);
		stamped = stamps(fd);
		printf("udp_stamped=%ld ", stamped);
	}
	printf("udp_errors=%ld udp_unreleased=%ld ", errors, left);
	fflush(stdout);
	finish();
}
