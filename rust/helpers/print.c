// SPDX-License-Identifier: GPL-2.0

#include <linux/net.h>
#include <linux/printk.h>

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

void wg_helper_pr_debug(const void *args)
{
	pr_debug("%pA", args);
}

void wg_helper_net_dbg_ratelimited(const void *args)
{
	net_dbg_ratelimited("%pA", args);
}
