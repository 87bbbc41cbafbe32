// SPDX-License-Identifier: GPL-2.0

#include <linux/mm.h>
#include <linux/slab.h>

unsigned long wg_helper_totalram_pages(void)
{
	return totalram_pages();
}

struct page *wg_helper_alloc_pages(gfp_t gfp, unsigned int order)
{
	return alloc_pages(gfp, order);
}

void *wg_helper_kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	return kmem_cache_alloc(cache, gfp);
}
