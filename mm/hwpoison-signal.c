// SPDX-License-Identifier: GPL-2.0
/*
 * SIGBUS where a task cannot go on because its memory is lost.
 *
 * Where the kernel needs memory of a task to bring it back to user mode, such
 * as a signal frame, and cannot access it, it has nobody to return an error to
 * and sends SIGSEGV. That says that the program has a bad pointer. If it is the
 * memory that is bad, the program gets what it would get for a touch of its
 * own: SIGBUS, BUS_MCEERR_AR, with the address.
 *
 * Why an access failed is not asked of the access, but of the page tables, so
 * that memory which was lost long ago gives the same answer as memory that was
 * met now.
 */
#include <linux/elf.h>
#include <linux/hwpoison.h>
#include <linux/hwpoison_signal.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>

/* What a signal frame may take of the stack, below what is in use. */
static size_t sigframe_reach(void)
{
#ifdef CONFIG_DYNAMIC_SIGFRAME
	return get_sigframe_size() + 128; /* and the red zone */
#else
	return PAGE_SIZE;
#endif
}

static bool page_is_lost(unsigned long addr)
{
	struct page *page;
	bool lost;
	long ret;

	ret = get_user_pages_unlocked(addr, 1, &page, FOLL_HWPOISON);
	if (ret != 1)
		return ret == -EHWPOISON;

	/* memory_failure() may have failed to unmap it. */
	lost = PageHWPoison(page);
	put_page(page);
	return lost;
}

/**
 * hwpoison_force_sig() - SIGBUS instead of SIGSEGV, where memory is lost
 * @addr:	user memory that could not be accessed
 * @len:	bytes that may have been accessed there; few pages
 * @fatal:	the program must not handle it, as without this memory it could
 *		not even do that
 *
 * To be asked before force_sig(SIGSEGV) or its like, where that is due to
 * memory of the program that could not be read or written.
 *
 * Context: process context of the program, may sleep.
 * Return: true if part of the memory is lost, or poison was met on the way
 * here, and a signal was sent.
 */
bool hwpoison_force_sig(const void __user *addr, size_t len, bool fatal)
{
	unsigned long at = (unsigned long)untagged_addr(addr);
	unsigned long end = at + len;
	bool met = hwpoison_met();

	hwpoison_settle_pending();

	for (; at < end; at = PAGE_ALIGN(at + 1)) {
		if (!page_is_lost(at & PAGE_MASK))
			continue;
		if (fatal)
			force_fatal_sig(SIGBUS);
		else
			force_sig_mceerr(BUS_MCEERR_AR, (void __user *)at,
					 PAGE_SHIFT);
		return true;
	}

	/* Somewhere else, then: behind a pointer that was read from there. */
	if (met) {
		if (fatal)
			force_fatal_sig(SIGBUS);
		else
			force_sig(SIGBUS);
	}

	return met;
}

/**
 * hwpoison_force_sig_frame() - SIGBUS if a signal frame is on lost memory
 * @ksig:	the signal that could not be delivered
 *
 * A handler of SIGBUS on another stack may still run. If it is SIGBUS that
 * could not be delivered, the task dies of it.
 *
 * Context: process context of the program, may sleep.
 * Return: true if that was it, and a signal was sent.
 */
bool hwpoison_force_sig_frame(const struct ksignal *ksig)
{
	unsigned long top = current_user_stack_pointer();
	size_t reach = sigframe_reach();

	if (ksig->ka.sa.sa_flags & SA_ONSTACK && !sas_ss_flags(top)) {
		top = current->sas_ss_sp + current->sas_ss_size;
		reach = min(reach, current->sas_ss_size);
	}

	return hwpoison_force_sig((void __user *)(top - reach), reach,
				  ksig->sig == SIGBUS);
}
