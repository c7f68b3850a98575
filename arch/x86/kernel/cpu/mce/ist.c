// SPDX-License-Identifier: GPL-2.0
/*
 * Which stack the second half of #MC from kernel mode runs on.
 *
 * The CPU would start the next machine check on the same IST stack from the top.
 * Therefore the second half, with MCIP clear, runs on the stack that was
 * interrupted, as the one of #VC does.
 */
#include <linux/sched.h>

#include <asm/cpu_entry_area.h>
#include <asm/mce.h>
#include <asm/mce_recovery.h>
#include <asm/ptrace.h>
#include <asm/stacktrace.h>
#include <asm/traps.h>

#include "internal.h"

/*
 * What the second half may need of the interrupted stack, and how much of it
 * is left alone right below the interrupted stack pointer.
 */
#define MCE_STACK_ROOM		4096UL

static __always_inline bool on_mce_stack(unsigned long sp)
{
	unsigned long top = (unsigned long)__this_cpu_ist_top_va(MCE);
	unsigned long bottom = (unsigned long)__this_cpu_ist_bottom_va(MCE);

	return sp >= bottom && sp < top;
}

/**
 * mce_on_ist() - is a machine check from the kernel still on its own stack?
 * @regs:	as the entry code saved them
 *
 * Context: #MC from kernel mode, noinstr.
 * Return: true if the entry code is going to call mce_leave_ist().
 */
noinstr bool mce_on_ist(struct pt_regs *regs)
{
	/* FRED goes on where it is. */
	return !cpu_feature_enabled(X86_FEATURE_FRED) &&
	       on_mce_stack((unsigned long)regs);
}

/**
 * mce_cannot_return() - has a machine check interrupted another one?
 * @regs:	as the entry code saved them
 *
 * That one had let machine checks come again and was still on its own stack, as
 * mce_panic() does. This one began at the top of the same stack.
 *
 * Context: #MC, noinstr.
 * Return: true if there is nothing left to return to.
 */
noinstr bool mce_cannot_return(struct pt_regs *regs)
{
	return !user_mode(regs) && mce_on_ist(regs) && on_mce_stack(regs->sp);
}

/**
 * mce_leave_ist() - where to run the second half
 * @regs:	as the entry code saved them, on the IST stack
 *
 * Context: #MC from kernel mode, called by the entry code; noinstr.
 * Return: a copy of @regs on the interrupted stack, or @regs where that stack
 * cannot be trusted or is nearly full. Then the machine check is handled where
 * it is, and another one must wait.
 */
asmlinkage __visible noinstr struct pt_regs *mce_leave_ist(struct pt_regs *regs)
{
	struct stack_info info;
	struct pt_regs *copy;

	/* SYSCALL has not loaded the kernel's stack pointer yet. */
	if (ip_within_syscall_gap(regs))
		return regs;
	if (!get_stack_info_noinstr((unsigned long *)regs->sp, current, &info) ||
	    info.type == STACK_TYPE_ENTRY || on_mce_stack(regs->sp))
		return regs;
	if (regs->sp - (unsigned long)info.begin < MCE_STACK_ROOM)
		return regs;

	copy = (struct pt_regs *)(ALIGN_DOWN(regs->sp, 16) - MCE_STACK_GAP);
	*--copy = *regs;

	return copy;
}
