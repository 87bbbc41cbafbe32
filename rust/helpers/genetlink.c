// SPDX-License-Identifier: GPL-2.0

#include <linux/string.h>
#include <net/genetlink.h>
#include <net/netlink.h>

const struct genl_info *wg_helper_genl_info_dump(struct netlink_callback *cb)
{
	return genl_info_dump(cb);
}

void wg_helper_genl_dump_check_consistent(struct netlink_callback *cb, void *hdr)
{
	genl_dump_check_consistent(cb, hdr);
}

int wg_helper_nla_parse_nested(struct nlattr *tb[], int maxtype,
			       const struct nlattr *nla,
			       const struct nla_policy *policy,
			       struct netlink_ext_ack *extack)
{
	return nla_parse_nested(tb, maxtype, nla, policy, extack);
}

void wg_helper_genlmsg_end(struct sk_buff *skb, void *hdr)
{
	genlmsg_end(skb, hdr);
}

void wg_helper_genlmsg_cancel(struct sk_buff *skb, void *hdr)
{
	genlmsg_cancel(skb, hdr);
}

int wg_helper_genlmsg_unicast(struct net *net, struct sk_buff *skb, u32 portid)
{
	return genlmsg_unicast(net, skb, portid);
}

int wg_helper_genlmsg_multicast_netns(const struct genl_family *family,
				      struct net *net, struct sk_buff *skb,
				      u32 portid, unsigned int group,
				      gfp_t flags)
{
	return genlmsg_multicast_netns(family, net, skb, portid, group, flags);
}

struct sk_buff *wg_helper_genlmsg_new(size_t payload, gfp_t flags)
{
	return genlmsg_new(payload, flags);
}

void wg_helper_nlmsg_free(struct sk_buff *skb)
{
	nlmsg_free(skb);
}

int wg_helper_genl_has_listeners(const struct genl_family *family,
				 struct net *net, unsigned int group)
{
	return genl_has_listeners(family, net, group);
}
