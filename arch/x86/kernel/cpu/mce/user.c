// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery from a machine check in user mode.
 *
 * An exception like a page fault: on the task's stack, and nothing in the
 * kernel interrupted. All but clearing MCIP is left to task_work, on the way
 * back to user mode.
 */
#include <linux/hwpoison.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/set_memory.h>
#include <linux/sync_core.h>
#include <linux/task_work.h>

#include <asm/insn.h>
#include <asm/insn-eval.h>
#include <asm/mce.h>
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

/*
 * The address that a load at @vaddr had when it met @addr, or 0 if that is not
 * the page. A load may begin in front of the bad line, and in another page.
 */
static unsigned long touched_at(unsigned long vaddr, u64 addr)
{
	unsigned long line = ALIGN_DOWN(offset_in_page(addr), HWPOISON_LINE);
	unsigned long last = vaddr + HWPOISON_LINE - 1;
	unsigned long bad = (vaddr & PAGE_MASK) + line;

	if (maps(vaddr, PHYS_PFN(addr)))
		return vaddr - bad < HWPOISON_LINE ? vaddr : bad;
	if ((last ^ vaddr) & PAGE_MASK && !line && maps(last, PHYS_PFN(addr)))
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
static unsigned long touched(struct pt_regs *regs, u64 addr, bool fetch)
{
	unsigned long candidates[] = { 0, regs->si, regs->di, regs->sp };
	unsigned char buf[MAX_INSN_SIZE];
	struct insn insn;
	unsigned long at;
	int i, len;

	at = fetch ? touched_at(regs->ip, addr) : 0;
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
		at = touched_at(candidates[i], addr);
		if (at)
			return at;
	}

	return 0;
}

static void settle_user_page(unsigned long vaddr)
{
	unsigned long pfn = PHYS_PFN(current->mce_addr);
	int flags = MF_ACTION_REQUIRED;
	int ret;

	if (!current->mce_ripv)
		flags |= MF_MUST_KILL;
	current->mce_vaddr = (void __user *)vaddr;
	ret = memory_failure(pfn, flags);
	current->mce_vaddr = NULL;
	current->mce_count = 0;
	hwpoison_tell(task_pt_regs(current)->ip, current->mce_addr,
		      HWPOISON_BY_USER, ret);

	if (!ret) {
		set_mce_nospec(pfn);
		sync_core();
		return;
	}

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
	    (ret == -EFAULT || (ret == -EBUSY && vaddr && !maps(vaddr, pfn)))) {
		if (ret == -EBUSY)
			set_mce_nospec(pfn);
		return;
	}

	pr_err("Memory error not recovered");
	force_sig(SIGBUS);
}

static void settle_load(struct callback_head *work)
{
	settle_user_page(touched(task_pt_regs(current), current->mce_addr, false));
}

static void settle_fetch(struct callback_head *work)
{
	settle_user_page(touched(task_pt_regs(current), current->mce_addr, true));
}

/* Nobody knows where the task has the memory of its guest. */
static void settle_guest(struct callback_head *work)
{
	settle_user_page(0);
}

static void signal_without_address(struct callback_head *work)
{
	current->mce_count = 0;
	force_sig(SIGBUS);
}

/* Have the page taken out of service, or the task killed. */
static void recover_user(struct mce *m, struct pt_regs *regs)
{
	task_work_func_t func = signal_without_address;

	/* A guest can come here more than once before its host task leaves. */
	if (current->mce_count++) {
		if (mce_usable_address(m))
			hwpoison_record(m->addr & MCI_ADDR_PHYSADDR, m->ip);
		return;
	}

	current->mce_ripv = !!(m->mcgstatus & MCG_STATUS_RIPV);
	if (mce_usable_address(m)) {
		current->mce_addr = m->addr & MCI_ADDR_PHYSADDR;
		if (regs != task_pt_regs(current))
			func = settle_guest;
		else
			func = is_fetch(m) ? settle_fetch : settle_load;
	}
	init_task_work(&current->mce_kill_me, func);
	task_work_add(current, &current->mce_kill_me, TWA_RESUME);
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
