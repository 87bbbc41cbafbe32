// SPDX-License-Identifier: GPL-2.0
/* How long a small datagram is on its way there and back, beside streams. */
#include "traffic.h"

static long streams(void)
{
	return number("streams", 1);
}

#define ECHO_PORT 7200

static void echo_receiver(void)
{
	struct sockaddr_storage peer;
	struct pollfd sockets[MAX_SOCKETS];
	static uint8_t buffer[CHUNK];
	long open = 2, bytes = 0;
	double begin = 0;

	sockets[0] = (struct pollfd){ bound(SOCK_DGRAM, ECHO_PORT), POLLIN, 0 };
	sockets[1] = (struct pollfd){ bound(SOCK_STREAM, TCP_PORT), POLLIN, 0 };
	if (listen(sockets[1].fd, 64))
		die("listen");
	is_ready();
	for (;;) {
		if (poll(sockets, open, -1) < 0)
			die("poll");
		if (sockets[0].revents) {
			socklen_t length = sizeof(peer);
			ssize_t size = recvfrom(sockets[0].fd, buffer, sizeof(buffer), 0, (void *)&peer, &length);

			/* An empty one is the end. */
			if (!size) {
				report("echo_stream_bytes=%ld echo_stream_seconds=%.6f ", bytes, now() - begin);
				return;
			}
			sendto(sockets[0].fd, buffer, size, 0, (void *)&peer, length);
		}
		if (sockets[1].revents) {
			sockets[open++] = (struct pollfd){ accept(sockets[1].fd, NULL, NULL), POLLIN, 0 };
			begin = now();
		}
		for (long i = 2; i < open; i++) {
			ssize_t length;

			if (!sockets[i].revents)
				continue;
			length = recv(sockets[i].fd, buffer, sizeof(buffer), 0);
			if (length <= 0)
				sockets[i].fd = -1;
			else
				bytes += length;
		}
	}
}

void echo(void)
{
	long probes = number("probes", 100), lost = 0, kept = 0;
	double sum = 0, most = 0;
	pid_t bulk[MAX_SOCKETS];
	char byte = 'x';
	int fd;

	start(echo_receiver);
	for (long i = 0; i < streams(); i++) {
		bulk[i] = fork();
		if (bulk[i])
			continue;
		fd = connected(SOCK_STREAM, TCP_PORT);
		while (send(fd, pattern, CHUNK, 0) > 0)
			;
		_exit(0);
	}
	fd = connected(SOCK_DGRAM, ECHO_PORT);
	/* The streams have found their pace by then. */
	nap(number("settle", 500) / 1e3);
	for (long i = 0; i < probes; i++) {
		struct pollfd wait = { fd, POLLIN, 0 };
		double begin = now(), took;

		send(fd, &byte, 1, 0);
		if (poll(&wait, 1, 1000) < 1) {
			lost++;
			continue;
		}
		recv(fd, &byte, 1, 0);
		took = now() - begin;
		sum += took;
		most = took > most ? took : most;
		kept++;
		nap(number("interval", 30) / 1e3);
	}
	for (long i = 0; i < streams(); i++)
		kill(bulk[i], SIGKILL);
	/* Queues may still drop it. */
	for (long i = 0; i < 20; i++) {
		send(fd, NULL, 0, 0);
		nap(0.05);
	}
	printf("echo_mean_ms=%.3f echo_most_ms=%.3f echo_lost=%ld ", kept ? sum / kept * 1e3 : 0, most * 1e3, lost);
	fflush(stdout);
	finish();
}
