// SPDX-License-Identifier: GPL-2.0

#include <linux/jump_label.h>
#include <linux/tracepoint.h>

/* Without CONFIG_JUMP_LABEL a static branch is a look at the key. */
bool wg_helper_tracepoint_enabled(const struct tracepoint *tracepoint)
{
	return static_key_enabled(&tracepoint->key);
}
