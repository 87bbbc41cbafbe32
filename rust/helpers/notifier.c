// SPDX-License-Identifier: GPL-2.0

#include <linux/notifier.h>
#include <linux/random.h>
#include <linux/suspend.h>

int wg_helper_register_pm_notifier(struct notifier_block *nb)
{
	return register_pm_notifier(nb);
}

int wg_helper_unregister_pm_notifier(struct notifier_block *nb)
{
	return unregister_pm_notifier(nb);
}

int wg_helper_register_random_vmfork_notifier(struct notifier_block *nb)
{
	return register_random_vmfork_notifier(nb);
}

int wg_helper_unregister_random_vmfork_notifier(struct notifier_block *nb)
{
	return unregister_random_vmfork_notifier(nb);
}
