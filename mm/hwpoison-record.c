// SPDX-License-Identifier: GPL-2.0
/*
 * Records of memory errors that the kernel met while it copied for somebody.
 *
 * The exception that reports such an error is NMI-like and can do nothing
 * about the page. It leaves a record here. Each record has a default settler:
 * task_work where the task returns to user mode, a worker where it does not
 * (kernel threads, user workers, exiting tasks, interrupts and NMIs). A caller
 * that knows better claims the record first: filemap_read() heals the page and
 * copies it again.
 *
 * Records live in a pool of their own rather than in task_struct: a task can
 * meet any number of bad pages before it returns, a record can outlive its
 * task, and nobody else's structures grow. A full pool loses nothing but time,
 * the page is recorded when it is touched next.
 */
#define pr_fmt(fmt) "hwpoison: " fmt

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/hwpoison.h>
#include <linux/irq_work.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/set_memory.h>
#include <linux/swap.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "hwpoison-stats.h"

enum record_state {
	RECORD_FREE,
	RECORD_BUSY,		/* being filled or emptied */
	RECORD_PENDING,		/* its task settles it on return to user mode */
	RECORD_DEFERRED,	/* the worker settles it */
	RECORD_SETTLING,	/* somebody is at it */
	RECORD_CLAIMED,		/* a caller that knows better settles it */
	RECORD_SETTLED,		/* done; task_work frees it */
};

/**
 * struct hwpoison_record - a page that the kernel met poison in
 * @state: an &enum record_state value
 * @addr: physical address of the error
 * @ip: the instruction that met it
 * @task: the task that met it, or NULL: an interrupt or NMI did
 * @hits: how often it was met again
 * @again: how often after it was settled
 * @faults: how often @task touched a lost page after that
 * @queued: @task_work refers to the record, and frees it
 * @kill: the worker kills @task, which does nothing else but meet the page
 * @task_work: for return to user mode
 */
struct hwpoison_record {
	atomic_t		state;
	u64			addr;
	unsigned long		ip;
	struct task_struct	*task;
	unsigned int		hits;
	unsigned int		again;
	unsigned int		faults;
	bool			queued;
	bool			kill;
	struct callback_head	task_work;
};

#define NR_RECORDS		256

/* A page that is met again right after it was settled could not be unmapped. */
#define MAX_AGAIN		1

/*
 * No system call has a reason to meet one page so often before it returns: it
 * is in a loop that does not look at what its copies say.
 */
#define HITS_KILL		64
#define HITS_PANIC		65536

/* More than one call has a reason for: io_uring takes 32768 requests at once. */
#define FAULTS_KILL		65536

static struct hwpoison_record records[NR_RECORDS];

/* Which are in use; how many spares the good path from looking. */
static DECLARE_BITMAP(used, NR_RECORDS);
atomic_t hwpoison_nr_records;
EXPORT_SYMBOL_GPL(hwpoison_nr_records);

/* The first record in use at @r or behind it */
static struct hwpoison_record *used_from(struct hwpoison_record *r)
{
	unsigned long i;

	if (!hwpoison_maybe_pending())
		return NULL;

	i = find_next_bit(used, NR_RECORDS, r - records);

	return i < NR_RECORDS ? records + i : NULL;
}

static __always_inline bool record_is_mine(struct hwpoison_record *r)
{
	return atomic_read_acquire(&r->state) > RECORD_BUSY && r->task == current;
}

/* The first record of this task at @r or behind it */
static struct hwpoison_record *mine_from(struct hwpoison_record *r)
{
	for (r = used_from(r); r; r = used_from(r + 1)) {
		if (record_is_mine(r))
			return r;
	}

	return NULL;
}

static bool record_moves(struct hwpoison_record *r, enum record_state from,
			 enum record_state to)
{
	return atomic_cmpxchg(&r->state, from, to) == from;
}

static unsigned long record_pfn(struct hwpoison_record *r)
{
	return PHYS_PFN(r->addr);
}

static void record_free(struct hwpoison_record *r)
{
	r->task = NULL;
	atomic_dec(&hwpoison_nr_records);
	clear_bit(r - records, used);
	atomic_set_release(&r->state, RECORD_FREE);
}

/* Task_work that refers to the record frees it. */
static void record_settled(struct hwpoison_record *r)
{
	if (r->queued)
		atomic_set_release(&r->state, RECORD_SETTLED);
	else
		record_free(r);
}

static int offline(u64 addr, unsigned long ip, enum hwpoison_source source)
{
	int ret = memory_failure(PHYS_PFN(addr), 0);

	if (!ret)
		set_mce_nospec(PHYS_PFN(addr));
	hwpoison_tell(ip, addr, source, ret);

	return ret;
}

/**
 * hwpoison_settle() - take a page out of service
 * @pfn:	number of the page that has a memory error
 *
 * Unmaps it everywhere, the kernel's direct map included. Nobody is signalled
 * for a clean page; whoever touches lost data later is.
 *
 * Context: process context, may sleep. No reference to the page may be held.
 * Return: what memory_failure() said. That is no verdict on the page's user:
 * look the page up again instead.
 */
int hwpoison_settle(unsigned long pfn)
{
	struct hwpoison_record *r;
	int ret;

	for (r = mine_from(records); r; r = mine_from(r + 1)) {
		if (record_pfn(r) != pfn ||
		    !record_moves(r, RECORD_CLAIMED, RECORD_SETTLING))
			continue;
		ret = offline(r->addr, r->ip, HWPOISON_CLAIMED);
		record_settled(r);
		return ret;
	}

	return offline(PFN_PHYS(pfn), 0, HWPOISON_CLAIMED);
}

static void record_settle(struct hwpoison_record *r)
{
	offline(r->addr, r->ip, r->task ? HWPOISON_BY_TASK : HWPOISON_BY_OTHER);
}

/*
 * User memory that somebody has off the LRU lists, for reclaim or to move it,
 * or holds another reference of: both do not last. Only a look, without a
 * reference: it is wrong at times, and then costs time.
 */
static bool in_somebodys_hands(struct folio *folio)
{
	if (folio_test_hugetlb(folio) || folio_test_slab(folio))
		return false;
	if (!folio_test_anon(folio) &&
	    (!READ_ONCE(folio->mapping) || __folio_test_movable(folio)))
		return false;
	if (!folio_test_lru(folio))
		return true;

	return folio_test_large(folio) && folio_test_anon(folio) &&
	       !can_split_folio(folio, 0, NULL);
}

#define MAX_WAIT_MS	1000

/**
 * hwpoison_wait_idle() - wait until memory_failure() can take a page
 * @pfn:	number of the page
 *
 * Who met the error may be about to put the page back: an agent that had it
 * isolated, for example, and whose record a worker settles. memory_failure()
 * has one chance only. Waits for a second at most, and not for a page that is
 * out of service already.
 *
 * Context: process context, may sleep. No reference to the page may be held.
 */
void hwpoison_wait_idle(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);
	int ms;

	if (!page || PageHWPoison(page))
		return;
	if (in_somebodys_hands(page_folio(page)))
		lru_add_drain_all();
	for (ms = 0; ms < MAX_WAIT_MS; ms += 5) {
		if (!in_somebodys_hands(page_folio(page)))
			return;
		usleep_range(5000, 6000);
	}
}

static void settle_deferred(struct work_struct *work)
{
	struct hwpoison_record *r;

	for (r = used_from(records); r; r = used_from(r + 1)) {
		if (!record_moves(r, RECORD_DEFERRED, RECORD_SETTLING))
			continue;
		if (r->kill)
			send_sig(SIGKILL, r->task, 1);
		/* Whoever met it may be about to put it back. */
		hwpoison_wait_idle(record_pfn(r));
		record_settle(r);
		record_settled(r);
	}
}

static DECLARE_WORK(settle_work, settle_deferred);

static void queue_settle_work(struct irq_work *work)
{
	queue_work(system_unbound_wq, &settle_work);
}

static DEFINE_IRQ_WORK(settle_irq_work, queue_settle_work);

/* The task is about to see user mode: by then its page has to be settled. */
static void record_task_work(struct callback_head *work)
{
	struct hwpoison_record *r;

	r = container_of(work, struct hwpoison_record, task_work);
	if (record_moves(r, RECORD_PENDING, RECORD_SETTLING) ||
	    record_moves(r, RECORD_CLAIMED, RECORD_SETTLING)) {
		record_settle(r);
	} else {
		while (atomic_read_acquire(&r->state) != RECORD_SETTLED) {
			queue_work(system_unbound_wq, &settle_work);
			flush_work(&settle_work);
		}
	}
	record_free(r);
}

/* The #MC itself counts as one NMI and one hardirq, whatever it interrupted. */
static bool interrupted_task(void)
{
	return (preempt_count() & NMI_MASK) <= NMI_OFFSET &&
	       (preempt_count() & HARDIRQ_MASK) <= HARDIRQ_OFFSET &&
	       !in_serving_softirq();
}

/* io_uring's workers do between two requests, other user workers may never. */
static bool runs_task_work(struct task_struct *task)
{
	return !(task->flags & (PF_KTHREAD | PF_USER_WORKER)) ||
	       task->flags & PF_IO_WORKER;
}

/*
 * The page was recorded and is met again. That is all right once; but whoever
 * keeps coming here before it returns to user mode shall not wait for that.
 */
static void record_hit(struct hwpoison_record *r, unsigned long ip)
{
	r->hits++;
	if (record_moves(r, RECORD_SETTLED, RECORD_PENDING))
		r->again++;

	if (r->hits == HITS_KILL && r->queued) {
		r->kill = true;
		pr_err("%#lx: %pS makes no progress\n", record_pfn(r), (void *)ip);
	}
	if (r->hits == HITS_PANIC)
		panic("hwpoison: %#lx: no progress at %pS, and nobody to stop it",
		      record_pfn(r), (void *)ip);

	if (record_moves(r, RECORD_PENDING, RECORD_DEFERRED))
		irq_work_queue(&settle_irq_work);
}

/**
 * hwpoison_record() - remember a page that the current context met poison in
 * @addr:	physical address of the error
 * @ip:		the instruction that met it
 *
 * Context: the exception that reported the error, NMI-like; takes no lock.
 * Return: false if there was no room, then the page is still in service.
 */
bool hwpoison_record(u64 addr, unsigned long ip)
{
	struct task_struct *task = interrupted_task() ? current : NULL;
	struct hwpoison_record *r;

	for (r = used_from(records); r; r = used_from(r + 1)) {
		if (atomic_read_acquire(&r->state) > RECORD_BUSY &&
		    r->task == task && record_pfn(r) == PHYS_PFN(addr)) {
			record_hit(r, ip);
			return true;
		}
	}

	for (r = records; r < records + NR_RECORDS; r++) {
		if (record_moves(r, RECORD_FREE, RECORD_BUSY))
			break;
	}
	if (r == records + NR_RECORDS) {
		hwpoison_count(HWPOISON_BY_OTHER, HWPOISON_FAILED);
		return false;
	}

	atomic_inc(&hwpoison_nr_records);
	set_bit(r - records, used);
	r->addr = addr;
	r->ip = ip;
	r->task = task;
	r->hits = 0;
	r->again = 0;
	r->faults = 0;
	r->kill = false;
	r->queued = false;

	if (task && runs_task_work(task)) {
		init_task_work(&r->task_work, record_task_work);
		r->queued = true;
		atomic_set_release(&r->state, RECORD_PENDING);
		if (!task_work_add(task, &r->task_work, TWA_NMI_CURRENT))
			return true;
		r->queued = false;
	}

	atomic_set_release(&r->state, RECORD_DEFERRED);
	irq_work_queue(&settle_irq_work);

	return true;
}

/**
 * hwpoison_recorded() - has somebody met poison in a page not long ago?
 * @pfn:	number of the page
 *
 * Context: any, #MC included. Quick as long as nobody on this machine has.
 * Return: true if so, whether or not that is settled.
 */
bool hwpoison_recorded(unsigned long pfn)
{
	struct hwpoison_record *r;

	for (r = used_from(records); r; r = used_from(r + 1)) {
		if (atomic_read_acquire(&r->state) > RECORD_BUSY &&
		    record_pfn(r) == pfn)
			return true;
	}

	return false;
}

/**
 * hwpoison_known_bad() - is it known that a page has a memory error?
 * @page:	the page
 *
 * There is no need to find it out another time then.
 *
 * Context: any. Quick as long as nobody on this machine has met poison.
 * Return: true if the page is out of service, or recorded to be taken out.
 */
bool hwpoison_known_bad(struct page *page)
{
	return PageHWPoison(page) || hwpoison_recorded(page_to_pfn(page));
}
EXPORT_SYMBOL_GPL(hwpoison_known_bad);

/**
 * hwpoison_unsettled() - would an interrupt meet poison again?
 *
 * Who samples a program from an interrupt comes back to the same place all the
 * time, and within one sample, before a worker could take the page away. Until
 * then it does without the user's memory.
 *
 * Context: interrupt or NMI. Quick as long as nobody on this machine has met
 * poison.
 * Return: true if an interrupt has met a page that is still in service.
 */
bool hwpoison_unsettled(void)
{
	struct hwpoison_record *r;
	int state;

	for (r = used_from(records); r; r = used_from(r + 1)) {
		state = atomic_read_acquire(&r->state);
		if (state > RECORD_BUSY && state != RECORD_SETTLED && !r->task)
			return true;
	}

	return false;
}

/**
 * hwpoison_has_pending() - hwpoison_pending(), once there are records
 *
 * Context: any.
 * Return: true if this task has met poison that is not settled.
 */
bool hwpoison_has_pending(void)
{
	struct hwpoison_record *r;

	for (r = mine_from(records); r; r = mine_from(r + 1)) {
		if (atomic_read(&r->state) < RECORD_CLAIMED)
			return true;
	}

	return false;
}
EXPORT_SYMBOL_GPL(hwpoison_has_pending);

/**
 * hwpoison_good_bytes() - how much of a failed load was good
 * @addr:	kernel or user address of the load
 * @len:	its size, less than a page
 *
 * Context: that of the load, right after it failed.
 * Return: bytes from @addr on that lie in front of a bad line that this task
 * met, or SIZE_MAX if it met none among them.
 */
notrace size_t hwpoison_good_bytes(const void *addr, size_t len)
{
	unsigned long start = offset_in_page(addr);
	unsigned long line, ahead;
	struct hwpoison_record *r;

	if (!hwpoison_maybe_pending())
		return SIZE_MAX;

	/* No calls: user access may be enabled. */
	for (r = records; r < records + NR_RECORDS; r++) {
		if (!record_is_mine(r) || atomic_read(&r->state) >= RECORD_CLAIMED)
			continue;
		line = ALIGN_DOWN(offset_in_page(r->addr), HWPOISON_LINE);
		if (line == ALIGN_DOWN(start, HWPOISON_LINE))
			return 0;
		/* The load may go on in another page. */
		ahead = (line - start) % PAGE_SIZE;
		if (ahead < len)
			return ahead;
	}

	return SIZE_MAX;
}

/**
 * hwpoison_settle_records() - hwpoison_settle_pending(), once there are records
 *
 * Context: process context, may sleep.
 * Return: false if a retry could not make progress.
 */
bool hwpoison_settle_records(void)
{
	struct hwpoison_record *r;
	bool progress = true;

	if (faulthandler_disabled())
		return !hwpoison_pending();

	for (r = mine_from(records); r; r = mine_from(r + 1)) {
		if (r->again > MAX_AGAIN)
			progress = false;

		if (record_moves(r, RECORD_PENDING, RECORD_SETTLING) ||
		    record_moves(r, RECORD_DEFERRED, RECORD_SETTLING)) {
			record_settle(r);
			/* Nothing would notice that it is met again. */
			if (!r->queued)
				progress = false;
			record_settled(r);
		} else if (atomic_read(&r->state) == RECORD_SETTLING) {
			flush_work(&settle_work);
		}
	}

	return progress;
}
EXPORT_SYMBOL_GPL(hwpoison_settle_records);

/**
 * hwpoison_fault_in_readable() - fault_in_readable(), once there are records
 * @uaddr:	start of the user memory
 * @size:	its length in bytes
 *
 * Context: process context, may sleep.
 * Return: bytes that could not be faulted in, all of them if a retry of what
 * failed could not make progress.
 */
size_t hwpoison_fault_in_readable(const char __user *uaddr, size_t size)
{
	size_t done;
	char c;

	if (!access_ok(uaddr, size) || !hwpoison_settle_pending())
		return size;

	for (done = 0; done < size; done += PAGE_SIZE - offset_in_page(uaddr + done)) {
		if (__get_user(c, uaddr + done))
			return size - done;
	}
	(void)c;

	return 0;
}

/**
 * hwpoison_claim() - take over from the default settler
 * @folio:	folio that the caller was copying from
 * @pfn:	set to the bad page of @folio that this task met
 *
 * The caller must then drop its references and call hwpoison_settle(). If a
 * system call forgets to, task_work does.
 *
 * Context: process context, of the task that met the poison.
 * Return: true if there was a record for a page of @folio.
 */
bool hwpoison_claim(struct folio *folio, unsigned long *pfn)
{
	unsigned long first = folio_pfn(folio);
	struct hwpoison_record *r;
	bool found = false;

	for (r = mine_from(records); r; r = mine_from(r + 1)) {
		if (record_pfn(r) < first ||
		    record_pfn(r) >= first + folio_nr_pages(folio))
			continue;

		*pfn = record_pfn(r);
		found = true;
		/* The worker, where it was faster, is left to it. */
		if (!record_moves(r, RECORD_PENDING, RECORD_CLAIMED))
			record_moves(r, RECORD_DEFERRED, RECORD_CLAIMED);
	}

	return found;
}

/**
 * hwpoison_met() - has this task met poison since it entered the kernel?
 *
 * Context: any, #MC included.
 * Return: true if so, whether or not that is settled.
 */
bool hwpoison_met(void)
{
	return mine_from(records);
}

/**
 * hwpoison_settled() - was this page settled, and met once more?
 * @pfn:	number of the page that is met now
 *
 * Then it could not be unmapped, and there is no point in another try.
 *
 * Context: any, #MC included.
 * Return: true if this task has settled it since it entered the kernel, or
 * somebody else does so now.
 */
bool hwpoison_settled(unsigned long pfn)
{
	struct hwpoison_record *r;

	for (r = mine_from(records); r; r = mine_from(r + 1)) {
		if (record_pfn(r) == pfn &&
		    (atomic_read(&r->state) == RECORD_SETTLED ||
		     atomic_read(&r->state) == RECORD_SETTLING))
			return true;
	}

	return false;
}

/**
 * hwpoison_faulted() - the kernel touched a lost page that is not mapped
 * @ip:	the instruction
 *
 * An error for the caller, which it should pass on. A task that has met poison
 * and goes on and on touching lost pages, all in one stay in the kernel, is in
 * a loop that takes no error for an answer. Stop it, as one that goes on
 * meeting poison.
 *
 * Context: page fault from kernel mode that may sleep.
 */
void hwpoison_faulted(unsigned long ip)
{
	struct hwpoison_record *r;

	for (r = mine_from(records); r; r = mine_from(r + 1)) {
		if (++r->faults == FAULTS_KILL) {
			pr_err("%#lx: %pS makes no progress\n", record_pfn(r),
			       (void *)ip);
			send_sig(SIGKILL, current, 1);
		}
		return;
	}
}
