// SPDX-License-Identifier: GPL-2.0
/*
 * Records of memory errors that the kernel met while it copied for somebody.
 *
 * The exception that reports such an error is NMI-like and can do nothing
 * about the page. It leaves a record of the page here, and a word in the task
 * that met it.
 *
 * To settle it is two things. A clean page of a file is dropped from its cache
 * in the way that reclaim does it, see filemap_drop_bad(): that waits for
 * nobody, whatever locks the caller holds, and the page is read again from the
 * disk. All else is for memory_failure(), which waits for locks that a caller
 * may hold, and for folios that somebody else may have locked for long. A
 * worker calls it, never who met the error; who met it may wait for the worker,
 * but not for long.
 *
 * There is one record for a page, no matter how many tasks meet it, until the
 * page is out of service: as many as there are bad pages at a time. If there
 * is no room, the page is recorded when it is touched next. What the task has
 * to know is in the task.
 *
 * The task's word alone would not do, nor would memory_failure_queue() for the
 * rest. That takes a spinlock, which #MC may interrupt; has room for 16 pages a
 * CPU, and forgets the next one, while a large folio or a burst of requests has
 * more; does not say when it is done, and whoever met a page would have to poll;
 * and cannot be asked about a page. The last is what keeps everybody else from a
 * machine check of their own for a page that is known: see hwpoison_recorded().
 *
 * Nor can there be fewer states. A worker must not begin with a page that who
 * met it is about to drop (PENDING), as its reference would be in the way. It
 * may have to wait for a second until a page is let go of (WAITING), and others,
 * who are waited for themselves, must not queue behind that (DEFERRED). Nobody
 * else may free the record while memory_failure() is at it (SETTLING).
 */
#define pr_fmt(fmt) "hwpoison: " fmt

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/filemap_lost.h>
#include <linux/hwpoison.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/set_memory.h>
#include <linux/swap.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "filemap-heal.h"
#include "internal.h"

enum record_state {
	RECORD_FREE,
	RECORD_BUSY,		/* being filled or emptied */
	RECORD_PENDING,		/* who met it settles it */
	RECORD_WAITING,		/* a worker does, once the page is let go of */
	RECORD_DEFERRED,	/* a worker does, now */
	RECORD_SETTLING,	/* and is at it */
};

/**
 * struct hwpoison_record - a page that the kernel met poison in
 * @state: an &enum record_state value
 * @addr: physical address of the error
 * @ip: the instruction that met it, 0 if nobody remembers
 * @source: who that was
 */
struct hwpoison_record {
	atomic_t		state;
	u64			addr;
	unsigned long		ip;
	enum hwpoison_source	source;
};

#define NR_RECORDS		256

static struct hwpoison_record records[NR_RECORDS];

/* Which are in use */
static DECLARE_BITMAP(used, NR_RECORDS);

/* Records in use, and tasks that have met poison: spares the good path a look. */
atomic_t hwpoison_nr_records;
EXPORT_SYMBOL_GPL(hwpoison_nr_records);

/* A record is no more: the page is out of service, or cannot be taken out. */
static DECLARE_WAIT_QUEUE_HEAD(settled);

/* How long who met the error waits for the worker */
#define SETTLE_WAIT		(HZ / 5)

/* Whoever meets a page that cannot be taken away does so this often, all together. */
#define PACE			(HZ / 20)

/*
 * What a task has met last since it entered the kernel: the line's physical
 * address, and below that, flags. Only the task writes it, and #MC in it.
 */
#ifdef CONFIG_X86_MCE
#define this_task_met		(current->mce_kflags)
#define this_task_count		(current->mce_count)
#else
static u64 this_task_met;
static int this_task_count;
#endif

#define MET_PENDING		BIT_ULL(0)	/* not settled */
#define MET_UNKNOWN		BIT_ULL(1)	/* nobody knows where */
#define MET_RETURNS		BIT_ULL(2)	/* hwpoison_leave() is going to be called */
#define MET_AGAIN		BIT_ULL(3)	/* a page that it had settled */
#define MET_COPY		BIT_ULL(4)	/* the caller of a copy deals with it */
#define MET_STUCK		BIT_ULL(5)	/* there was one that could not be taken away */
#define MET_SOMEWHERE		BIT_ULL(63)	/* in this page, nobody knows which line */
#define MET_FLAGS		(HWPOISON_LINE - 1 + MET_SOMEWHERE)

#ifdef CONFIG_LOCKDEP
static struct lockdep_map settle_map =
	STATIC_LOCKDEP_MAP_INIT("hwpoison_settle", &settle_map);

static void might_drop(void)
{
	lock_map_acquire(&settle_map);
	fs_reclaim_acquire(GFP_KERNEL);
	fs_reclaim_release(GFP_KERNEL);
	lock_map_release(&settle_map);
}

/*
 * Before the worker can begin it may have to wait for all of memory_failure().
 * Not under the map, which is taken with the mmap_lock held where a page is only
 * dropped.
 */
static void might_wait(void)
{
	memory_failure_might_lock();
}

/**
 * hwpoison_might_settle() - tell lockdep that a page may be settled here
 *
 * Whether or not there is one. Either the page is dropped, which is what reclaim
 * does and takes the same locks, or a worker is waited for that is in
 * memory_failure(). All who call that take its mutex, so this relates to them
 * all. With the mmap_lock held it is reported at once.
 *
 * Context: process context, may sleep.
 */
void hwpoison_might_settle(void)
{
	if (faulthandler_disabled())
		return;
	might_sleep();
	might_drop();
	might_wait();
}
EXPORT_SYMBOL_GPL(hwpoison_might_settle);
#else
static void might_drop(void)
{
}

static void might_wait(void)
{
}
#endif

static unsigned long met_pfn(u64 met)
{
	return PHYS_PFN(met & ~MET_FLAGS);
}

static void set_met(u64 met)
{
	if (!this_task_met)
		atomic_inc(&hwpoison_nr_records);
	this_task_met = met;
}

static void clear_met(void)
{
	if (this_task_met)
		atomic_dec(&hwpoison_nr_records);
	this_task_met = 0;
}

/* Settled, or somebody is about to: the task need not remember it. */
static void met_is_over(void)
{
	if (this_task_met & MET_RETURNS)
		this_task_met &= ~(MET_PENDING | MET_UNKNOWN | MET_AGAIN | MET_COPY);
	else
		clear_met();
}

/* The first record in use at @r or behind it */
static struct hwpoison_record *used_from(struct hwpoison_record *r)
{
	unsigned long i;

	if (!hwpoison_maybe_pending())
		return NULL;

	i = find_next_bit(used, NR_RECORDS, r - records);

	return i < NR_RECORDS ? records + i : NULL;
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

static struct hwpoison_record *record_of(unsigned long pfn)
{
	struct hwpoison_record *r;

	for (r = used_from(records); r; r = used_from(r + 1)) {
		if (atomic_read_acquire(&r->state) > RECORD_BUSY &&
		    record_pfn(r) == pfn)
			return r;
	}

	return NULL;
}

static struct hwpoison_record *record_new(u64 addr, unsigned long ip,
					  enum hwpoison_source source,
					  enum record_state state)
{
	struct hwpoison_record *r;

	for (r = records; r < records + NR_RECORDS; r++) {
		if (!record_moves(r, RECORD_FREE, RECORD_BUSY))
			continue;
		atomic_inc(&hwpoison_nr_records);
		set_bit(r - records, used);
		r->addr = addr;
		r->ip = ip;
		r->source = source;
		atomic_set_release(&r->state, state);
		return r;
	}

	return NULL;
}

static void record_free(struct hwpoison_record *r)
{
	clear_bit(r - records, used);
	atomic_set_release(&r->state, RECORD_FREE);
	atomic_dec(&hwpoison_nr_records);
}

/* The page is out of service. What a worker has begun with is left to it. */
static void forget(unsigned long pfn)
{
	struct hwpoison_record *r;
	int state;

	for (r = used_from(records); r; r = used_from(r + 1)) {
		state = atomic_read_acquire(&r->state);
		if (state <= RECORD_BUSY || state == RECORD_SETTLING ||
		    record_pfn(r) != pfn || !record_moves(r, state, RECORD_BUSY))
			continue;
		/* Was it freed and used again in between? */
		if (record_pfn(r) == pfn)
			record_free(r);
		else
			atomic_set_release(&r->state, state);
	}
	wake_up_all(&settled);
}

/* Has memory_failure() seen this page? Or there is none, and it never will. */
static bool marked(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);
	struct folio *folio;

	if (!page)
		return true;
	folio = page_folio(page);

	return PageHWPoison(page) ||
	       (folio_test_hugetlb(folio) && folio_test_hwpoison(folio));
}

/**
 * hwpoison_gone() - is a bad page out of the reach of programs?
 * @pfn:	number of the page
 *
 * Where they had it mapped, another page is now, or the word that it is lost.
 * The kernel may still have it.
 *
 * Context: process context.
 * Return: true if it is marked and nobody has it mapped.
 */
bool hwpoison_gone(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	return page && marked(pfn) && !folio_mapped(page_folio(page));
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

/* Was it freed before memory_failure() came to it, and did not go any further? */
static bool is_kept(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	return page && PageHWPoison(page) && !page_count(page);
}

static void offline(struct hwpoison_record *r)
{
	unsigned long pfn = record_pfn(r);
	int ret;

	ret = memory_failure(pfn, 0);
	if (!ret) {
		set_mce_nospec(pfn);
	} else if (ret == -EHWPOISON) {
		/* Perhaps who held it when it went bad has let go. */
		filemap_retry_give_up(pfn);
		if (is_kept(pfn)) {
			set_mce_nospec(pfn);
			ret = 0;
		} else if (!hwpoison_gone(pfn)) {
			ret = -EBUSY;
		}
	}
	hwpoison_tell(r->ip, r->addr, r->source, ret);
}

static void offline_all(enum record_state state)
{
	struct hwpoison_record *r;

	for (r = used_from(records); r; r = used_from(r + 1)) {
		if (!record_moves(r, state, RECORD_SETTLING))
			continue;
		if (state == RECORD_WAITING)
			hwpoison_wait_idle(record_pfn(r));
		offline(r);
		record_free(r);
		wake_up_all(&settled);
	}
}

static void settle_deferred(struct work_struct *work)
{
	offline_all(RECORD_DEFERRED);
}

static void settle_waiting(struct work_struct *work)
{
	offline_all(RECORD_WAITING);
}

static DECLARE_WORK(deferred_work, settle_deferred);
static DECLARE_WORK(waiting_work, settle_waiting);

static void queue_works(struct irq_work *work)
{
	queue_work(system_unbound_wq, &deferred_work);
	queue_work(system_unbound_wq, &waiting_work);
}

static DEFINE_IRQ_WORK(settle_irq_work, queue_works);

/* Let the worker do it, and give it a moment if @wait. */
static void have_offlined(unsigned long pfn, enum hwpoison_source source, bool wait)
{
	struct hwpoison_record *r = record_of(pfn);

	if (!r)
		r = record_new(PFN_PHYS(pfn), 0, source, RECORD_DEFERRED);
	else if (!record_moves(r, RECORD_PENDING, RECORD_DEFERRED))
		record_moves(r, RECORD_WAITING, RECORD_DEFERRED);
	if (!r)
		return;

	queue_work(system_unbound_wq, &deferred_work);
	if (wait)
		wait_event_killable_timeout(settled, !record_of(pfn), SETTLE_WAIT);
}

static bool settle(unsigned long pfn, enum hwpoison_source source, bool again, bool wait)
{
	struct page *page = pfn_to_online_page(pfn);
	bool was_gone = hwpoison_gone(pfn);
	struct hwpoison_record *r;
	bool gone;

	might_sleep();
	might_drop();

	if (page && !filemap_drop_bad(page)) {
		r = record_of(pfn);
		hwpoison_tell(r ? r->ip : 0, r ? r->addr : PFN_PHYS(pfn), source, 0);
	} else if (!was_gone) {
		if (wait)
			might_wait();
		have_offlined(pfn, source, wait);
	}

	gone = hwpoison_gone(pfn);
	if (gone)
		forget(pfn);
	/* One less: whoever meets a thousand pages, and they go, gets on. */
	if (gone && !was_gone && this_task_count)
		this_task_count = 1;
	if (!gone && this_task_met & MET_RETURNS)
		this_task_met |= MET_STUCK;

	/* To have met what was gone before can be the fault of another task. Once. */
	return gone && !(was_gone && again);
}

/**
 * hwpoison_settle() - take a page out of service
 * @pfn:	number of the page that has a memory error
 *
 * A clean page of a file is dropped, all else is up to a worker, which this
 * waits for, but not longer than a moment. Nobody is signalled for a clean page;
 * whoever touches lost data later is.
 *
 * Context: process context, may sleep. Locks may be held, but no folio lock and
 * none that reclaim takes. No reference to the page should be held.
 * Return: true if nobody finds the page any more.
 */
bool hwpoison_settle(unsigned long pfn)
{
	return settle(pfn, HWPOISON_CLAIMED, false, true);
}

/**
 * hwpoison_settle_again() - have another look at a page that was marked before
 * @pfn:	number of the page
 *
 * Context: as hwpoison_settle().
 */
void hwpoison_settle_again(unsigned long pfn)
{
	hwpoison_might_settle();
	have_offlined(pfn, HWPOISON_CLAIMED, true);
}

/**
 * hwpoison_settle_later() - have a page looked at again that was marked before
 * @pfn:	number of the page
 *
 * For who meets a page that memory_failure() could not take away, and cannot wait
 * for the worker.
 *
 * Context: process context.
 */
void hwpoison_settle_later(unsigned long pfn)
{
	if (!record_of(pfn) &&
	    record_new(PFN_PHYS(pfn), 0, HWPOISON_CLAIMED, RECORD_DEFERRED))
		queue_work(system_unbound_wq, &deferred_work);
}

static void defer(unsigned long pfn)
{
	struct hwpoison_record *r = record_of(pfn);

	if (r && record_moves(r, RECORD_PENDING, RECORD_DEFERRED))
		irq_work_queue(&settle_irq_work);
}

/* Where a line begins is known by the line, or not at all. */
static u64 met_flags(u8 lsb)
{
	return lsb > ilog2(HWPOISON_LINE) ? MET_SOMEWHERE : 0;
}

/* What the current task met last. What it had met before must not be forgotten. */
static void remember(u64 addr, u64 flags)
{
	u64 before = this_task_met;
	u64 met = ALIGN_DOWN(addr, HWPOISON_LINE) | flags;

	if (before & MET_PENDING && !(before & MET_UNKNOWN)) {
		/* Met again before it is settled, or not the only one. */
		defer(met_pfn(before));
	} else if (before & ~MET_FLAGS && met_pfn(before) == PHYS_PFN(addr)) {
		met |= MET_AGAIN;
	}
	set_met(met | (before & MET_STUCK));
}

/**
 * hwpoison_record() - remember a page that the current context met poison in
 * @addr:	physical address of the error, 0 if it is not known
 * @lsb:	number of the least significant bit of @addr that is right
 * @ip:		the instruction that met it
 * @by_task:	the current task did, no interrupt
 * @returns:	and is going to call hwpoison_leave()
 *
 * Context: the exception that reported the error, NMI-like; takes no lock.
 * Return: false if there was no room, then the page is still in service.
 */
bool hwpoison_record(u64 addr, u8 lsb, unsigned long ip, bool by_task, bool returns)
{
	struct hwpoison_record *r;
	bool room = true;

	if (by_task)
		remember(addr, MET_PENDING | (addr ? 0 : MET_UNKNOWN) | met_flags(lsb) |
			       (returns ? MET_RETURNS : 0));
	if (!addr || record_of(PHYS_PFN(addr)))
		return true;

	r = record_new(addr, ip, by_task ? HWPOISON_BY_TASK : HWPOISON_BY_OTHER,
		       returns ? RECORD_PENDING : RECORD_WAITING);
	if (!r) {
		hwpoison_count(HWPOISON_BY_OTHER, HWPOISON_FAILED);
		room = false;
	} else if (!returns) {
		irq_work_queue(&settle_irq_work);
	}

	/* One that nobody met before: however many there are, it is no loop. */
	if (room && by_task && this_task_count && !marked(PHYS_PFN(addr)))
		this_task_count = 1;

	return room;
}

/**
 * hwpoison_note() - the current task met poison, and a caller will deal with it
 * @addr:	physical address of the error
 * @returns:	the task is going to call hwpoison_leave()
 *
 * Context: the exception that reported the error, NMI-like; takes no lock.
 */
void hwpoison_note(u64 addr, bool returns)
{
	if (returns)
		remember(addr, MET_COPY | MET_RETURNS);
}

/**
 * hwpoison_leave() - the current task is about to see user mode
 *
 * By then its page has to be settled.
 *
 * Context: task_work.
 */
void hwpoison_leave(void)
{
	if (this_task_met & MET_PENDING)
		hwpoison_settle_records();
	if (this_task_met & MET_STUCK)
		hwpoison_slow_down();
	clear_met();
}

/**
 * hwpoison_slow_down() - sleep, for a page was met that cannot be taken away
 *
 * It will be met again, and machine checks stop the whole machine for a moment.
 * All who meet such pages take turns.
 *
 * Context: process context, may sleep.
 */
void hwpoison_slow_down(void)
{
	static atomic_long_t turn;
	unsigned long last, next;

	last = atomic_long_read(&turn);
	do {
		next = time_in_range(last, jiffies, jiffies + HZ) ? last : jiffies;
		next += PACE;
	} while (!atomic_long_try_cmpxchg(&turn, (long *)&last, next));

	schedule_timeout_uninterruptible(next - jiffies);
}

/**
 * hwpoison_recorded() - has somebody met poison in a page not long ago?
 * @pfn:	number of the page
 *
 * Context: any, #MC included. Quick as long as nobody on this machine has.
 * Return: true if so, and it is not settled.
 */
bool hwpoison_recorded(unsigned long pfn)
{
	return record_of(pfn);
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
 * hwpoison_known_bad_range() - hwpoison_known_bad() for several pages
 * @page:	where @offset begins
 * @offset:	first byte
 * @len:	number of bytes
 *
 * Context: any.
 * Return: true if one of the pages is.
 */
bool hwpoison_known_bad_range(struct page *page, size_t offset, size_t len)
{
	size_t i, end = PAGE_ALIGN(offset + len) >> PAGE_SHIFT;

	for (i = offset >> PAGE_SHIFT; i < end; i++) {
		if (hwpoison_known_bad(nth_page(page, i)))
			return true;
	}

	return false;
}

/**
 * hwpoison_keep_recorded() - hwpoison_freeing(), once there are records
 * @page:	the first page, to which nobody has a reference
 * @order:	how many; of more than one, only a folio's can be kept
 *
 * Context: any.
 */
void hwpoison_keep_recorded(struct page *page, unsigned int order)
{
	unsigned long i, pfn = page_to_pfn(page);

	/* The mark of a folio that has one is there with huge pages only. */
	if (order && (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) || !PageHead(page)))
		return;

	for (i = 0; i < 1UL << order; i++) {
		if (!hwpoison_recorded(pfn + i))
			continue;
		if (!TestSetPageHWPoison(page + i))
			num_poisoned_pages_inc(pfn + i);
		if (order)
			folio_set_has_hwpoisoned(page_folio(page));
	}
}

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

	for (r = used_from(records); r; r = used_from(r + 1)) {
		if (atomic_read_acquire(&r->state) > RECORD_BUSY &&
		    r->source == HWPOISON_BY_OTHER)
			return true;
	}

	return false;
}

/**
 * hwpoison_has_pending() - hwpoison_pending(), once there are records
 *
 * Context: any.
 * Return: true if this task has met poison that it has not settled.
 */
bool hwpoison_has_pending(void)
{
	u64 met = this_task_met;

	if (!(met & MET_PENDING))
		return false;

	/* Who does not settle it himself is not told when a worker has. */
	return met & (MET_RETURNS | MET_UNKNOWN) || record_of(met_pfn(met));
}
EXPORT_SYMBOL_GPL(hwpoison_has_pending);

/**
 * hwpoison_met_somewhere() - did a copy of this task fail, and nobody knows where?
 *
 * The machine check had no address, so no page is known to be bad, and whoever
 * tries again meets it again.
 *
 * Context: process context, of whoever copied.
 * Return: true if so. A kernel thread is told once.
 */
bool hwpoison_met_somewhere(void)
{
	u64 met = this_task_met;

	if ((met & (MET_PENDING | MET_UNKNOWN)) != (MET_PENDING | MET_UNKNOWN))
		return false;
	if (!(met & MET_RETURNS))
		met_is_over();

	return true;
}

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
	u64 met = this_task_met;
	unsigned long line, ahead;

	/* No calls: user access may be enabled. */
	if ((met & (MET_PENDING | MET_UNKNOWN)) != MET_PENDING)
		return SIZE_MAX;
	if (met & MET_SOMEWHERE)
		return 0;

	line = ALIGN_DOWN(offset_in_page(met), HWPOISON_LINE);
	if (line == ALIGN_DOWN(start, HWPOISON_LINE))
		return 0;
	/* The load may go on in another page. */
	ahead = (line - start) % PAGE_SIZE;

	return ahead < len ? ahead : SIZE_MAX;
}

static bool settle_records(bool wait)
{
	u64 met = this_task_met;
	bool gone;

	if (!(met & MET_PENDING))
		return true;
	if (faulthandler_disabled())
		return false;

	met_is_over();
	if (met & MET_UNKNOWN)
		return false;
	gone = settle(met_pfn(met), HWPOISON_BY_TASK, met & MET_AGAIN, wait);
	if (gone && !(met & MET_RETURNS))
		this_task_count = 0;

	/* Nothing would notice that it is met again. */
	return gone && met & MET_RETURNS;
}

/**
 * hwpoison_settle_records() - hwpoison_settle_pending(), once there are records
 *
 * Context: as hwpoison_settle().
 * Return: false if a retry could not make progress.
 */
bool hwpoison_settle_records(void)
{
	return settle_records(true);
}
EXPORT_SYMBOL_GPL(hwpoison_settle_records);

/**
 * hwpoison_settle_locked() - hwpoison_settle_pending() without waiting
 *
 * For where a lock is held that memory_failure() may have to wait for, such as
 * the mmap_lock, or what is taken under that. A clean page is dropped; all else is
 * up to the worker, and a retry is not worth it.
 *
 * Context: process context, may sleep. Locks may be held, but none that reclaim
 * takes; no folio may be locked.
 * Return: false if a retry could not make progress.
 */
bool hwpoison_settle_locked(void)
{
	might_drop();

	return !hwpoison_maybe_pending() || settle_records(false);
}

static bool copy_again(bool wait)
{
	u64 met = this_task_met;

	if (!(met & MET_COPY))
		return false;
	met_is_over();

	return settle(met_pfn(met), HWPOISON_BY_TASK, met & MET_AGAIN, wait);
}

/**
 * hwpoison_copy_again() - is it worth while to repeat a fault?
 *
 * It ended with VM_FAULT_HWPOISON. That is for good where memory is lost; but a
 * page that could not be copied now, in order to be written to, may be one that
 * can be read again.
 *
 * Context: process context, may sleep; as hwpoison_settle(), without the
 * mmap_lock.
 * Return: true if the current task met poison in a copy, and its page is settled.
 */
bool hwpoison_copy_again(void)
{
	return copy_again(true);
}

/**
 * hwpoison_copy_again_locked() - hwpoison_copy_again() with the mmap_lock held
 *
 * Which memory_failure() may want: what can be dropped is, and nobody is waited
 * for.
 *
 * Context: process context, may sleep; no lock of a page table or folio held.
 * Return: as hwpoison_copy_again().
 */
bool hwpoison_copy_again_locked(void)
{
	return copy_again(false);
}

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
 * @pfn:	set to the bad page of @folio that this task met last
 *
 * The caller must then drop its references and call hwpoison_settle().
 *
 * Context: process context, of the task that met the poison.
 * Return: true if this task met poison in @folio and has not settled it.
 */
bool hwpoison_claim(struct folio *folio, unsigned long *pfn)
{
	unsigned long first = folio_pfn(folio);
	u64 met = this_task_met;

	if ((met & (MET_PENDING | MET_UNKNOWN)) != MET_PENDING ||
	    met_pfn(met) < first ||
	    met_pfn(met) >= first + folio_nr_pages(folio))
		return false;

	*pfn = met_pfn(met);
	met_is_over();

	return true;
}

/**
 * hwpoison_met() - has this task met poison since it entered the kernel?
 *
 * Context: any, #MC included.
 * Return: true if so, whether or not that is settled.
 */
bool hwpoison_met(void)
{
	return this_task_met;
}

/* In the points that a machine check counts for, see mce_is_slow() */
#define MET_OFTEN		(16 * 1024)

/**
 * hwpoison_met_often() - has this task met much poison since it entered the kernel?
 *
 * Pages that could be settled do not count.
 *
 * Context: any.
 * Return: true if so.
 */
bool hwpoison_met_often(void)
{
	return this_task_count > MET_OFTEN;
}

/**
 * hwpoison_settled() - was this page settled, and met once more?
 * @pfn:	number of the page that is met now
 *
 * Then it could not be unmapped, and there is no point in another try.
 *
 * Context: any, #MC included.
 * Return: true if it is the last that this task has settled since it entered
 * the kernel.
 */
bool hwpoison_settled(unsigned long pfn)
{
	u64 met = this_task_met;

	return met & ~MET_FLAGS && !(met & (MET_PENDING | MET_COPY)) &&
	       met_pfn(met) == pfn;
}
