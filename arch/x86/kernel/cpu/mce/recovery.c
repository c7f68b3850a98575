// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery from a machine check in kernel mode.
 *
 * NMI-like, whatever was interrupted: no locks, no sleep, no printk. The page
 * is recorded, and settled by whoever can do that.
 */
#include <linux/hwpoison.h>

#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/task_work.h>

#include <asm/extable_desc.h>
#include <asm/mce.h>
#include <asm/trapnr.h>

#include "internal.h"

/* The #MC itself counts as one NMI and one hardirq, whatever it interrupted. */
static bool interrupted_task(void)
{
	return (preempt_count() & NMI_MASK) <= NMI_OFFSET &&
	       (preempt_count() & HARDIRQ_MASK) <= HARDIRQ_OFFSET &&
	       !in_serving_softirq();
}

/**
 * mce_record() - remember what was met, for whoever settles it
 * @addr:	physical address, 0 if there is none
 * @ip:		the instruction
 * @caller:	the caller of the instruction is going to deal with it
 *
 * Context: #MC from kernel mode, NMI-like.
 * Return: false if there was no room.
 */
bool mce_record(u64 addr, unsigned long ip, bool caller)
{
	bool by_task = interrupted_task();
	bool returns = by_task && mce_count_task(TWA_NMI_CURRENT);

	if (!caller)
		return hwpoison_record(addr, ip, by_task, returns);
	if (addr)
		hwpoison_note(addr, returns);

	return true;
}

/**
 * mce_recover_kernel() - resume at the fixup, and remember the bad page
 * @m:		the error, from the bank that has the highest severity
 * @regs:	registers of the interrupted context
 *
 * An error without a usable address takes no page out of service.
 *
 * Context: #MC from kernel mode, NMI-like, banks cleared, and where the stack
 * allows, another #MC possible.
 * Return: false if there is no fixup after all.
 */
bool mce_recover_kernel(struct mce *m, struct pt_regs *regs)
{
	struct ex_info info = {
		.trapnr	  = X86_TRAP_MC,
		.mc_addr  = m->addr & MCI_ADDR_PHYSADDR,
		.mc_lsb	  = MCI_MISC_ADDR_LSB(m->misc),
		.mc_valid = mce_usable_address(m),
	};
	unsigned long ip = regs->ip;

	if (!ex_mc_fixup(regs, &info))
		return false;

	mce_record(info.mc_valid ? info.mc_addr : 0, ip,
		   !(m->kflags & MCE_IN_KERNEL_COPYIN));
	mce_slow_down(regs);

	return true;
}
