// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery of copy_to_nontemporal() from #MC.
 *
 * Its fixups for #PF try again with smaller loads, up to two times. After #MC
 * nothing may touch the line again. What can be copied is known: all bytes up
 * to the line that the machine check reports, which lies within the block of
 * 64 bytes that is under way or in the last bytes of an unaligned load.
 */
#include <linux/bits.h>
#include <linux/extable.h>
#include <linux/minmax.h>
#include <linux/ptrace.h>

#include <asm/asm.h>
#include <asm/copy_mc_recover.h>
#include <asm/copy_nocache_mc.h>
#include <asm/extable_desc.h>
#include <asm/trapnr.h>

/* Loads of one round, from SI on: 64 bytes, the last of them unaligned. */
#define NOCACHE_BLOCK	64UL

/* DI and SI are those of the round, EDX is what is left, this round included. */
static bool ex_mc_nocache(struct pt_regs *regs, const struct ex_info *info,
			  const struct exception_table_entry *e)
{
	unsigned long left = (u32)regs->dx;

	regs->cx = mc_good_ahead(regs->si, min(left, NOCACHE_BLOCK), info);
	regs->dx = left - regs->cx;
	regs->ip = (unsigned long)copy_nocache_mc_tail;
	return true;
}

const struct ex_desc __ex_desc ex_desc_copy_nocache = {
	.handler = ex_mc_nocache,
	.traps	 = BIT(X86_TRAP_MC),
	.type	 = EX_TYPE_UACCESS,
};
