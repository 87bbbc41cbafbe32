// SPDX-License-Identifier: GPL-2.0
/*
 * Tells the kernel that its machine was cloned, as the driver of the hypervisor's generation
 * counter does when that has changed. The function is not exported, so its address is asked of a
 * probe. Loading does all there is to do.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

static int __init clone_init(void)
{
	struct kprobe probe = { .symbol_name = "add_vmfork_randomness" };
	void (*forked)(const void *id, size_t size);
	int ret = register_kprobe(&probe);

	if (ret)
		return ret;
	forked = (void *)probe.addr;
	unregister_kprobe(&probe);
	forked("sixteen bytes id", 16);
	return 0;
}
module_init(clone_init);

static void __exit clone_exit(void)
{
}
module_exit(clone_exit);

MODULE_DESCRIPTION("Clone notification for tests");
MODULE_LICENSE("GPL");
