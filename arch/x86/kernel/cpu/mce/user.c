// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery from a machine check in user mode.
 *
 * An exception like a page fault: on the task's stack, and nothing in the
 * kernel interrupted. All but clearing MCIP is left to task_work, on the way
 * back to user mode.
 */
#include <linux/hwpoison.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/set_memory.h>
#include <linux/sync_core.h>
#include <linux/task_work.h>

#include <asm/insn.h>
#include <asm/insn-eval.h>
#include <asm/mce.h>
#include <asm/mce_recovery.h>
#include <asm/ptrace.h>

#include "internal.h"

/* Is this page of the bad one's, as the task sees it? */
static bool maps(unsigned long vaddr, unsigned long pfn)
{
	struct page *page;
	bool it_is;

	if (get_user_pages_fast_only(vaddr & PAGE_MASK, 1, 0, &page) != 1)
		return false;
	it_is = page_to_pfn(page) == pfn;
	put_page(page);

	return it_is;
}

/* How many bytes around an error are bad. @lsb is that of mce_addr_lsb(). */
static unsigned long bad_unit(u8 lsb)
{
	return max(HWPOISON_LINE, 1UL << min_t(u8, lsb, PAGE_SHIFT));
}

/*
 * The address that a load at @vaddr had when it met @addr, or 0 if that is not
 * the page. A load may begin in front of what is bad, and in another page. @lsb
 * is that of mce_addr_lsb(): if all of the page is bad, the load's own address
 * is as good as any.
 */
static unsigned long touched_at(unsigned long vaddr, u64 addr, u8 lsb)
{
	unsigned long unit = bad_unit(lsb), start = ALIGN_DOWN(offset_in_page(addr), unit);
	unsigned long last = vaddr + HWPOISON_LINE - 1;
	unsigned long bad = (vaddr & PAGE_MASK) + start;

	if (maps(vaddr, PHYS_PFN(addr)))
		return vaddr - bad < unit ? vaddr : bad;
	if ((last ^ vaddr) & PAGE_MASK && !start && maps(last, PHYS_PFN(addr)))
		return last & PAGE_MASK;

	return 0;
}

/*
 * Was it the fetch of an instruction? RRRR of a compound error code, Intel SDM
 * vol. 3 ch. 16.9.2, AMD APM vol. 2 ch. 9
 */
static bool is_fetch(struct mce *m)
{
	return (m->status >> 4 & 0xf) == 5;
}

/*
 * The address that the program touched. The page may be mapped more than once,
 * so ask the instruction. Without fetching it if it is what went bad.
 */
static unsigned long touched(struct pt_regs *regs, u64 addr, u8 lsb, bool fetch)
{
	unsigned long candidates[] = { 0, regs->si, regs->di, regs->sp };
	unsigned char buf[MAX_INSN_SIZE];
	struct insn insn;
	unsigned long at;
	int i, len;

	at = fetch ? touched_at(regs->ip, addr, lsb) : 0;
	if (at && at - regs->ip < MAX_INSN_SIZE)
		return at;

	len = insn_fetch_from_user(regs, buf);
	if (len <= 0 || !insn_decode_from_regs(&insn, regs, buf, len))
		return 0;
	if (insn.modrm.nbytes)
		candidates[0] = (unsigned long)insn_get_addr_ref(&insn, regs);

	/* String and stack instructions do not say where they load from. */
	for (i = 0; i < ARRAY_SIZE(candidates); i++) {
		if (candidates[i] >= TASK_SIZE_MAX)
			continue;
		at = touched_at(candidates[i], addr, lsb);
		if (at)
			return at;
	}

	return 0;
}

/* @offset: in the page, for SIGBUS if @vaddr is not known */
static void settle_user_page(unsigned long vaddr, unsigned long offset)
{
	unsigned long pfn = PHYS_PFN(current->mce_addr);
	bool known = hwpoison_gone(pfn);
	int flags = MF_ACTION_REQUIRED;
	bool again;
	int ret;

	if (!current->mce_ripv)
		flags |= MF_MUST_KILL;
	current->mce_vaddr = (void __user *)(vaddr ?: offset);
	ret = memory_failure(pfn, flags);
	current->mce_vaddr = NULL;
	hwpoison_tell(task_pt_regs(current)->ip, current->mce_addr,
		      HWPOISON_BY_USER,
		      ret == -EHWPOISON && !hwpoison_gone(pfn) ? -EBUSY : ret);

	if (!ret) {
		/* The task that was faster had this as the answer, too. */
		if (!known)
			set_mce_nospec(pfn);
		sync_core();
		/* Twice is too often: it is not this page that is bad. */
		again = known && current->__mce_reserved == pfn;
		current->__mce_reserved = known ? pfn : 0;
		if (!again)
			return;
	}

	/* It stays mapped, and whoever handles SIGBUS may come back. */
	if (ret && ret != -EOPNOTSUPP && maps(vaddr, pfn))
		hwpoison_slow_down();

	/* SIGBUS is on its way, or somebody asked for this one to be ignored. */
	if (ret == -EHWPOISON || ret == -EOPNOTSUPP)
		return;

	/*
	 * Another task was faster, or others still hold the page after it was
	 * dropped: who faulted it in at the same time, or a pipe. This task does
	 * not map it any more. The same load finds a good page now, or where to
	 * report its loss.
	 */
	if (!(flags & MF_MUST_KILL) &&
	    (ret == -EFAULT || (ret == -EBUSY && vaddr && !maps(vaddr, pfn))))
		return;

	pr_err("Memory error not recovered");
	force_sig(SIGBUS);
}

/* Points of a machine check. A task that has this many is in a loop. */
#define MC_POINTS	1024
#define MAX_POINTS	(64 * MC_POINTS)

/* An error in user mode that before_user_mode() has to deal with */
#define user_error	mce_whole_page

/*
 * What it was, in task_struct::mce_vaddr until the address is known: one of
 * these, and mce_addr_lsb() above it
 */
enum user_access {
	USER_GUEST,		/* nobody knows where the task has its guest's memory */
	USER_LOAD,
	USER_FETCH,
	/* private: */
	USER_ACCESS_BITS = 2,
	USER_ACCESS_MASK = (1 << USER_ACCESS_BITS) - 1,
};

static unsigned long user_address(unsigned long how)
{
	unsigned int access = how & USER_ACCESS_MASK;

	if (access == USER_GUEST)
		return 0;

	return touched(task_pt_regs(current), current->mce_addr,
		       how >> USER_ACCESS_BITS, access == USER_FETCH);
}

/* Where in the page of a guest the error is; 0 too if only the page is known */
static unsigned long guest_offset(unsigned long how)
{
	if ((how & USER_ACCESS_MASK) != USER_GUEST)
		return 0;

	return ALIGN_DOWN(offset_in_page(current->mce_addr), bad_unit(how >> USER_ACCESS_BITS));
}

static void before_user_mode(struct callback_head *work)
{
	unsigned long how = (unsigned long)current->mce_vaddr;
	bool user = current->user_error;

	current->mce_count = 0;
	current->mce_vaddr = NULL;
	current->user_error = 0;
	/* What is not taken away is met again by whoever handles the signal. */
	if (user && current->mce_addr && IS_ENABLED(CONFIG_MEMORY_FAILURE))
		settle_user_page(user_address(how), guest_offset(how));
	else if (user)
		force_sig(SIGBUS);
	hwpoison_leave();
}

/* The interrupt that follows #MC finds the same task. */
static void stop_task(struct irq_work *work)
{
	struct task_struct *p = current;

	if (p->mce_count < MAX_POINTS || !p->mm || p->flags & PF_KTHREAD)
		return;
	if (!fatal_signal_pending(p)) {
		pr_err("%s[%d] makes no progress, killed\n", p->comm, p->pid);
		send_sig(SIGKILL, p, 1);
	}
}

static DEFINE_PER_CPU(struct irq_work, stop_work) = IRQ_WORK_INIT_HARD(stop_task);

/* io_uring's workers do between two requests, other user workers may never. */
static bool runs_task_work(struct task_struct *task)
{
	return !(task->flags & (PF_KTHREAD | PF_USER_WORKER)) ||
	       task->flags & PF_IO_WORKER;
}

/**
 * mce_count_task() - the current task has met poison
 * @mode:	TWA_NMI_CURRENT in the kernel, TWA_RESUME on entry from user mode
 *
 * Counts in the task, until it sees user mode again. That needs no record of a
 * page, so nothing can keep a loop from being stopped.
 *
 * Context: #MC.
 * Return: true if the task is going to settle what it met.
 */
bool mce_count_task(enum task_work_notify_mode mode)
{
	int count = current->mce_count;

	if (count < MAX_POINTS)
		current->mce_count += MC_POINTS;
	else if (mode == TWA_NMI_CURRENT)
		irq_work_queue(this_cpu_ptr(&stop_work));

	if (!runs_task_work(current))
		return false;
	if (count)
		return !(current->flags & PF_EXITING);
	init_task_work(&current->mce_kill_me, before_user_mode);

	return !task_work_add(current, &current->mce_kill_me, mode);
}

/**
 * mce_is_slow() - has this task met so much poison that it should go slowly?
 *
 * Context: any.
 * Return: true if so.
 */
bool mce_is_slow(void)
{
	return current->mce_count > MAX_POINTS / 4;
}

/**
 * mce_lost_fault() - the kernel touched lost memory that is not mapped
 *
 * An error for the caller, which it should pass on. A task that has met poison
 * and goes on and on touching lost pages, all in one stay in the kernel, is in
 * a loop that takes no error for an answer. Stop it, as one that goes on
 * meeting poison. More than one call has a reason for: io_uring takes 32768
 * requests at once.
 *
 * Context: page fault from kernel mode that may sleep.
 */
void mce_lost_fault(void)
{
	if (!current->mce_count || !runs_task_work(current))
		return;
	if (current->mce_count < MAX_POINTS)
		current->mce_count++;
	else
		irq_work_queue(raw_cpu_ptr(&stop_work));
}

/* Have the page taken out of service, or the task killed. */
static void recover_user(struct mce *m, struct pt_regs *regs)
{
	u64 addr = mce_usable_address(m) ? m->addr & MCI_ADDR_PHYSADDR : 0;
	unsigned long how = USER_GUEST | mce_addr_lsb(m) << USER_ACCESS_BITS;

	mce_count_task(TWA_RESUME);

	/* A guest can come here more than once before its host task leaves. */
	if (current->user_error) {
		hwpoison_record(addr, mce_addr_lsb(m), m->ip, true, true);
		return;
	}

	if (regs == task_pt_regs(current))
		how = (is_fetch(m) ? USER_FETCH : USER_LOAD) |
		      mce_addr_lsb(m) << USER_ACCESS_BITS;
	current->user_error = 1;
	current->mce_vaddr = (void __user *)how;
	current->mce_addr = addr;
	current->mce_ripv = !!(m->mcgstatus & MCG_STATUS_RIPV);
}

/**
 * mce_resume_user() - second half of a machine check in user mode
 * @regs:	registers of the task, or others if a guest of it was interrupted
 *
 * Context: #MC from user mode, banks drained, irqs off; noinstr.
 */
noinstr void mce_resume_user(struct pt_regs *regs)
{
	struct mce m;

	if (!mce_rearm(&m, false))
		return;

	instrumentation_begin();
	recover_user(&m, regs);
	instrumentation_end();
}
