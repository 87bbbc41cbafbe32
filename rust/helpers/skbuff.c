// SPDX-License-Identifier: GPL-2.0

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/skbuff.h>
#include <net/dst.h>
#include <net/dst_metadata.h>
#include <net/icmp.h>
#include <net/inet_ecn.h>
#include <net/sock.h>

struct sk_buff *wg_helper_alloc_skb(unsigned int size, gfp_t flags)
{
	return alloc_skb(size, flags);
}

struct sk_buff *wg_helper_skb_share_check(struct sk_buff *skb, gfp_t flags)
{
	return skb_share_check(skb, flags);
}

void wg_helper_skb_orphan(struct sk_buff *skb)
{
	skb_orphan(skb);
}

void wg_helper_sk_wmem_alloc_add(struct sock *sk, int n)
{
	refcount_add(n, &sk->sk_wmem_alloc);
}

int wg_helper_sk_wmem_alloc_get(const struct sock *sk)
{
	return refcount_read(&sk->sk_wmem_alloc);
}

bool wg_helper_skb_valid_dst(const struct sk_buff *skb)
{
	return skb_valid_dst(skb);
}

u32 wg_helper_skb_dst_mtu(const struct sk_buff *skb)
{
	return dst_mtu(skb_dst(skb));
}

int wg_helper_inet_ecn_decapsulate(struct sk_buff *skb, u8 outer, u8 inner)
{
	return INET_ECN_decapsulate(skb, outer, inner);
}

void wg_helper_icmp_ndo_send_host_unreach(struct sk_buff *skb)
{
	icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
}

void wg_helper_icmpv6_ndo_send_addr_unreach(struct sk_buff *skb)
{
	icmpv6_ndo_send(skb, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, 0);
}

void wg_helper_skb_fill_page_desc(struct sk_buff *skb, int i, struct page *page, int off, int size)
{
	skb_fill_page_desc(skb, i, page, off, size);
}

struct page *wg_helper_skb_frag_page(const skb_frag_t *frag)
{
	return skb_frag_page(frag);
}

void *wg_helper_skb_frag_address(const skb_frag_t *frag)
{
	return skb_frag_address(frag);
}

void wg_helper_get_page(struct page *page)
{
	get_page(page);
}

void wg_helper_put_page(struct page *page)
{
	put_page(page);
}

int wg_helper_page_ref_count(const struct page *page)
{
	return page_ref_count(page);
}

void *wg_helper_page_address(const struct page *page)
{
	return page_address(page);
}

bool wg_helper_page_is_highmem(const struct page *page)
{
	return PageHighMem(page);
}

/*
 * What the page belongs to: a file, or the memory of a process. Some other users of pages keep
 * something else there.
 */
const void *wg_helper_page_mapping(const struct page *page)
{
	return page_folio(page)->mapping;
}

bool wg_helper_page_is_mapped(const struct page *page)
{
	return folio_mapped(page_folio(page));
}
