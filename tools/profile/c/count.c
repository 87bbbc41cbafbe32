// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for QEMU that counts how often each block of guest code runs.
 *
 * -plugin count.so,out=PREFIX,mark=ADDRESS: whenever the guest runs code at ADDRESS (that of
 * mark.S), what ran since the last time goes to PREFIX.0, PREFIX.1, …, one line "ADDRESS
 * INSTRUCTIONS LOCKED RUNS" for each block, where LOCKED is how many of its instructions lock the
 * bus.
 *
 * Debian's package has no headers for plugins; what is used of them is declared here (QEMU 10,
 * include/qemu-plugin.h).
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 4;

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;
struct per_cpu {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
};
enum { ADD_U64 = 0 };
enum { NO_REGISTERS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*call)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *tb, int op, struct per_cpu entry,
						       uint64_t by);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*call)(unsigned int cpu, void *data),
					  int registers, void *data);
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t size);
uint64_t qemu_plugin_u64_sum(struct per_cpu entry);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t len);

/* Blocks of the same address and length are one, also when they are translated again. */
#define MAX_BLOCKS (1u << 20)
#define HASH_SIZE (2 * MAX_BLOCKS)

static struct block {
	uint64_t address;
	uint32_t instructions;
	uint32_t locked;
	uint64_t seen;
} blocks[MAX_BLOCKS];
static uint32_t slots[HASH_SIZE];
static unsigned int used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct qemu_plugin_scoreboard *score;
static const char *prefix = "count";
static uint64_t mark;

static struct per_cpu runs(unsigned int block)
{
	return (struct per_cpu){ score, block * sizeof(uint64_t) };
}

static void dump(unsigned int cpu, void *data)
{
	static int number;
	char name[4096];
	FILE *file;
	unsigned int i;

	(void)cpu;
	(void)data;
	pthread_mutex_lock(&lock);
	snprintf(name, sizeof(name), "%s.%d", prefix, number++);
	file = fopen(name, "w");
	for (i = 0; i < used; i++) {
		uint64_t all = qemu_plugin_u64_sum(runs(i));

		if (file && all != blocks[i].seen)
			fprintf(file, "%llx %u %u %llu\n", (unsigned long long)blocks[i].address,
				blocks[i].instructions, blocks[i].locked, (unsigned long long)(all - blocks[i].seen));
		blocks[i].seen = all;
	}
	if (!file || fclose(file)) {
		perror(name);
		abort();
	}
	pthread_mutex_unlock(&lock);
}

static uint32_t count_locked(const struct qemu_plugin_tb *tb, uint32_t n)
{
	uint32_t locked = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		unsigned char code[16] = { 0 };

		qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i), code, sizeof(code));
		/* The prefix, or an exchange with memory, which locks without it. */
		if (code[0] == 0xf0)
			locked++;
		else if ((code[0] & 0xf0) == 0x40 ? (code[1] & 0xfe) == 0x86 && code[2] < 0xc0 :
						    (code[0] & 0xfe) == 0x86 && code[1] < 0xc0)
			locked++;
	}
	return locked;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb);
	uint32_t n = qemu_plugin_tb_n_insns(tb);
	uint32_t at = ((address ^ n) * 0x9e3779b97f4a7c15ull) >> 43;
	struct block *block;

	(void)id;
	pthread_mutex_lock(&lock);
	for (;; at++) {
		at %= HASH_SIZE;
		if (!slots[at]) {
			if (used == MAX_BLOCKS) {
				fputs("too many blocks of code\n", stderr);
				abort();
			}
			block = &blocks[used++];
			block->address = address;
			block->instructions = n;
			block->locked = count_locked(tb, n);
			slots[at] = used;
			break;
		}
		block = &blocks[slots[at] - 1];
		if (block->address == address && block->instructions == n)
			break;
	}
	pthread_mutex_unlock(&lock);
	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, ADD_U64, runs(block - blocks), 1);
	if (address == mark)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, dump, NO_REGISTERS, NULL);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			prefix = strdup(argv[i] + 4);
		else if (!strncmp(argv[i], "mark=", 5))
			mark = strtoull(argv[i] + 5, NULL, 0);
	}
	score = qemu_plugin_scoreboard_new(MAX_BLOCKS * sizeof(uint64_t));
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
