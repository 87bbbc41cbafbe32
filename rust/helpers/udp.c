// SPDX-License-Identifier: GPL-2.0

#include <linux/inetdevice.h>
#include <linux/security.h>
#include <net/addrconf.h>
#include <net/dst.h>
#include <net/gro.h>
#include <net/inet_sock.h>
#include <net/ip6_fib.h>
#include <net/ip.h>
#include <net/sock.h>
#include <net/udp_tunnel.h>

/* Functions only with CONFIG_SECURITY_NETWORK. */
void wg_helper_security_sk_classify_flow4(const struct sock *sk,
					  struct flowi4 *fl)
{
	security_sk_classify_flow(sk, flowi4_to_flowi_common(fl));
}

void wg_helper_security_sk_classify_flow6(const struct sock *sk,
					  struct flowi6 *fl)
{
	security_sk_classify_flow(sk, flowi6_to_flowi_common(fl));
}

bool wg_helper_ipv6_mod_enabled(void)
{
	return ipv6_mod_enabled();
}

int wg_helper_ip6_sock_set_v6only(struct sock *sk)
{
	return ip6_sock_set_v6only(sk);
}

void *wg_helper_rcu_dereference_sk_user_data(const struct sock *sk)
{
	return rcu_dereference_sk_user_data(sk);
}

bool wg_helper_sk_fullsock(const struct sock *sk)
{
	return sk_fullsock(sk);
}

bool wg_helper_sk_is_udp(const struct sock *sk)
{
	return sk_is_udp(sk);
}

udp_tunnel_gro_receive_t wg_helper_udp_gro_receive(const struct sock *sk)
{
	return READ_ONCE(udp_sk(sk)->gro_receive);
}

udp_tunnel_gro_complete_t wg_helper_udp_gro_complete(const struct sock *sk)
{
	return READ_ONCE(udp_sk(sk)->gro_complete);
}

struct net *wg_helper_sock_net(const struct sock *sk)
{
	return sock_net(sk);
}

__be16 wg_helper_inet_sport(const struct sock *sk)
{
	return inet_sk(sk)->inet_sport;
}

void wg_helper_sk_set_allocation(struct sock *sk, gfp_t allocation)
{
	sk->sk_allocation = allocation;
}

void wg_helper_sk_set_rcu_free(struct sock *sk)
{
	sock_set_flag(sk, SOCK_RCU_FREE);
}

void wg_helper_sk_set_sndbuf(struct sock *sk, int sndbuf)
{
	sk->sk_sndbuf = sndbuf;
}

void wg_helper_dst_hold(struct dst_entry *dst)
{
	dst_hold(dst);
}

struct dst_entry *wg_helper_dst_check(struct dst_entry *dst, u32 cookie)
{
	return dst_check(dst, cookie);
}

bool wg_helper_dst_has_xfrm(const struct dst_entry *dst)
{
	return dst_xfrm(dst);
}

bool wg_helper_dst_has_lwtstate(const struct dst_entry *dst)
{
	return dst->lwtstate;
}

struct net_device *wg_helper_dst_dev(const struct dst_entry *dst)
{
	return dst_dev(dst);
}

u32 wg_helper_dst_mtu(const struct dst_entry *dst)
{
	return dst_mtu(dst);
}

struct net *wg_helper_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

int wg_helper_ip4_dst_hoplimit(const struct dst_entry *dst)
{
	return ip4_dst_hoplimit(dst);
}

u32 wg_helper_rt6_get_cookie(const struct dst_entry *dst)
{
	return rt6_get_cookie(dst_rt6_info(dst));
}

int wg_helper_skb_cow_head(struct sk_buff *skb, unsigned int headroom)
{
	return skb_cow_head(skb, headroom);
}

void wg_helper_skb_set_inner_network_header(struct sk_buff *skb, int offset)
{
	skb_set_inner_network_header(skb, offset);
}

void wg_helper_skb_dst_set_noref(struct sk_buff *skb, struct dst_entry *dst)
{
	skb_dst_set_noref(skb, dst);
}

void wg_helper_skb_dst_drop(struct sk_buff *skb)
{
	skb_dst_drop(skb);
}

void wg_helper_skb_set_dev(struct sk_buff *skb, struct net_device *dev)
{
	skb->dev = dev;
}

void wg_helper_skb_set_ignore_df(struct sk_buff *skb, bool ignore_df)
{
	skb->ignore_df = ignore_df;
}

void wg_helper_inet_dec_convert_csum(struct sock *sk)
{
	inet_dec_convert_csum(sk);
}

void wg_helper_udp_allow_gso(struct sock *sk)
{
	udp_allow_gso(sk);
}

int wg_helper_gro_network_flush(const void *th, const void *th2, struct sk_buff *p, u16 diff)
{
	return __gro_receive_network_flush(th, th2, p, diff, false);
}

/* Whether a packet that a device has received is for an address of this machine. */
bool wg_helper_gro_is_local4(const struct sk_buff *skb, const struct iphdr *ip)
{
	return __ip_dev_find(dev_net_rcu(skb->dev), ip->daddr, false);
}

struct sk_buff *wg_helper_udp_rcv_segment(struct sock *sk, struct sk_buff *skb, bool ipv4)
{
	return udp_rcv_segment(sk, skb, ipv4);
}

/* In C: parameters of the kernel crate are read-only, and sysfs does not show them. */
static bool udp_gso = true;
module_param(udp_gso, bool, 0644);
MODULE_PARM_DESC(udp_gso, "Default of the private flag udp-gso of new interfaces: send datagrams of one size as one packet with UDP segmentation offload (default: Y)");

bool wg_helper_udp_gso(void)
{
	return READ_ONCE(udp_gso);
}
