// SPDX-License-Identifier: GPL-2.0
/*
 * Machine checks that do not say what they are for.
 *
 * An error that a load meets is logged in the bank of the cache. If there is an
 * older one in it still, that stays where it is, and MCi_STATUS.OVER says that
 * something was lost (Intel SDM vol. 3 ch. 16.6.4): the address, and in some
 * models of the machine even that an error was signalled. None of it is lost for
 * good. Where the program can be restarted, the same load meets the same line
 * again, and reports it anew if it finds the bank empty.
 *
 * What is met again and again without a reason has to have an end.
 */
#include <linux/percpu.h>
#include <linux/sched.h>

#include <asm/extable_desc.h>
#include <asm/mce.h>

#include "internal.h"

/* This many in a row of one instruction, and there is no hope for a reason. */
#define MAX_AGAIN	8

struct again {
	struct task_struct	*task;
	unsigned long		ip;
	unsigned int		times;
};

static DEFINE_PER_CPU(struct again, again);

/**
 * mce_hides_another() - may this error hide the one that is signalled?
 * @m:	an error, with MCi_STATUS and MCG_STATUS
 *
 * Context: #MC, noinstr.
 * Return: true if it should be logged and cleared, and the program go on.
 */
noinstr bool mce_hides_another(const struct mce *m)
{
	const u64 restart = MCG_STATUS_RIPV | MCG_STATUS_EIPV;
	const u64 lost = MCI_STATUS_UC | MCI_STATUS_OVER;

	return mca_cfg.ser && (m->mcgstatus & restart) == restart &&
	       (m->status & (lost | MCI_STATUS_PCC)) == lost;
}

/**
 * mce_has_no_reason() - is a machine check here again, and nobody knows why?
 * @m:		what was found, MCG_STATUS and the registers at least
 * @worst:	the highest severity of all that was found
 *
 * Context: #MC that is for this CPU only, banks drained; noinstr.
 * Return: true if whoever was interrupted has to be stopped. @m is an error
 * without an address then, from which the kernel may recover.
 */
noinstr bool mce_has_no_reason(struct mce *m, int worst)
{
	struct again *a = this_cpu_ptr(&again);
	enum ex_mc_grade grade;

	if (worst >= MCE_AR_SEVERITY || !(m->mcgstatus & MCG_STATUS_EIPV) ||
	    a->task != current || a->ip != m->ip) {
		a->task = current;
		a->ip = m->ip;
		a->times = worst < MCE_AR_SEVERITY;
		return false;
	}
	if (a->times++ < MAX_AGAIN)
		return false;

	a->times = 0;
	m->status = 0;
	if ((m->cs & 3) == 3)
		return true;

	instrumentation_begin();
	grade = ex_mc_grade(m->ip);
	instrumentation_end();
	if (grade != EX_MC_FATAL)
		m->kflags |= MCE_IN_KERNEL_RECOV;
	if (grade == EX_MC_RECORD)
		m->kflags |= MCE_IN_KERNEL_COPYIN;

	return true;
}
