// SPDX-License-Identifier: GPL-2.0
/* Bulk over TCP, and many short connections. */
#include "traffic.h"

static long streams(void)
{
	return number("streams", 1);
}

static long amount(void)
{
	return number("bytes", 4 << 20);
}

static void tcp_receiver(void)
{
	static uint8_t buffer[CHUNK];
	struct pollfd sockets[MAX_SOCKETS];
	long got[MAX_SOCKETS] = { 0 }, open = 0, all = 0, altered = 0, longest = 0;
	int listener = bound(SOCK_STREAM, TCP_PORT);
	int raw = number("raw", 0) ? raw_watch(number("raw", 0)) : -1;

	if (number("rcvbuf", 0))
		option(listener, SOL_SOCKET, SO_RCVBUFFORCE, number("rcvbuf", 0), "SO_RCVBUFFORCE");
	if (listen(listener, 64))
		die("listen");
	is_ready();
	for (; open < streams(); open++)
		sockets[open] = (struct pollfd){ accept(listener, NULL, NULL), POLLIN, 0 };
	while (open) {
		if (poll(sockets, streams(), -1) < 0)
			die("poll");
		for (long i = 0; i < streams(); i++) {
			ssize_t length;

			if (!sockets[i].revents)
				continue;
			length = recv(sockets[i].fd, buffer, sizeof(buffer), 0);
			if (length < 0)
				die("recv");
			if (!length) {
				/* All of it is here: this ends the sender's clock. */
				close(sockets[i].fd);
				sockets[i].fd = -1;
				open--;
				continue;
			}
			altered += !!memcmp(buffer, pattern + got[i] % PERIOD, length);
			got[i] += length;
			all += length;
			longest = length > longest ? length : longest;
		}
	}
	report("tcp_missing=%ld tcp_altered=%ld ", streams() * amount() - all, altered);
	if (raw >= 0)
		report("raw_large=%u ", raw_watched(raw));
}

static void send_bytes(int fd)
{
	static const char *file;
	long size = number("write", CHUNK), sent = 0, zerocopy = number("zerocopy", 0);
	int source = -1;

	if (zerocopy)
		option(fd, SOL_SOCKET, SO_ZEROCOPY, 1, "SO_ZEROCOPY");
	if (number("nodelay", 0))
		option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	if (number("pacing", 0))
		option(fd, SOL_SOCKET, SO_MAX_PACING_RATE, number("pacing", 0), "SO_MAX_PACING_RATE");
	file = text("sendfile", NULL);
	if (file) {
		source = open(file, O_RDONLY);
		if (source < 0)
			die(file);
	}
	while (sent < amount()) {
		long want = amount() - sent < size ? amount() - sent : size;
		ssize_t length;

		if (source >= 0) {
			off_t offset = sent % PERIOD;

			length = sendfile(fd, source, &offset, want);
		} else {
			length = send(fd, pattern + sent % PERIOD, want, zerocopy ? MSG_ZEROCOPY : 0);
		}
		if (length < 0 && errno == ENOBUFS && zerocopy) {
			char control[256];
			struct msghdr message = { .msg_control = control, .msg_controllen = sizeof(control) };
			struct pollfd wait = { fd, 0, 0 };

			poll(&wait, 1, 1000);
			recvmsg(fd, &message, MSG_ERRQUEUE);
			continue;
		}
		if (length < 0)
			die("send");
		sent += length;
	}
	shutdown(fd, SHUT_WR);
}

void tcp(void)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);
	int fds[MAX_SOCKETS];
	long retransmitted = 0;
	double begin;
	char byte;

	start(tcp_receiver);
	for (long i = 0; i < streams(); i++)
		fds[i] = connected(SOCK_STREAM, TCP_PORT);
	begin = now();
	if (streams() == 1) {
		send_bytes(fds[0]);
	} else {
		for (long i = 0; i < streams(); i++) {
			if (fork())
				continue;
			send_bytes(fds[i]);
			_exit(0);
		}
	}
	for (long i = 0; i < streams(); i++) {
		if (recv(fds[i], &byte, 1, 0) < 0)
			die("the receiver closed");
		if (!getsockopt(fds[i], IPPROTO_TCP, TCP_INFO, &info, &length))
			retransmitted += info.tcpi_total_retrans;
	}
	printf("tcp_bytes=%ld tcp_seconds=%.6f tcp_retransmits=%ld tcp_rtt_us=%u ",
	       streams() * amount(), now() - begin, retransmitted, info.tcpi_rtt);
	fflush(stdout);
	finish();
}

/* --- one connection after the other, each with one question and one answer */

static void connections_receiver(void)
{
	int listener = bound(SOCK_STREAM, TCP_PORT);
	char buffer[1024];
	long count;

	if (listen(listener, 64))
		die("listen");
	is_ready();
	for (count = 0; count < number("count", 200); count++) {
		int fd = accept(listener, NULL, NULL);
		long got = 0;
		ssize_t length;

		while (got < 100 && (length = recv(fd, buffer, sizeof(buffer), 0)) > 0)
			got += length;
		for (long left = number("answer", 8000); left > 0; left -= length) {
			length = send(fd, pattern, left, 0);
			if (length < 0)
				die("send");
		}
		close(fd);
	}
}

void connections(void)
{
	long count, altered = 0, short_ones = 0;
	static uint8_t buffer[CHUNK];
	double begin;

	start(connections_receiver);
	begin = now();
	for (count = 0; count < number("count", 200); count++) {
		int fd = connected(SOCK_STREAM, TCP_PORT);
		ssize_t length;
		long got = 0;

		if (send(fd, pattern, 100, 0) != 100)
			die("send");
		while ((length = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
			altered += !!memcmp(buffer, pattern + got, length);
			got += length;
		}
		short_ones += got != number("answer", 8000);
		close(fd);
	}
	printf("connections_bytes=%ld connections_seconds=%.6f connections_altered=%ld connections_short=%ld ",
	       count * number("answer", 8000), now() - begin, altered, short_ones);
	fflush(stdout);
	finish();
}
