// SPDX-License-Identifier: GPL-2.0
/* A packet socket that counts what is larger than a frame, but keeps none of it. */
#include "traffic.h"

int watch(const char *device, unsigned int larger)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, larger, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 64),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };
	struct sockaddr_ll where = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)))
		die("packet socket");
	option(fd, SOL_SOCKET, SO_RCVBUF, 1, "SO_RCVBUF");
	where.sll_ifindex = if_nametoindex(device);
	if (!where.sll_ifindex || bind(fd, (void *)&where, sizeof(where)))
		die(device);
	return fd;
}

unsigned int watched(int fd)
{
	struct tpacket_stats stats = { 0 };
	socklen_t length = sizeof(stats);

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length))
		die("PACKET_STATISTICS");
	return stats.tp_packets;
}

/*
 * A raw socket that gets all UDP, with its IPv4 header, of which what is larger than that is
 * counted.
 */
int raw_watch(unsigned int larger)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, larger, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)))
		die("raw socket");
	option(fd, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24, "SO_RCVBUFFORCE");
	return fd;
}

unsigned int raw_watched(int fd)
{
	unsigned int count = 0;
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0)
		count++;
	return count;
}

/* A packet socket that no program reads. */

void hold(void)
{
	struct sockaddr_ll where = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd;

	enter(to);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	where.sll_ifindex = if_nametoindex(address);
	/* What a program that captures asks for. */
	option(fd, SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20, "SO_RCVBUFFORCE");
	if (fd < 0 || !where.sll_ifindex || bind(fd, (void *)&where, sizeof(where)))
		die(address);
	puts("held");
	fflush(stdout);
	pause();
}
