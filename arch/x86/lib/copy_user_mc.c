// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery of copy_user_generic() and rep_movs_alternative() from #MC.
 *
 * After #MC nothing may touch the line again, and the fixups for #PF would:
 * they try once more byte by byte. Here the rest is known beforehand. It is
 * all bytes up to the next line, for a load meets poison only in a line that
 * it touches, and one that lies in a single line has no good bytes.
 */
#include <linux/bits.h>
#include <linux/extable.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/ptrace.h>

#include <asm/asm.h>
#include <asm/copy_user_mc.h>
#include <asm/extable_desc.h>
#include <asm/trapnr.h>

/* The line that x86 reports and poisons, Intel SDM vol. 3 ch. 16.9.3 */
#define MC_LINE		64

/* Bytes from @addr on that a load of @size bytes has in front of a bad line. */
static unsigned long good_bytes(unsigned long addr, unsigned long size,
				const struct ex_info *info)
{
	unsigned long to_next = MC_LINE - addr % MC_LINE;

	if (to_next >= size || !info->mc_valid || info->mc_lsb > ilog2(MC_LINE))
		return 0;

	/* Of two lines, the first may be the bad one. */
	return (info->mc_addr ^ addr) % PAGE_SIZE < MC_LINE ? 0 : to_next;
}

static bool goto_tail(struct pt_regs *regs, const struct ex_info *info,
		      unsigned long left)
{
	unsigned long good = good_bytes(regs->si, sizeof(u64), info);

	regs->cx = good;
	regs->ax = left - good;
	regs->ip = (unsigned long)copy_user_mc_tail;
	return true;
}

/* A load of eight bytes; all that is left is in CX. */
static bool ex_mc_movq(struct pt_regs *regs, const struct ex_info *info,
		       const struct exception_table_entry *e)
{
	return goto_tail(regs, info, regs->cx);
}

/* CX counts quadwords, and AX the bytes behind them. */
static bool ex_mc_movsq(struct pt_regs *regs, const struct ex_info *info,
			const struct exception_table_entry *e)
{
	return goto_tail(regs, info, regs->cx * sizeof(u64) + regs->ax);
}

const struct ex_desc __ex_desc ex_desc_copy_user_movq = {
	.handler = ex_mc_movq,
	.traps	 = BIT(X86_TRAP_MC),
	.type	 = EX_TYPE_UACCESS,
};

const struct ex_desc __ex_desc ex_desc_copy_user_movsq = {
	.handler = ex_mc_movsq,
	.traps	 = BIT(X86_TRAP_MC),
	.type	 = EX_TYPE_UACCESS,
};
