// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery from a machine check in kernel mode.
 *
 * NMI-like, whatever was interrupted: no locks, no sleep, no printk. The page
 * is recorded, and settled by whoever can do that.
 */
#include <linux/hwpoison.h>
#include <linux/log2.h>
#include <linux/mm.h>

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
 * @lsb:	how exact it is, see mce_addr_lsb()
 * @ip:		the instruction
 * @caller:	the caller of the instruction is going to deal with it
 *
 * Context: #MC from kernel mode, NMI-like.
 * Return: false if there was no room.
 */
bool mce_record(u64 addr, u8 lsb, unsigned long ip, bool caller)
{
	bool by_task = interrupted_task();
	bool returns = by_task && mce_count_task(TWA_NMI_CURRENT);

	if (!caller)
		return hwpoison_record(addr, lsb, ip, by_task, returns);
	if (addr)
		hwpoison_note(addr, returns);

	return true;
}

/**
 * mce_addr_lsb() - how exact is the address of an error?
 * @m:	the error, with a usable address
 *
 * Intel's MISC register says it, SDM vol. 3 ch. 16.3.2.4, for CPUs that support
 * recovery by software. AMD's counts errors. Poison has the size of a line
 * there; an SMCA bank may know less, and has bits of the address cleared then.
 *
 * Context: any, NMI and #MC included.
 * Return: number of the least significant bit of @m->addr that is right.
 */
u8 mce_addr_lsb(const struct mce *m)
{
	switch (m->cpuvendor) {
	case X86_VENDOR_AMD:
	case X86_VENDOR_HYGON:
		if (mce_flags.smca && PAGE_ALIGNED(m->addr))
			return PAGE_SHIFT;
		return ilog2(HWPOISON_LINE);
	default:
		if (!mca_cfg.ser || !(m->status & MCI_STATUS_MISCV))
			return PAGE_SHIFT;
		return MCI_MISC_ADDR_LSB(m->misc);
	}
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
		.mc_lsb	  = mce_addr_lsb(m),
		.mc_valid = mce_usable_address(m),
	};
	unsigned long ip = regs->ip;

	if (!ex_mc_fixup(regs, &info))
		return false;

	mce_record(info.mc_valid ? info.mc_addr : 0, info.mc_lsb, ip,
		   !(m->kflags & MCE_IN_KERNEL_COPYIN));
	mce_slow_down(regs);

	return true;
}
