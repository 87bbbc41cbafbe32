// SPDX-License-Identifier: GPL-2.0
/*
 * BPF programs that entries attach. Most put an IPv4 header in front of the tunnel's datagrams.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>

#define SECTION(name) __attribute__((section(name), used))

static long (*load)(void *skb, __u32 at, void *to, __u32 length) = (void *)BPF_FUNC_skb_load_bytes;
static long (*store)(void *skb, __u32 at, const void *from, __u32 length, __u64 flags) = (void *)BPF_FUNC_skb_store_bytes;
static long (*adjust_room)(void *skb, __s32 length, __u32 mode, __u64 flags) = (void *)BPF_FUNC_skb_adjust_room;
static long (*push_encap)(void *skb, __u32 type, void *header, __u32 length) = (void *)BPF_FUNC_lwt_push_encap;
static long (*clone_redirect)(void *skb, __u32 device, __u64 flags) = (void *)BPF_FUNC_clone_redirect;
static __s64 (*csum_diff)(void *from, __u32 from_size, void *to, __u32 to_size, __u32 seed) = (void *)BPF_FUNC_csum_diff;

static __u16 big(__u16 value)
{
	return value << 8 | value >> 8;
}

static void lengthen(struct iphdr *ip, int bytes)
{
	__u32 sum;

	ip->tot_len = big(big(ip->tot_len) + bytes);
	ip->check = 0;
	sum = csum_diff(0, 0, (void *)ip, sizeof(*ip), 0);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~sum;
}

/* The header of IP in IP around one of these. */
static void outer_of(struct iphdr *ip)
{
	ip->protocol = IPPROTO_IPIP;
	lengthen(ip, sizeof(*ip));
}

/* At the egress of a device: room without FIXED_GSO, so the kernel refuses large packets of UDP. */
SECTION("grow") int grow_room(struct __sk_buff *skb)
{
	struct iphdr ip;

	if (skb->protocol != big(ETH_P_IP) || load(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.protocol != IPPROTO_UDP)
		return TC_ACT_OK;
	outer_of(&ip);
	if (adjust_room(skb, sizeof(ip), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4))
		return TC_ACT_SHOT;
	if (store(skb, ETH_HLEN, &ip, sizeof(ip), 0))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

/* On a route: to 10.0.0.3, which has another route. */
SECTION("push") int push_header(struct __sk_buff *skb)
{
	struct iphdr ip;

	if (load(skb, 0, &ip, sizeof(ip)))
		return BPF_DROP;
	ip.daddr = 0x0300000a;
	outer_of(&ip);
	if (push_encap(skb, BPF_LWT_ENCAP_IP, &ip, sizeof(ip)))
		return BPF_DROP;
	return BPF_LWT_REROUTE;
}

/* At the egress of a device: each datagram of the tunnel in one more of UDP, to port 5555. */
SECTION("fou") int one_more(struct __sk_buff *skb)
{
	struct {
		struct iphdr ip;
		__u16 from, to, length, check;
	} outer = { .from = big(6666), .to = big(5555) };

	if (skb->protocol != big(ETH_P_IP) || load(skb, ETH_HLEN, &outer.ip, sizeof(outer.ip)) || outer.ip.protocol != IPPROTO_UDP)
		return TC_ACT_OK;
	outer.length = big(big(outer.ip.tot_len) - sizeof(outer.ip) + 8);
	if (adjust_room(skb, 8, BPF_ADJ_ROOM_NET, BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		return TC_ACT_SHOT;
	lengthen(&outer.ip, 8);
	if (store(skb, ETH_HLEN, &outer, sizeof(outer), 0))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

/* In a queue's filter: a packet with a mark goes to the device of that index instead. */
SECTION("clone") int to_device(struct __sk_buff *skb)
{
	if (!skb->mark)
		return TC_ACT_UNSPEC;
	clone_redirect(skb, skb->mark, 0);
	return TC_ACT_SHOT;
}

SECTION("xdp") int pass_on(struct xdp_md *packet)
{
	return XDP_PASS;
}

char _license[] SECTION("license") = "GPL";
