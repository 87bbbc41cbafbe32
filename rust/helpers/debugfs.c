// SPDX-License-Identifier: GPL-2.0

#include <linux/debugfs.h>

struct dentry *wg_helper_debugfs_create_dir(const char *name, struct dentry *parent)
{
	return debugfs_create_dir(name, parent);
}

struct dentry *wg_helper_debugfs_create_file(const char *name, umode_t mode, struct dentry *parent,
					     void *data, const struct debugfs_short_fops *fops)
{
	return debugfs_create_file(name, mode, parent, data, fops);
}

void wg_helper_debugfs_remove(struct dentry *dentry)
{
	debugfs_remove(dentry);
}
