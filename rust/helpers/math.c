// SPDX-License-Identifier: GPL-2.0

#include <linux/math64.h>

u64 wg_helper_div_u64(u64 n, u32 by)
{
	return div_u64(n, by);
}
