// SPDX-License-Identifier: GPL-2.0
/*
 * Loads of user memory that are repeated after #MC.
 *
 * A page of a file that was not changed can be read again from the disk. Then a
 * load that met poison there need not fail: it is like one from a page that is
 * absent, only that the page has to be made so first. If the page is lost, it is
 * not mapped any more, and the load fails like any other of such memory: what
 * the kernel does next about that, such as to try byte by byte, or to look at
 * another field of the same structure, meets a page fault and not poison.
 *
 * So where the interrupted code could take a page fault, let it settle the page
 * in the same place and repeat the load. That covers every user access,
 * get_user() of one byte as well as a copy of many pages, without any of them
 * knowing.
 *
 * A copy from a lost page fails at once instead. It says how far it came, its
 * caller gives up or has settled what was met before it tries again.
 *
 * Nobody knows which locks the interrupted code holds. What is done here waits
 * for nobody who may wait for those, see hwpoison_settle_pending().
 */
#include <linux/extable.h>
#include <linux/hwpoison.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>

#include <asm/extable_desc.h>
#include <asm/insn.h>
#include <asm/insn-eval.h>
#include <asm/mce_recovery.h>
#include <asm/traps.h>

#include "internal.h"

/* The C code behind a page fault gets by with less. */
#define STACK_NEEDED	(THREAD_SIZE / 4)

static bool can_sleep(struct pt_regs *regs)
{
	unsigned long stack = (unsigned long)task_stack_page(current);

	/* The exception itself counts as one NMI and one hardirq. */
	return regs->flags & X86_EFLAGS_IF && !pagefault_disabled() &&
	       preempt_count() == NMI_OFFSET + HARDIRQ_OFFSET &&
	       regs->sp > stack + STACK_NEEDED && regs->sp <= stack + THREAD_SIZE;
}

/* Could this context take a page fault, and then settle what it has met? */
static bool can_settle(struct pt_regs *regs)
{
	/* Whose records are settled by themselves, and can be settled now. */
	if (!current->mm || current->flags & (PF_KTHREAD | PF_EXITING) ||
	    (current->flags & (PF_USER_WORKER | PF_IO_WORKER)) == PF_USER_WORKER)
		return false;

	return can_sleep(regs);
}

/* Let the task go through mce_settle_for_retry() first. */
static void detour(struct pt_regs *regs)
{
	unsigned long *sp = (unsigned long *)regs->sp;

	*--sp = regs->ip;
	*--sp = regs->flags;
	regs->sp = (unsigned long)sp;
	regs->ip = (unsigned long)mce_settle_and_retry;
	/* Nothing there accesses user memory. */
	regs->flags &= ~X86_EFLAGS_AC;
}

/*
 * Nothing of the page is lost. A look at flags that may change under us: if it
 * is wrong, a load is repeated in vain, or misses good bytes in front of a line.
 */
static bool can_be_read_again(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);
	struct folio *folio;

	if (!page)
		return false;

	folio = page_folio(page);
	/* That it can be swapped does not mean that there is a copy in swap. */
	if ((folio_test_anon(folio) || folio_test_swapbacked(folio)) &&
	    !folio_test_swapcache(folio))
		return false;

	/* It need not have reached the LRU lists yet. */
	return READ_ONCE(folio->mapping) && folio_mapped(folio) &&
	       !folio_test_hugetlb(folio) && !folio_test_dirty(folio) &&
	       !folio_test_writeback(folio) && folio_test_uptodate(folio);
}

/*
 * memory_failure() has seen it, and it is still mapped: then it stays, as a rule,
 * and another try would only meet it once more.
 */
static bool is_known(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	return page && PageHWPoison(page);
}

/*
 * The banks are cleared, so this may look at the code. That the load can fail
 * is known already; whether it loads what the user has mapped is not, for
 * copies to user memory have the same entries.
 */
static bool user_address(struct pt_regs *regs, unsigned long *addr)
{
	u8 buf[MAX_INSN_SIZE];
	struct insn insn;

	if (copy_from_kernel_nofault(buf, (void *)regs->ip, sizeof(buf)) ||
	    insn_decode_kernel(&insn, buf) < 0)
		return false;

	switch (insn.opcode.value) {
	case 0xa4:	/* movsb */
	case 0xa5:
	case 0xac:	/* lodsb */
	case 0xad:
		*addr = regs->si;
		break;
	default:
		if (!insn.modrm.nbytes || X86_MODRM_MOD(insn.modrm.value) == 3)
			return false;
		*addr = (unsigned long)insn_get_addr_ref(&insn, regs);
	}

	return !fault_in_kernel_space(*addr);
}

/*
 * Copies of a word are like get_user(), and there are callers that do not look
 * whether they fail. Looks first for what most machines copy with: rep movsb.
 */
static bool is_copy(struct pt_regs *regs)
{
	const struct exception_table_entry *e;
	u8 insn[2];

	if (!copy_from_kernel_nofault(insn, (void *)regs->ip, sizeof(insn)) &&
	    insn[0] == 0xf3 && insn[1] == 0xa4)
		return regs->cx > sizeof(long);

	e = ex_search(regs->ip);

	return e && ex_entry_desc(e);
}

/**
 * mce_retry_load() - repeat a load of user memory when its page is settled
 * @m:		the error
 * @regs:	registers of the interrupted context
 *
 * Lets @regs lead to a piece of code that settles the page, and from there back
 * to the same load, which finds the page not mapped. Happens once for a page:
 * if it cannot be taken away, the load meets it again, and fails then.
 *
 * Context: #MC from kernel mode at an entry that recovers, NMI-like, banks
 * cleared.
 * Return: false if the load has to fail instead; @regs are as they were.
 */
bool mce_retry_load(struct mce *m, struct pt_regs *regs)
{
	u64 phys = m->addr & MCI_ADDR_PHYSADDR;
	unsigned long pfn = PHYS_PFN(phys);
	unsigned long addr;
	bool lost;

	if (!mce_usable_address(m) || !can_settle(regs) || hwpoison_settled(pfn) ||
	    mce_is_slow())
		return false;

	/* A copy stops where it is, and who tries again settles first. */
	lost = !can_be_read_again(pfn);
	if (lost && !hwpoison_recorded(pfn) && (is_known(pfn) || is_copy(regs)))
		return false;

	if (!user_address(regs, &addr))
		return false;

	/* It is for the fixup to save the bytes in front of the line. */
	if (lost && offset_in_page(addr ^ phys) >= HWPOISON_LINE)
		return false;

	if (!mce_record(phys, mce_addr_lsb(m), regs->ip, false))
		return false;
	detour(regs);

	return true;
}

/**
 * mce_slow_down() - make a task sleep that meets poison all the time
 * @regs:	registers of the task, which lead to where it goes on
 *
 * Kernel threads, and whoever else cannot be killed or has not died yet. Only
 * where it is known that the task may sleep.
 *
 * Context: #MC from kernel mode, NMI-like, the error is recovered from.
 */
void mce_slow_down(struct pt_regs *regs)
{
	if (!mce_is_slow() || !IS_ENABLED(CONFIG_PREEMPT_COUNT) ||
	    !can_sleep(regs) || rcu_preempt_depth())
		return;
	detour(regs);
}

/**
 * mce_settle_for_retry() - take out of service what the load has met
 *
 * Or sleep, if that did not help for a long time. Called by retry_64.S.
 *
 * Context: that of a page fault at the load; may sleep.
 */
asmlinkage void mce_settle_for_retry(void)
{
	if (mce_is_slow())
		hwpoison_slow_down();
	else
		hwpoison_settle_pending();
}
