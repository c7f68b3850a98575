/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Just enough of a kernel for the copy routines and their exception handlers to
 * be built into a program. Stands for every header that they include; those of
 * the exception table itself are the kernel's own.
 */
#ifndef COPYLOOPS_SHIM_H
#define COPYLOOPS_SHIM_H

/* What boot-time patching would choose: bits of SHIM_FEATURES. */
#define X86_FEATURE_ERMS	0
#define X86_FEATURE_FSRM	1

#define CONFIG_X86_MCE		1
#define EXPORT_SYMBOL(name)
#define EXPORT_SYMBOL_GPL(name)
#define EXPORT_SYMBOL_IF_KUNIT(name)

#ifdef __ASSEMBLER__

#ifndef __ASSEMBLY__
#define __ASSEMBLY__
#endif

#define RET			ret
#ifndef SHIM_SHIFT
#define SHIM_SHIFT		0
#endif
#define SYM_FUNC_START(name)	.globl name ; .type name, @function ;	\
				.p2align 6 ; .fill SHIM_SHIFT, 1, 0x90 ; name:
#define SYM_FUNC_END(name)	.size name, . - name
#define SYM_TYPED_FUNC_START(name)	SYM_FUNC_START(name)
#define SYM_FUNC_START_LOCAL(name)	.p2align 4 ; .type name, @function ; name:
#define SYM_FUNC_ALIAS_MEMFUNC(alias, name)

.macro ALTERNATIVE old new feature
.if (SHIM_FEATURES >> \feature) & 1
	\new
.else
	\old
.endif
.endm

.section .note.GNU-stack, "", @progbits
.text

#else /* !__ASSEMBLER__ */

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
#define min(a, b)		((a) < (b) ? (a) : (b))
#define ALIGN_DOWN(x, a)	((x) & ~((typeof(x))(a) - 1))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define FIELD_GET(mask, reg)	((typeof(mask))(((reg) & (mask)) >> __builtin_ctz(mask)))
#define __section(name)		__attribute__((__section__(name)))
#define unlikely(x)		(x)
#define preempt_disable()	do { } while (0)
#define preempt_enable()	do { } while (0)
#define __pure			__attribute__((__pure__))
#define __stringify_1(x...)	#x
#define __stringify(x...)	__stringify_1(x)

struct exception_table_entry {
	int insn, fixup, data;
};

/* There are none, and booting is over. */
struct module {
	const struct exception_table_entry *extable;
	unsigned int num_exentries;
};

#define __module_text_address(ip)	((struct module *)NULL)

enum { SYSTEM_BOOTING, SYSTEM_RUNNING };
#define system_state		SYSTEM_RUNNING

struct pt_regs {
	unsigned long ax, bx, cx, dx, si, di, bp, sp;
	unsigned long r8, r9, r10, r11, r12, r13, r14, r15, ip;
};

const struct exception_table_entry *search_exception_tables(unsigned long ip);
int fixup_exception(struct pt_regs *regs, int trapnr, unsigned long error_code,
		    unsigned long fault_addr);

#include <asm/extable_fixup_types.h>

#endif /* __ASSEMBLER__ */
#endif /* COPYLOOPS_SHIM_H */
