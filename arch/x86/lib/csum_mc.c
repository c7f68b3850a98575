// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery of csum_partial() from #MC.
 *
 * What it is asked to sum is data of somebody: a packet's. The caller compares
 * the sum with another one, and drops the packet when they differ. So after #MC
 * the sum is wrong, and nothing more is loaded. The same where the page is not
 * in the direct map any more because it is bad; any other page fault is a bug.
 */
#include <linux/align.h>
#include <linux/bits.h>
#include <linux/extable.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

#include <asm/copy_mc_recover.h>
#include <asm/csum_mc.h>
#include <asm/extable_desc.h>
#include <asm/extable_fixup_types.h>
#include <asm/insn.h>
#include <asm/insn-eval.h>
#include <asm/trap_pf.h>
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

/* A page fault, because the page was taken out of the direct map? */
static bool is_bad_page(const struct ex_info *info)
{
	return !(info->error_code & (X86_PF_PROT | X86_PF_WRITE)) &&
	       virt_addr_valid((void *)info->fault_addr) &&
	       PageHWPoison(virt_to_page((void *)info->fault_addr));
}

/**
 * ex_mc_csum() - leave csum_partial() after #MC, or #PF for a bad page
 * @regs:	registers at the load that met the error
 * @info:	the trap
 * @e:		the entry
 *
 * Context: that of the trap; #MC is NMI-like.
 * Return: false if it has another reason, or the way out is not known.
 */
bool ex_mc_csum(struct pt_regs *regs, const struct ex_info *info,
		const struct exception_table_entry *e)
{
	if (info->trapnr == X86_TRAP_PF && !is_bad_page(info))
		return false;
	if (!is_leaf_frame(regs))
		return false;

	regs->ax = WRONG_SUM;
	regs->ip = (unsigned long)csum_mc_return;
	return true;
}

/* Is this the line, or the page, that the trap is about? */
static bool is_trap_at(unsigned long line, const struct ex_info *info)
{
	if (info->trapnr == X86_TRAP_PF)
		return info->fault_addr == line;

	return info->mc_valid && info->mc_lsb <= ilog2(MC_LINE) &&
	       offset_in_page(info->mc_addr ^ line) < MC_LINE;
}

/*
 * The last load is of a whole word, and most of it may lie behind the data. What
 * it would have in another line than its first byte counts as zero. If that was
 * data after all, then the sum is wrong, or whoever copies it is told.
 */
static bool ex_csum_tail(struct pt_regs *regs, const struct ex_info *info,
			 const struct exception_table_entry *e)
{
	unsigned long addr, next;
	struct insn insn;

	if (insn_decode(&insn, (void *)regs->ip, MAX_INSN_SIZE, INSN_MODE_KERN))
		return false;
	addr = (unsigned long)insn_get_addr_ref(&insn, regs);
	next = ALIGN(addr, sizeof(long));

	if (next % MC_LINE == 0 && next != addr && is_trap_at(next, info) &&
	    ex_type_fixup(e, regs, X86_TRAP_PF, 0, next))
		return true;

	return ex_mc_csum(regs, info, e);
}

const struct ex_desc ex_desc_csum_tail __ex_desc = {
	.handler = ex_csum_tail,
	.traps	 = BIT(X86_TRAP_MC) | BIT(X86_TRAP_PF),
	.type	 = EX_TYPE_ZEROPAD,
};
