/* SPDX-License-Identifier: GPL-2.0 */
/* libmc on x86-64, see arch.h. */
#ifndef MC_X86_64_H
#define MC_X86_64_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#define MC_PAGE		4096UL

/* What the ABI lets a function use below the stack pointer. */
#define MC_RED_ZONE	128UL
#define MC_EFLAGS_DF	(1L << 10)

static inline uintptr_t mc_arch_ip(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
}

static inline uintptr_t mc_arch_stack(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
}

static inline void mc_arch_goto(ucontext_t *uc, uintptr_t ip)
{
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)ip;
}

/* Not the stack pointer. */
static inline bool mc_arch_reg_ok(unsigned int reg)
{
	return reg < 16 && reg != 4;
}

static inline void mc_arch_set(ucontext_t *uc, unsigned int reg, uintptr_t val)
{
	static const signed char where[16] = {
		REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI,
		REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13,
		REG_R14, REG_R15,
	};

	uc->uc_mcontext.gregs[where[reg]] = (greg_t)val;
}

/*
 * A function begins with the stack 8 bytes off a multiple of 16 and the
 * direction flag clear: the fault may be that of a backward memmove().
 */
static inline void mc_arch_call(ucontext_t *uc, void (*fn)(void *arg), void *arg)
{
	uintptr_t sp = ((mc_arch_stack(uc) - MC_RED_ZONE) & ~(uintptr_t)15) - 8;

	uc->uc_mcontext.gregs[REG_RSP] = (greg_t)sp;
	uc->uc_mcontext.gregs[REG_RDI] = (greg_t)(uintptr_t)arg;
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)fn;
	uc->uc_mcontext.gregs[REG_EFL] &= ~MC_EFLAGS_DF;
}

#endif
