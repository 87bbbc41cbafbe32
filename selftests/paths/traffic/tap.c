// SPDX-License-Identifier: GPL-2.0
/*
 * A program between a tap device of FROM and one of TO. ADDRESS is how: "plain": the devices
 * segment nothing; "whole": they segment UDP, and what is large is handed on as it is; "cut": what
 * is large is cut here, by its virtio header.
 */
#include "traffic.h"
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sys/uio.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define ETHERNET 14

static int open_tap(const char *ns, int uso)
{
	unsigned int offload = TUN_F_CSUM | (uso ? TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6 : 0);
	struct ifreq request = { .ifr_name = "tap", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd;

	enter(ns);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETOFFLOAD, offload))
		die("tun");
	return fd;
}

/* Sums of 16-bit words as they lie in memory, which is how the checksum goes there as well. */
static uint64_t sum16(const uint8_t *data, size_t length, uint64_t sum)
{
	uint16_t word;

	for (; length > 1; length -= 2, data += 2) {
		memcpy(&word, data, 2);
		sum += word;
	}
	if (length) {
		word = 0;
		memcpy(&word, data, 1);
		sum += word;
	}
	return sum;
}

static uint16_t folded(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void set16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* A frame in two parts. */
static void put(int fd, const uint8_t *start, size_t length, const uint8_t *rest, size_t rest_length)
{
	struct iovec parts[] = { { (void *)start, length }, { (void *)rest, rest_length } };

	if (writev(fd, parts, rest_length ? 2 : 1) < 0 && errno != EIO)
		die("write to a tap device");
}

/*
 * One IPv4 packet of UDP, as its header says, in frames whose checksums are still to be made, as
 * those of a device that segments nothing; false if the header makes no sense.
 */
static int cut(int fd, const uint8_t *packet, size_t length)
{
	static uint8_t frame[CHUNK] __attribute__((aligned(8)));
	struct virtio_net_hdr header;
	const size_t ip = sizeof(header) + ETHERNET;
	size_t udp, data, number = 0;

	memcpy(&header, packet, sizeof(header));
	udp = ip + (packet[ip] & 15) * 4;
	data = udp + 8;
	if (header.gso_type != VIRTIO_NET_HDR_GSO_UDP_L4 || !(header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
	    !header.gso_size || header.csum_start != udp - sizeof(header) || header.csum_offset != 6 ||
	    header.hdr_len < data - sizeof(header) || packet[ip] >> 4 != 4 || packet[ip + 9] != 17 || length <= data ||
	    get16(packet + ip + 2) != length - ip || get16(packet + udp + 4) != length - udp)
		return 0;
	memcpy(frame, packet, data);
	((struct virtio_net_hdr *)frame)->gso_type = VIRTIO_NET_HDR_GSO_NONE;
	((struct virtio_net_hdr *)frame)->gso_size = 0;
	for (size_t at = data; at < length; at += header.gso_size, number++) {
		size_t size = length - at < header.gso_size ? length - at : header.gso_size;
		uint16_t check;

		set16(frame + ip + 2, data - ip + size);
		set16(frame + ip + 4, get16(packet + ip + 4) + number);
		set16(frame + ip + 10, 0);
		check = folded(sum16(frame + ip, udp - ip, 0));
		memcpy(frame + ip + 10, &check, 2);
		set16(frame + udp + 4, 8 + size);
		/* Of the pseudo header, not inverted. */
		check = ~folded(sum16(frame + ip + 12, 8, htons(17) + htons(8 + size)));
		memcpy(frame + udp + 6, &check, 2);
		put(fd, frame, data, packet + at, size);
	}
	return 1;
}

static unsigned long large, wrong;

static void relay(int into, int out_of, int cuts)
{
	static uint8_t packet[2 * CHUNK];
	ssize_t length;

	while ((length = read(out_of, packet, sizeof(packet))) > 0) {
		struct virtio_net_hdr header;

		memcpy(&header, packet, sizeof(header));
		if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
			large++;
			if (cuts) {
				wrong += !cut(into, packet, length);
				continue;
			}
		}
		put(into, packet, length, NULL, 0);
	}
}

static void tell(int signal)
{
	(void)signal;
	dprintf(1, "tap_large=%lu fault_header=%lu\n", large, wrong);
	_exit(0);
}

void tap(void)
{
	int uso = strcmp(address, "plain"), cuts = !strcmp(address, "cut"), fd[2] = { open_tap(from, uso), -1 };

	fd[1] = open_tap(to, uso);
	signal(SIGTERM, tell);
	puts("up");
	fflush(stdout);
	for (;;) {
		struct pollfd wait[2] = { { fd[0], POLLIN, 0 }, { fd[1], POLLIN, 0 } };

		if (poll(wait, 2, -1) < 0)
			die("poll");
		if (wait[0].revents)
			relay(fd[1], fd[0], cuts);
		if (wait[1].revents)
			relay(fd[0], fd[1], cuts);
	}
}
