// SPDX-License-Identifier: GPL-2.0
/* Tables of a program's own: in its code, in a shared object, in code made at run time. */
#include <dlfcn.h>
#include <errno.h>

#include "test.h"

MC_REGISTER_TABLE();

/* The landing pad is the next instruction, and a register says whether it was one. */
__attribute__((noinline, no_sanitize_address, no_sanitize_thread))
static int load_or_minus_one(const unsigned char *p)
{
	int val, kind = 0;

	__asm__ volatile("1: movzbl %[p], %[val]\n"
			 "2:\n\t"
			 MC_ENTRY(1b, 2b, 2b, MC_KIND_IN(0))
			 : "+a" (kind), [val] "=&r" (val) : [p] "m" (*p));
	return kind ? -1 : val;
}

/* A jump. GCC 12 has asm goto with outputs wrong; this has none. */
__attribute__((noinline, no_sanitize_address, no_sanitize_thread))
static bool load_or_jump(const unsigned char *p, int *val)
{
	__asm__ goto("1: movzbl %[p], %%eax\n\t"
		     "movl %%eax, %[val]\n"
		     "2:\n\t"
		     MC_ENTRY(1b, 2b, %l[bad], 0)
		     : : [p] "m" (*p), [val] "m" (*val) : "eax", "memory" : bad);
	return true;
bad:
	return false;
}

/* A range of instructions that stands for one, with kind and address in registers. */
__attribute__((noinline, no_sanitize_address, no_sanitize_thread))
static unsigned long sum(const unsigned long *p, size_t n, long *kind, void **addr)
{
	unsigned long s = 0;
	register long k __asm__("r8") = 0;
	register void *a __asm__("r9") = NULL;

	__asm__("1:\n\t"
		"test %[n], %[n]\n\t"
		"jz 2f\n\t"
		"add (%[p]), %[s]\n\t"
		"add $8, %[p]\n\t"
		"dec %[n]\n\t"
		"jmp 1b\n"
		"2:\n\t"
		MC_ENTRY(1b, 2b, 2b, MC_KIND_IN(8) | MC_ADDR_IN(9))
		: [s] "+&r" (s), [p] "+&r" (p), [n] "+&r" (n), "+&r" (k), "+&r" (a)
		: : "memory", "cc");
	*kind = k;
	*addr = a;
	return s;
}

TEST(asm_statements)
{
	unsigned char *map = truncated(2, 1, NULL);
	int val = 0;

	EQ(0, mc_init(0));
	EQ(pattern(PAGE - 1), load_or_minus_one(map + PAGE - 1));
	EQ(-1, load_or_minus_one(map + PAGE));
	CHECK(load_or_jump(map + PAGE - 1, &val));
	EQ(pattern(PAGE - 1), val);
	CHECK(!load_or_jump(map + PAGE, &val));
	EQ(pattern(PAGE - 1), val);
}

TEST(range_with_registers)
{
	unsigned char *map = truncated(2, 1, NULL);
	unsigned long want = 0, i;
	long kind;
	void *addr;

	EQ(0, mc_init(0));
	for (i = PAGE - 80; i < PAGE; i += 8)
		want += *(unsigned long *)(map + i);
	EQ(want, sum((unsigned long *)(map + PAGE - 80), 10, &kind, &addr));
	EQ(0, kind);
	EQ(want, sum((unsigned long *)(map + PAGE - 80), 20, &kind, &addr));
	EQ(MC_TRUNCATED, kind);
	EQ((uintptr_t)map + PAGE, (uintptr_t)addr);
}

/* The assembler's form, see entry.S. */
int peek(const void *p);

TEST(assembler)
{
	unsigned char *map = truncated(2, 1, NULL);

	EQ(0, mc_init(0));
	EQ(pattern(5), peek(map + 5));
	EQ(-1, peek(map + PAGE));
}

/* movzbl (%rdi), %eax; ret; mov $-1, %eax; ret */
static const unsigned char code[] = {
	0x0f, 0xb6, 0x07, 0xc3, 0xb8, 0xff, 0xff, 0xff, 0xff, 0xc3,
};

struct jit {
	unsigned char code[16];
	struct mc_entry entry;
};

typedef int jit_fn(const void *p);

static struct jit *jit(size_t n)
{
	struct jit *j = mmap(NULL, n * sizeof(*j), PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	CHECK(j != MAP_FAILED);
	for (i = 0; i < n; i++) {
		memcpy(j[i].code, code, sizeof(code));
		EQ(0, mc_entry_set(&j[i].entry, j[i].code, j[i].code + 3, j[i].code + 4, 0));
	}
	return j;
}

TEST(made_at_run_time)
{
	unsigned char *map = truncated(2, 1, NULL);
	struct jit *j = jit(5000);
	size_t i;

	EQ(0, mc_init(0));
	for (i = 0; i < 5000; i++)
		EQ(0, mc_table_add(&j[i].entry, 1));
	for (i = 0; i < 5000; i += 7) {
		EQ(pattern(i % PAGE), ((jit_fn *)j[i].code)(map + i % PAGE));
		EQ(-1, ((jit_fn *)j[i].code)(map + PAGE));
	}
	for (i = 0; i < 5000; i += 2)
		EQ(0, mc_table_remove(&j[i].entry));
	for (i = 1; i < 5000; i += 2)
		EQ(-1, ((jit_fn *)j[i].code)(map + PAGE));
	EQ(-ENOENT, mc_table_remove(&j[0].entry));
	EQ(0, mc_table_add(&j[0].entry, 1));
	EQ(-1, ((jit_fn *)j[0].code)(map + PAGE));
}

TEST_ENDS_BY(SIGBUS, table_removed)
{
	unsigned char *map = truncated(2, 1, NULL);
	struct jit *j = jit(1);

	EQ(0, mc_init(0));
	EQ(0, mc_table_add(&j->entry, 1));
	EQ(-1, ((jit_fn *)j->code)(map + PAGE));
	EQ(0, mc_table_remove(&j->entry));
	((jit_fn *)j->code)(map + PAGE);
}

TEST(bad_tables)
{
	struct jit *j = jit(3);
	struct mc_entry e[2];

	EQ(0, mc_table_add(&j[1].entry, 1));
	EQ(-EEXIST, mc_table_add(&j[1].entry, 1));
	/* Around another one; twice the same instruction. */
	EQ(0, mc_entry_set(&e[0], e, (char *)e + 1, e, 0) |
	      mc_entry_set(&e[1], e, (char *)e + 1, e, 0));
	EQ(-EEXIST, mc_table_add(e, 2));
	j[0].entry.len = 200;
	EQ(-EEXIST, mc_table_add(&j[0].entry, 1));
	j[0].entry.len = 0;
	EQ(-EINVAL, mc_table_add(&j[0].entry, 1));
	j[0].entry.len = 3;
	j[0].entry.how = MC_KIND_IN(4);
	EQ(-EINVAL, mc_table_add(&j[0].entry, 1));
	j[0].entry.how = MC_ADDR_IN(16);
	EQ(-EINVAL, mc_table_add(&j[0].entry, 1));
	j[0].entry.how = 1 << 16;
	EQ(-EINVAL, mc_table_add(&j[0].entry, 1));
	EQ(0, mc_table_add(NULL, 0));
	EQ(-ENOENT, mc_table_remove(NULL));
	EQ(-1, mc_entry_set(&e[0], (char *)&e[0] + (1L << 33), (char *)&e[0] + (1L << 33) + 1, e, 0));
}

/* A shared object with entries of its own, see plugin.c; loaded and unloaded. */
static char *plugin(void)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 20);

	CHECK(n > 0);
	path[n] = 0;
	strcpy(strrchr(path, '/'), "/plugin.so");
	return path;
}

TEST(shared_object)
{
	unsigned char *map = truncated(2, 1, NULL);
	jit_fn *fn;
	void *so;
	int i;

	EQ(0, mc_init(0));
	for (i = 0; i < 50; i++) {
		so = dlopen(plugin(), RTLD_NOW);
		if (!so)
			printf("# %s\n", dlerror());
		CHECK(so);
		fn = (jit_fn *)dlsym(so, "plugin_peek");
		CHECK(fn);
		EQ(pattern(7), fn(map + 7));
		EQ(-2, fn(map + PAGE));
		EQ(0, dlclose(so));
		CHECK(!dlopen(plugin(), RTLD_NOW | RTLD_NOLOAD));
	}
}
