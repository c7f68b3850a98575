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
#include <linux/hwpoison.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/set_memory.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

enum record_state {
	RECORD_FREE,
	RECORD_BUSY,		/* being filled or emptied */
	RECORD_TASK_WORK,	/* its task settles it on return to user mode */
	RECORD_SETTLED,		/* its task did so, and frees it there */
	RECORD_DEFERRED,	/* the worker settles it */
	RECORD_SETTLING,	/* the worker is at it */
};

struct hwpoison_record {
	atomic_t		state;
	unsigned int		again;	/* met after it was settled */
	unsigned long		pfn;
	unsigned long		ip;
	struct task_struct	*task;
	struct callback_head	task_work;
};

#define NR_RECORDS		64

/* A page that is met again right after it was settled could not be unmapped. */
#define MAX_AGAIN		1

static struct hwpoison_record records[NR_RECORDS];

/* Records in use: spares the good path from looking at all of them. */
static atomic_t nr_records;

static bool record_is_mine(struct hwpoison_record *r)
{
	return atomic_read_acquire(&r->state) > RECORD_BUSY && r->task == current;
}

static void record_free(struct hwpoison_record *r)
{
	r->task = NULL;
	atomic_dec(&nr_records);
	atomic_set_release(&r->state, RECORD_FREE);
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
	int ret = memory_failure(pfn, 0);

	if (!ret)
		set_mce_nospec(pfn);

	return ret;
}

static void record_settle(struct hwpoison_record *r)
{
	pr_err("%#lx: met by the kernel at %pS\n", r->pfn, (void *)r->ip);
	hwpoison_settle(r->pfn);
}

static void record_task_work(struct callback_head *work)
{
	struct hwpoison_record *r;

	r = container_of(work, struct hwpoison_record, task_work);
	if (atomic_read(&r->state) == RECORD_TASK_WORK)
		record_settle(r);
	record_free(r);
}

static void settle_deferred(struct work_struct *work)
{
	struct hwpoison_record *r;

	for (r = records; r < records + NR_RECORDS; r++) {
		if (atomic_cmpxchg(&r->state, RECORD_DEFERRED,
				   RECORD_SETTLING) == RECORD_DEFERRED) {
			record_settle(r);
			record_free(r);
		}
	}
}

static DECLARE_WORK(settle_work, settle_deferred);

static void queue_settle_work(struct irq_work *work)
{
	schedule_work(&settle_work);
}

static DEFINE_IRQ_WORK(settle_irq_work, queue_settle_work);

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

/**
 * hwpoison_record() - remember a page that the current context met poison in
 * @pfn:	number of the page
 * @ip:		the instruction that met it
 *
 * Context: the exception that reported the error, NMI-like; takes no lock.
 * Return: false if there was no room, then the page is still in service.
 */
bool hwpoison_record(unsigned long pfn, unsigned long ip)
{
	struct hwpoison_record *r;

	for (r = records; r < records + NR_RECORDS; r++) {
		if (!record_is_mine(r) || r->pfn != pfn)
			continue;
		if (atomic_cmpxchg(&r->state, RECORD_SETTLED,
				   RECORD_TASK_WORK) == RECORD_SETTLED)
			r->again++;
		return true;
	}

	for (r = records; r < records + NR_RECORDS; r++) {
		if (atomic_cmpxchg(&r->state, RECORD_FREE, RECORD_BUSY) == RECORD_FREE)
			break;
	}
	if (r == records + NR_RECORDS)
		return false;

	atomic_inc(&nr_records);
	r->again = 0;
	r->pfn = pfn;
	r->ip = ip;
	r->task = current;

	if (interrupted_task() && runs_task_work(current)) {
		init_task_work(&r->task_work, record_task_work);
		atomic_set_release(&r->state, RECORD_TASK_WORK);
		if (!task_work_add(current, &r->task_work, TWA_NMI_CURRENT))
			return true;
	}

	atomic_set_release(&r->state, RECORD_DEFERRED);
	irq_work_queue(&settle_irq_work);

	return true;
}

/**
 * hwpoison_pending() - has this task met poison that nobody settled yet?
 *
 * A copy that came up short asks before it tries again: to touch the line once
 * more costs another #MC and cannot succeed.
 *
 * Context: any. Quick as long as nobody on this machine has met poison.
 * Return: true if it has.
 */
bool hwpoison_pending(void)
{
	struct hwpoison_record *r;

	if (likely(!atomic_read(&nr_records)))
		return false;

	for (r = records; r < records + NR_RECORDS; r++) {
		if (record_is_mine(r) && atomic_read(&r->state) != RECORD_SETTLED)
			return true;
	}

	return false;
}

/**
 * hwpoison_settle_pending() - settle what this task has met, before a retry
 *
 * Whoever faults in user memory in order to copy from it again calls this
 * first: a page that can be read again is then read again, and one that cannot
 * is no longer mapped, so that the retry succeeds or fails without another
 * #MC. Where a page could not be taken away and was met again, this says so
 * and the retry must not happen.
 *
 * Context: process context, may sleep.
 * Return: false if the retry could not make progress.
 */
bool hwpoison_settle_pending(void)
{
	struct hwpoison_record *r;
	bool progress = true;

	if (likely(!atomic_read(&nr_records)))
		return true;
	if (faulthandler_disabled())
		return !hwpoison_pending();

	for (r = records; r < records + NR_RECORDS; r++) {
		if (!record_is_mine(r))
			continue;
		if (r->again > MAX_AGAIN)
			progress = false;
		if (atomic_cmpxchg(&r->state, RECORD_TASK_WORK,
				   RECORD_SETTLED) == RECORD_TASK_WORK) {
			record_settle(r);
		} else if (atomic_cmpxchg(&r->state, RECORD_DEFERRED,
					  RECORD_SETTLING) == RECORD_DEFERRED) {
			record_settle(r);
			record_free(r);
			/* Nothing would notice that it is met again. */
			progress = false;
		}
	}

	return progress;
}

/**
 * hwpoison_claim() - take over from the default settler
 * @folio:	folio that the caller was copying from
 * @pfn:	set to the bad page of @folio that this task met
 *
 * The caller must then drop its references and call hwpoison_settle(), or a
 * function that does.
 *
 * Context: process context, of the task that met the poison.
 * Return: true if there was a record for a page of @folio.
 */
bool hwpoison_claim(struct folio *folio, unsigned long *pfn)
{
	unsigned long first = folio_pfn(folio);
	struct hwpoison_record *r;
	bool found = false;

	for (r = records; r < records + NR_RECORDS; r++) {
		if (!record_is_mine(r) || r->pfn < first ||
		    r->pfn >= first + folio_nr_pages(folio))
			continue;

		*pfn = r->pfn;
		found = true;
		/* The worker, where it was faster, frees the record. */
		if (task_work_cancel(current, &r->task_work)) {
			record_free(r);
		} else if (atomic_cmpxchg(&r->state, RECORD_DEFERRED,
					  RECORD_BUSY) == RECORD_DEFERRED) {
			record_free(r);
		}
	}

	return found;
}
