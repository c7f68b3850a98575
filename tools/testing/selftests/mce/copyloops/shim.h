/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Just enough of a kernel for the copy routines and their exception handlers to
 * be built into a program. Stands for every header that they include; those of
 * the exception table itself are the kernel's own. Attributes and what exports
 * symbols are in the Makefile.
 */
#ifndef COPYLOOPS_SHIM_H
#define COPYLOOPS_SHIM_H

/* What boot-time patching would choose: bits of SHIM_FEATURES. */
#define X86_FEATURE_ERMS	0
#define X86_FEATURE_FSRM	1

#define CONFIG_X86_MCE		1

#ifdef __ASSEMBLER__
#include "shim.S"
#else

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define PAGE_SIZE		4096UL
#define BIT(n)			(1UL << (n))
#define ilog2(n)		(63 - __builtin_clzl(n))
#define ALIGN_DOWN(x, a)	((x) & ~((typeof(x))(a) - 1))
#define FIELD_GET(mask, reg)	field_get(mask, reg)
#define unlikely(x)		(x)
#define preempt_disable()	do { } while (0)
#define preempt_enable()	do { } while (0)
#define __stringify_1(x...)	#x
#define __stringify(x...)	__stringify_1(x)

/* Keeps the sign, as the kernel's does. */
static inline int field_get(int mask, int reg)
{
	return (reg & mask) >> __builtin_ctz(mask);
}

static inline unsigned long min(unsigned long a, unsigned long b)
{
	return a < b ? a : b;
}

static inline unsigned long DIV_ROUND_UP(unsigned long n, unsigned long d)
{
	return (n + d - 1) / d;
}

struct exception_table_entry {
	int insn, fixup, data;
};

/* There are none, and booting is over. */
struct module {
	const struct exception_table_entry *extable;
	unsigned int num_exentries;
};

static inline struct module *__module_text_address(unsigned long ip)
{
	(void)ip;
	return NULL;
}

enum { SYSTEM_BOOTING, SYSTEM_RUNNING };
#define system_state		SYSTEM_RUNNING

struct pt_regs {
	unsigned long ax, bx, cx, dx, si, di, bp, sp;
	unsigned long r8, r9, r10, r11, r12, r13, r14, r15, ip;
};

extern struct exception_table_entry __start___ex_table[], __stop___ex_table[];

const struct exception_table_entry *search_exception_tables(unsigned long ip);

/* The routines, as copyloops calls them */
unsigned long copy_mc_fragile(void *dst, const void *src, unsigned int len);
unsigned long copy_mc_enhanced_fast_string(void *dst, const void *src, unsigned int len);
unsigned long copy_to_nontemporal(void *dst, const void *src, unsigned int len);
u32 csum_partial_copy_generic(const void *src, void *dst, int len);

#include <asm/extable_fixup_types.h>

#endif /* __ASSEMBLER__ */
#endif /* COPYLOOPS_SHIM_H */
