// SPDX-License-Identifier: GPL-2.0

#include <linux/cpumask.h>
#include <linux/smp.h>

unsigned int wg_helper_nr_cpu_ids(void)
{
	return nr_cpu_ids;
}

unsigned int wg_helper_num_possible_cpus(void)
{
	return num_possible_cpus();
}

unsigned int wg_helper_num_online_cpus(void)
{
	return num_online_cpus();
}

bool wg_helper_cpu_online(unsigned int cpu)
{
	return cpu_online(cpu);
}

unsigned int wg_helper_cpumask_next_online(int n)
{
	return cpumask_next_wrap(n, cpu_online_mask);
}

unsigned int wg_helper_raw_smp_processor_id(void)
{
	return raw_smp_processor_id();
}
