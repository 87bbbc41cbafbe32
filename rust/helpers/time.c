// SPDX-License-Identifier: GPL-2.0

#include <linux/sched/clock.h>
#include <linux/timer.h>

bool wg_helper_timer_pending(const struct timer_list *timer)
{
	return timer_pending(timer);
}

u64 wg_helper_local_clock(void)
{
	return local_clock();
}
