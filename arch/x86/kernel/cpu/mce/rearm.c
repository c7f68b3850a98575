// SPDX-License-Identifier: GPL-2.0
/*
 * From draining the banks to recovery.
 *
 * While MCG_STATUS.MCIP is set another machine check shuts the CPU down (Intel
 * SDM vol. 3 ch. 16.3.1.2, AMD APM vol. 2 ch. 9.3.1.2). So the first half of
 * the handler, mce_drain(), does nothing but empty the banks, and leaves what
 * it found here. The second half clears MCIP before all else. What it does
 * then, to log, to recover, to return, may meet poison again.
 */
#include <linux/hwpoison.h>
#include <linux/percpu.h>
#include <linux/preempt.h>

#include <asm/mce.h>
#include <asm/mce_recovery.h>

#include "internal.h"

/* Errors that one #MC reports. More than one is rare, more than four unheard of. */
#define NR_LOGS		4

struct drained {
	struct pt_regs	*regs;
	bool		draining;	/* MCIP is set */
	bool		done;		/* and may be cleared */
	bool		recover;	/* from @error */
	unsigned int	nr_logs;
	struct mce	error;
	struct mce	logs[NR_LOGS];
};

static DEFINE_PER_CPU(struct drained, drained);

/**
 * mce_drain_begin() - no more machine checks until mce_rearm()
 * @regs:	registers of the interrupted context
 *
 * Context: #MC, noinstr.
 */
noinstr void mce_drain_begin(struct pt_regs *regs)
{
	this_cpu_write(drained.regs, regs);
	this_cpu_write(drained.draining, true);
}

/**
 * mce_drain_log() - remember an error for the log
 * @m:	the error
 *
 * Context: #MC.
 */
void mce_drain_log(struct mce *m)
{
	struct drained *d = this_cpu_ptr(&drained);
	unsigned int nr = d->nr_logs;

	if (nr >= NR_LOGS) {
		mce_log(m);
		return;
	}
	d->logs[nr] = *m;
	/* Whoever panics may look at it from another CPU. */
	smp_store_release(&d->nr_logs, nr + 1);
}

/**
 * mce_drain_end() - the banks are empty
 * @m:		the error with the highest severity, NULL for none
 * @recover:	somebody has to do something about it
 *
 * Context: #MC, noinstr.
 */
noinstr void mce_drain_end(struct mce *m, bool recover)
{
	struct drained *d = this_cpu_ptr(&drained);

	d->done = true;
	d->recover = recover;
	if (m)
		d->error = *m;
}

/**
 * mce_rearm_now() - let machine checks come again
 *
 * An NMI in between finds that user memory must not be looked at, although it
 * might be by then. A machine check in between ends with the same.
 *
 * Context: #MC, noinstr.
 */
noinstr void mce_rearm_now(void)
{
	if (!this_cpu_read(drained.draining))
		return;
	mce_wrmsrl(MSR_IA32_MCG_STATUS, 0);
	this_cpu_write(drained.draining, false);
}

/**
 * mce_rearm() - let machine checks come again, and log what was drained
 * @m:		filled with the error to recover from
 * @later:	the next one would overwrite this stack: mce_rearm_now() follows
 *
 * Context: #MC, with irqs off; noinstr until MCIP is clear.
 * Return: true if there is something to recover from.
 */
noinstr bool mce_rearm(struct mce *m, bool later)
{
	struct drained *d = this_cpu_ptr(&drained);
	struct mce logs[NR_LOGS];
	unsigned int i, nr_logs = d->nr_logs;
	bool recover = d->recover;

	/* One of the ancient CPUs, which have logged by themselves */
	if (!d->done)
		return false;

	/* The next one is going to use the same place. */
	*m = d->error;
	for (i = 0; i < nr_logs; i++)
		logs[i] = d->logs[i];
	d->regs = NULL;
	d->nr_logs = 0;
	d->done = false;
	if (!later)
		mce_rearm_now();

	instrumentation_begin();
	for (i = 0; i < nr_logs; i++)
		mce_log(&logs[i]);
	instrumentation_end();

	return recover;
}

/**
 * mce_drain_flush() - log what was drained, on the way to a panic
 *
 * On all CPUs: of a broadcast each one has drained its own banks, and waits for
 * the one that panics. One that is here for a reason of its own may log the same
 * once more; mce_panic() prints it once.
 *
 * Context: #MC.
 */
void mce_drain_flush(void)
{
	struct drained *d;
	unsigned int i, nr;
	int cpu;

	for_each_possible_cpu(cpu) {
		d = per_cpu_ptr(&drained, cpu);
		nr = xchg(&d->nr_logs, 0);
		for (i = 0; i < nr; i++)
			mce_log(&d->logs[i]);
	}
}

/**
 * mce_interrupted() - registers that a machine check on this CPU interrupted
 *
 * Context: first half of #MC, mce_panic().
 * Return: the registers, or NULL if that is over.
 */
struct pt_regs *mce_interrupted(void)
{
	struct drained *d = this_cpu_ptr(&drained);

	return d->regs;
}

/**
 * mce_uaccess_okay() - may an NMI look at user memory?
 *
 * It may not where it has interrupted mce_drain(): if there is poison, that
 * would be a machine check too many. Nor where an interrupt or NMI has met
 * poison that is not settled yet: it would meet it again.
 *
 * Context: any that must not fault, NMI included.
 * Return: true if so.
 */
bool mce_uaccess_okay(void)
{
	if (this_cpu_read(drained.draining))
		return false;

	return !(in_hardirq() || in_nmi()) || !hwpoison_unsettled();
}
