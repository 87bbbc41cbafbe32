// SPDX-License-Identifier: GPL-2.0

#include <linux/net.h>
#include <linux/printk.h>

void wg_helper_pr_debug(const void *args)
{
	pr_debug(KBUILD_MODNAME ": %pA", args);
}

void wg_helper_net_dbg_ratelimited(const void *args)
{
	net_dbg_ratelimited(KBUILD_MODNAME ": %pA", args);
}

void wg_helper_net_info_ratelimited(const void *args)
{
	net_info_ratelimited(KBUILD_MODNAME ": %pA", args);
}
