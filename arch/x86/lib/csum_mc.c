// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery of csum_partial() from #MC.
 *
 * What it is asked to sum is data of somebody: a packet's. The caller compares
 * the sum with another one, and drops the packet when they differ. So after #MC
 * the sum is wrong, and nothing more is loaded.
 */
#include <linux/bits.h>
#include <linux/extable.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

#include <asm/csum_mc.h>
#include <asm/extable_desc.h>
#include <asm/extable_fixup_types.h>
#include <asm/trapnr.h>
#include <asm/unwind.h>

/* Folds to a checksum that is not zero, which is the right one of a packet. */
#define WRONG_SUM	1

/*
 * Is there nothing but the return address on the stack? The compiler has no
 * reason to save a register in csum_partial(), but it might.
 */
static bool is_leaf_frame(struct pt_regs *regs)
{
#ifdef CONFIG_UNWINDER_ORC
	struct unwind_state state;

	/* That is the caller's frame already. */
	unwind_start(&state, current, regs, NULL);

	return !unwind_done(&state) && !unwind_error(&state) &&
	       state.sp == regs->sp + sizeof(long);
#else
	return false;
#endif
}

/**
 * ex_mc_csum() - leave csum_partial() after #MC
 * @regs:	registers at the load that met the error
 * @info:	the trap
 * @e:		the entry
 *
 * Context: #MC, NMI-like.
 * Return: false if the way out is not known.
 */
bool ex_mc_csum(struct pt_regs *regs, const struct ex_info *info,
		const struct exception_table_entry *e)
{
	if (!is_leaf_frame(regs))
		return false;

	regs->ax = WRONG_SUM;
	regs->ip = (unsigned long)csum_mc_return;
	return true;
}

const struct ex_desc ex_desc_csum_tail __ex_desc = {
	.handler = ex_mc_csum,
	.traps	 = BIT(X86_TRAP_MC),
	.type	 = EX_TYPE_ZEROPAD,
};
