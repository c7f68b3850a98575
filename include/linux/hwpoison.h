/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Synchronous memory errors that the kernel met and survived.
 *
 * The exception handler records the page. Whoever was copying may settle it;
 * else task_work or a worker does.
 */
#ifndef _LINUX_HWPOISON_H
#define _LINUX_HWPOISON_H

#include <linux/atomic.h>
#include <linux/limits.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/types.h>

struct folio;
struct page;

/* The unit in which memory goes bad, for x86 see Intel SDM vol. 3 ch. 16.9.3 */
#define HWPOISON_LINE	64UL

/**
 * enum hwpoison_source - who met a memory error
 * @HWPOISON_BY_USER:	a program, with a load of its own
 * @HWPOISON_BY_TASK:	the kernel, in a system call or a kernel thread
 * @HWPOISON_BY_OTHER:	the kernel, in an interrupt or NMI
 * @HWPOISON_CLAIMED:	the kernel, for a caller that deals with it itself
 */
enum hwpoison_source {
	HWPOISON_BY_USER,
	HWPOISON_BY_TASK,
	HWPOISON_BY_OTHER,
	HWPOISON_CLAIMED,
	/* private: */
	NR_HWPOISON_SOURCES,
};

/**
 * enum hwpoison_outcome - what became of its page
 * @HWPOISON_OFFLINED:	nobody can touch it any more
 * @HWPOISON_KNOWN:	it was known to be bad before
 * @HWPOISON_FAILED:	it is still in service
 */
enum hwpoison_outcome {
	HWPOISON_OFFLINED,
	HWPOISON_KNOWN,
	HWPOISON_FAILED,
	/* private: */
	NR_HWPOISON_OUTCOMES,
};

#ifdef CONFIG_MEMORY_FAILURE

/* Loads that may fail */
size_t __must_check hwpoison_copy(void *to, const void *from, size_t len);
size_t __must_check hwpoison_copy_fromio(void *to,
					 const void __iomem *from,
					 size_t len);
bool __must_check hwpoison_probe(const void *addr, size_t len);

/* Records */
bool hwpoison_record(u64 addr, u8 lsb, unsigned long ip, bool by_task, bool returns);
void hwpoison_note(u64 addr, bool returns);
void hwpoison_leave(void);
void hwpoison_slow_down(void);
bool hwpoison_recorded(unsigned long pfn);
bool hwpoison_gone(unsigned long pfn);
bool hwpoison_known_bad(struct page *page);
bool hwpoison_known_bad_range(struct page *page, size_t offset, size_t len);
void hwpoison_wait_idle(unsigned long pfn);
bool hwpoison_unsettled(void);
bool hwpoison_met(void);
bool hwpoison_met_often(void);
bool hwpoison_met_somewhere(void);
bool hwpoison_settled(unsigned long pfn);
bool hwpoison_copy_again(void);
bool hwpoison_copy_again_locked(void);
size_t hwpoison_fault_in_readable(const char __user *uaddr, size_t size);
size_t hwpoison_good_bytes(const void *addr, size_t len);
bool hwpoison_claim(struct folio *folio, unsigned long *pfn);
bool hwpoison_settle(unsigned long pfn);
void hwpoison_settle_again(unsigned long pfn);
void hwpoison_settle_later(unsigned long pfn);
bool hwpoison_settle_locked(void);
void hwpoison_count(enum hwpoison_source source, enum hwpoison_outcome outcome);
void hwpoison_tell(unsigned long ip, u64 addr, enum hwpoison_source source,
		   int ret);

/* Internals of the inlines below */
extern atomic_t hwpoison_nr_records;
bool hwpoison_has_pending(void);
bool hwpoison_settle_records(void);
void hwpoison_keep_recorded(struct page *page, unsigned int order);

#ifdef CONFIG_LOCKDEP
void hwpoison_might_settle(void);
#else
static inline void hwpoison_might_settle(void)
{
}
#endif

/**
 * hwpoison_maybe_pending() - has any task met poison that nobody settled yet?
 *
 * For where a call of a function that returns is too much.
 *
 * Context: any.
 * Return: false if this task has met none, true if it may have.
 */
static inline bool hwpoison_maybe_pending(void)
{
	return unlikely(atomic_read(&hwpoison_nr_records));
}

/**
 * hwpoison_freeing() - a page is about to go to the allocator
 * @page:	the first page
 * @order:	how many
 *
 * Whoever gets a bad page next may be the kernel, or a program that
 * memory_failure() would kill. So one that was met is kept, although
 * memory_failure() has not come to it yet.
 *
 * Context: any. Quick as long as nobody on this machine has met poison.
 */
static inline void hwpoison_freeing(struct page *page, unsigned int order)
{
	if (hwpoison_maybe_pending())
		hwpoison_keep_recorded(page, order);
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
static inline bool hwpoison_pending(void)
{
	return hwpoison_maybe_pending() && hwpoison_has_pending();
}

/**
 * hwpoison_settle_pending() - settle what this task has met, before a retry
 *
 * Whoever faults in user memory in order to copy from it again calls this
 * first: a page that can be read again is then read again, and one that cannot
 * is no longer mapped, so that the retry succeeds or fails without another
 * #MC. Where a page could not be taken away, this says so and the retry must
 * not happen.
 *
 * Waits for nobody for longer than a moment, and takes no lock that reclaim
 * does not take.
 *
 * Context: process context, may sleep. Locks may be held, but none that reclaim
 * takes; no folio may be locked.
 * Return: false if the retry could not make progress.
 */
static inline bool hwpoison_settle_pending(void)
{
	hwpoison_might_settle();

	return !hwpoison_maybe_pending() || hwpoison_settle_records();
}

#else /* !CONFIG_MEMORY_FAILURE */

static inline size_t hwpoison_copy(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return 0;
}

static inline bool __must_check hwpoison_probe(const void *addr, size_t len)
{
	return true;
}

static inline bool hwpoison_record(u64 addr, u8 lsb, unsigned long ip,
				   bool by_task, bool returns)
{
	return false;
}

static inline void hwpoison_note(u64 addr, bool returns)
{
}

static inline void hwpoison_leave(void)
{
}

static inline void hwpoison_slow_down(void)
{
}

static inline bool hwpoison_gone(unsigned long pfn)
{
	return false;
}

static inline bool hwpoison_recorded(unsigned long pfn)
{
	return false;
}

static inline void hwpoison_freeing(struct page *page, unsigned int order)
{
}

static inline bool hwpoison_known_bad(struct page *page)
{
	return false;
}

static inline bool hwpoison_maybe_pending(void)
{
	return false;
}

static inline bool hwpoison_pending(void)
{
	return false;
}

static inline bool hwpoison_unsettled(void)
{
	return false;
}

static inline bool hwpoison_met(void)
{
	return false;
}

static inline bool hwpoison_met_often(void)
{
	return false;
}

static inline bool hwpoison_settled(unsigned long pfn)
{
	return false;
}

static inline bool hwpoison_copy_again(void)
{
	return false;
}

static inline bool hwpoison_copy_again_locked(void)
{
	return false;
}

static inline size_t hwpoison_fault_in_readable(const char __user *uaddr,
						size_t size)
{
	return size;
}

static inline size_t hwpoison_good_bytes(const void *addr, size_t len)
{
	return SIZE_MAX;
}

/* Nobody takes the page away, so there is no progress once one was met. */
static inline bool hwpoison_settle_pending(void)
{
#ifdef CONFIG_X86_MCE
	return !current->mce_count;
#else
	return true;
#endif
}

static inline bool hwpoison_settle_locked(void)
{
	return hwpoison_settle_pending();
}

static inline void hwpoison_tell(unsigned long ip, u64 addr,
				 enum hwpoison_source source, int ret)
{
}

#endif /* CONFIG_MEMORY_FAILURE */

/**
 * hwpoison_stop_batch() - is there no point in the rest of many requests?
 *
 * For between two requests of one system call: settles what the last one met.
 * One that failed is no reason not to do the others, but to meet a page that
 * stays again and again is.
 *
 * Context: as hwpoison_settle_pending().
 * Return: true if the task is killed, or keeps meeting what cannot be settled.
 */
static inline bool hwpoison_stop_batch(void)
{
	bool stays = !hwpoison_settle_pending();

	return hwpoison_maybe_pending() &&
	       ((stays && hwpoison_met_often()) || fatal_signal_pending(current));
}

/**
 * hwpoison_touched() - address for the SIGBUS of a load that the CPU reported
 * @addr:	where the page is mapped
 *
 * A guest's load does not say where its host has that memory. Then what is known is
 * where in the page the error is.
 *
 * Context: task_work of the task that made the load.
 * Return: the address that the load was for, if it is known; else @addr, and the
 * error's offset in the page as far as that is known.
 */
static inline unsigned long hwpoison_touched(unsigned long addr)
{
#ifdef CONFIG_X86_MCE
	unsigned long touched = (unsigned long)current->mce_vaddr;

	return touched < PAGE_SIZE ? addr + touched : touched;
#endif
	return addr;
}

#endif /* _LINUX_HWPOISON_H */
