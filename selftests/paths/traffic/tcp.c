// SPDX-License-Identifier: GPL-2.0
/* Bulk over TCP, and many short connections. */
#include "traffic.h"
#include <linux/tls.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

static long streams(void)
{
	return number("streams", 1);
}

static long amount(void)
{
	return number("bytes", 4 << 20);
}

/* With the option "ktls" the kernel speaks TLS there, with keys that are no secret. */
static int crypted(int fd, int way)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info = { TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128 }, .key = { 1, 2, 3 }, .salt = { 4 },
	};

	if (!number("ktls", 0))
		return fd;
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 3) || setsockopt(fd, SOL_TLS, way, &keys, sizeof(keys)))
		die("TLS");
	return fd;
}

static void tcp_receiver(void)
{
	static uint8_t buffer[CHUNK];
	struct pollfd sockets[MAX_SOCKETS];
	long got[MAX_SOCKETS] = { 0 }, open = 0, all = 0, altered = 0, longest = 0;
	int listener = bound(SOCK_STREAM, TCP_PORT);
	int raw = -1, large = -1;

	if (text("watch", NULL)) {
		enter(text("watch_in", to));
		large = watch(text("watch", NULL), number("frame", 1600));
		enter(to);
	}
	if (number("raw", 0)) {
		enter(text("raw_in", to));
		raw = raw_watch(number("raw", 0));
		enter(to);
	}
	if (number("rcvbuf", 0))
		option(listener, SOL_SOCKET, SO_RCVBUFFORCE, number("rcvbuf", 0), "SO_RCVBUFFORCE");
	if (listen(listener, 64))
		die("listen");
	is_ready();
	for (; open < streams(); open++)
		sockets[open] = (struct pollfd){ crypted(accept(listener, NULL, NULL), TLS_RX), POLLIN, 0 };
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
	if (large >= 0)
		report("large=%u ", watched(large));
}

/* The pages that a pipe holds, so that the socket takes references to them. */
static void drain(int pipe, int fd, size_t length)
{
	while (length) {
		ssize_t moved = splice(pipe, NULL, fd, NULL, length, SPLICE_F_MORE);

		if (moved <= 0)
			die("splice");
		length -= moved;
	}
}

static void send_bytes(int fd)
{
	long size = number("write", CHUNK), sent = 0, zerocopy = number("zerocopy", 0);
	int source = -1, ends[2] = { -1, -1 };

	if (zerocopy)
		option(fd, SOL_SOCKET, SO_ZEROCOPY, 1, "SO_ZEROCOPY");
	if (number("nodelay", 0))
		option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	if (number("pacing", 0))
		option(fd, SOL_SOCKET, SO_MAX_PACING_RATE, number("pacing", 0), "SO_MAX_PACING_RATE");
	if (number("splice", 0) && pipe(ends))
		die("pipe");
	if (number("sendfile", 0) || ends[0] >= 0) {
		source = memfd_create("pattern", 0);
		if (source < 0 || write(source, pattern, sizeof(pattern)) != sizeof(pattern))
			die("memfd");
	}
	while (sent < amount()) {
		long want = amount() - sent < size ? amount() - sent : size;
		ssize_t length;

		if (ends[0] >= 0) {
			loff_t offset = sent % PERIOD;

			length = splice(source, &offset, ends[1], NULL, want, 0);
			if (length > 0)
				drain(ends[0], fd, length);
		} else if (source >= 0) {
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
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);
	int fds[MAX_SOCKETS];
	long retransmitted = 0;
	double begin;
	char byte;

	start(tcp_receiver);
	for (long i = 0; i < streams(); i++)
		fds[i] = crypted(connected(SOCK_STREAM, TCP_PORT), TLS_TX);
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
		/* An association of SCTP is gone as a whole. */
		if (recv(fds[i], &byte, 1, 0) < 0 && errno != ENOTCONN)
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
