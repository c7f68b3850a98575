// SPDX-License-Identifier: GPL-2.0
/*
 * libmc: the handler of SIGBUS, and what it does in which order.
 *
 * A fault is a SIGBUS that the kernel sent because of a page: BUS_ADRERR,
 * BUS_MCEERR_AR, BUS_MCEERR_AO. It goes
 *
 *	1. to the callbacks of the regions that it is in, which may mend it;
 *	2. if the instruction is in an exception table, to its landing pad;
 *	3. to the end of the innermost block of this thread;
 *	4. to whoever handled SIGBUS before.
 *
 * Everything else that is SIGBUS goes to 4. right away. Where nobody handled it
 * before, the signal is put back into the queue as it was, with the default
 * action: the kernel does the rest, as if nobody had ever caught it.
 *
 * In the handler there is no lock and no memory to be allocated, and what it
 * calls is a system call or ours.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/arch.h"
#include "internal.h"

/* Old headers of libc do not have them. */
#ifndef BUS_MCEERR_AR
#define BUS_MCEERR_AR	4
#endif
#ifndef BUS_MCEERR_AO
#define BUS_MCEERR_AO	5
#endif
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ	51
#endif

_Static_assert(sizeof(sigjmp_buf) <= sizeof(((struct mc_block *)0)->env),
	       "struct mc_block has no room for this libc's sigjmp_buf");
_Static_assert(sizeof(struct mc_entry) == 16, "the layout of a table is for ever");

/* A callback whose own accesses fault again and again is let go after so many. */
#define MAX_NESTED	8

/**
 * struct previous - a handler that was there before ours
 * @action: it
 * @older: the one that was there before, if ours was put in front more than once
 * @spent: it was good for one signal (SA_RESETHAND)
 */
struct previous {
	struct sigaction action;
	struct previous *older;
	bool spent;
};

/* Handlers read both as they read ranges, see ranges.c. */
static struct previous *previous;
static struct mc_node *advice;

static unsigned int users;

/* What a thread has: the blocks that it is in, and the last fault. */
static MC_TLS struct mc_block *block;
static MC_TLS struct mc_fault last;
static MC_TLS unsigned int nested;

/* What is being passed on, from which frame, and by how many of us before. */
static MC_TLS const void *passing;
static MC_TLS uintptr_t passing_frame;
static MC_TLS unsigned int passed;

static bool describe(const siginfo_t *info, const ucontext_t *uc, struct mc_fault *f)
{
	memset(f, 0, sizeof(*f));
	if (info->si_signo != SIGBUS)
		return false;
	f->len = MC_PAGE;
	switch (info->si_code) {
	case BUS_ADRERR:
		f->kind = MC_TRUNCATED;
		break;
	case BUS_MCEERR_AR:
	case BUS_MCEERR_AO:
		f->kind = info->si_code == BUS_MCEERR_AR ? MC_ERROR : MC_ADVICE;
		if (info->si_addr_lsb > 0 && info->si_addr_lsb < 48 &&
		    1UL << info->si_addr_lsb > f->len)
			f->len = 1UL << info->si_addr_lsb;
		break;
	default:
		return false;
	}
	f->code = info->si_code;
	f->addr = info->si_addr;
	f->start = (void *)((uintptr_t)info->si_addr & ~(f->len - 1));
	f->ip = (void *)mc_arch_ip(uc);
	return true;
}

/* A callback cannot be given up for the sake of a block around it. */
static enum mc_action ask(const struct mc_node *node, const struct mc_fault *f)
{
	struct mc_block *outer = block;
	int action;

	block = NULL;
	action = node->fn(f, node->arg);
	block = outer;
	return action == MC_RETRY || action == MC_UNWIND ? action : MC_PASS;
}

/*
 * The region that has the address comes first, then all others that have lost
 * something: the address may be only that of the page.
 */
static enum mc_action ask_regions(const struct mc_fault *f)
{
	uintptr_t addr = (uintptr_t)f->addr, start = (uintptr_t)f->start;
	enum mc_action action = MC_PASS;
	struct mc_node *at, *node;
	bool asked = false;

	at = mc_ranges_first(&mc_regions, addr, addr + 1);
	if (at) {
		action = ask(at, f);
		asked = true;
	}
	for (node = mc_ranges_first(&mc_regions, start, start + f->len);
	     action == MC_PASS && node && node->start < start + f->len;
	     node = mc_ranges_next(node)) {
		if (node == at)
			continue;
		action = ask(node, f);
		asked = true;
	}
	if (f->kind == MC_ADVICE) {
		node = __atomic_load_n(&advice, __ATOMIC_SEQ_CST);
		return action == MC_PASS && node ? ask(node, f) : action;
	}
	return asked ? action : MC_UNWIND;
}

static void leave_for(void *arg)
{
	struct mc_block *b = arg;

	siglongjmp(*(sigjmp_buf *)b->env, 1);
}

/*
 * The end of a block is reached from where the fault was, so that the handler is
 * left as handlers are left, and everybody who watches jumps sees an ordinary
 * one. If the stack is what is lost, nothing can be called there.
 */
static void give_up(struct mc_block *b, const struct mc_fault *f, ucontext_t *uc)
{
	uintptr_t sp = mc_arch_stack(uc), start = (uintptr_t)f->start;

	block = b->outer;
	b->fault = *f;
	last = *f;
	if (sp > start && sp - 2 * MC_PAGE < start + f->len) {
		pthread_sigmask(SIG_SETMASK, &uc->uc_sigmask, NULL);
		leave_for(b);
	}
	mc_arch_call(uc, leave_for, b);
}

static void land(const struct mc_range *range, const struct mc_fault *f, ucontext_t *uc)
{
	unsigned int kind = range->how & 0xff, addr = range->how >> 8;

	last = *f;
	if (kind)
		mc_arch_set(uc, kind - 1, (uintptr_t)f->kind);
	if (addr)
		mc_arch_set(uc, addr - 1, (uintptr_t)f->addr);
	mc_arch_goto(uc, range->landing);
}

/**
 * mc_handle() - Deal with a fault, for programs that keep their own handler
 * @siginfo: the second argument of the handler
 * @context: the third
 *
 * May be called in a handler of SIGBUS that was installed with SA_SIGINFO, and
 * nowhere else. Async-signal-safe.
 *
 * Return: 1 if it was dealt with, and the handler has to return; 0 if not.
 */
int mc_handle(const void *siginfo, void *context)
{
	ucontext_t *uc = context;
	struct mc_range range;
	enum mc_action action;
	struct mc_fault f;
	bool found = false;
	unsigned int side;

	if (!describe(siginfo, uc, &f) || nested >= MAX_NESTED)
		return 0;
	nested++;
	side = mc_read_lock();
	action = ask_regions(&f);
	if (action == MC_UNWIND && f.kind != MC_ADVICE)
		found = mc_table_find((uintptr_t)f.ip, &range);
	mc_read_unlock(side);
	nested--;

	if (f.kind == MC_ADVICE || action != MC_UNWIND)
		return action != MC_PASS;
	if (found)
		land(&range, &f, uc);
	else if (block)
		give_up(block, &f, uc);
	else
		return 0;
	return 1;
}

/* Would the kernel take no for an answer? A fault cannot be ignored. */
static bool can_be_ignored(const siginfo_t *info)
{
	return info->si_code <= 0 || info->si_code == BUS_MCEERR_AO;
}

/*
 * Nobody wants it. Put it back into the queue as it was, and let go of it: when
 * the handler returns, the kernel takes the default action where the fault was,
 * with the code, the address or the sender that it had. What a process may send
 * to itself includes codes of the kernel.
 */
static void default_action(siginfo_t *info, ucontext_t *uc)
{
	struct sigaction dfl;
	sigset_t all;

	memset(&dfl, 0, sizeof(dfl));
	dfl.sa_handler = SIG_DFL;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	sigaction(SIGBUS, &dfl, NULL);
	sigdelset(&uc->uc_sigmask, SIGBUS);
	if (!syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGBUS, info))
		return;
	/* Forbidden (seccomp). A fault comes again by itself, what was sent does not. */
	if (can_be_ignored(info))
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGBUS);
}

static void call(const struct sigaction *act, int sig, siginfo_t *info, ucontext_t *uc)
{
	sigset_t mask = act->sa_mask, before;
	int i;

	for (i = 1; i < NSIG; i++)
		if (sigismember(&uc->uc_sigmask, i) == 1)
			sigaddset(&mask, i);
	if (!(act->sa_flags & SA_NODEFER))
		sigaddset(&mask, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &mask, &before);
	if (act->sa_flags & SA_SIGINFO)
		act->sa_sigaction(sig, info, uc);
	else
		act->sa_handler(sig);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/*
 * What was there before may have been told to pass on to us, if we were put in
 * front of it again: then it is the turn of what was there before it. The frame
 * tells that from a new signal at the old place, after somebody jumped out of the
 * one before.
 */
static void pass_on(int sig, siginfo_t *info, void *context)
{
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	const void *outer = passing;
	uintptr_t outer_frame = passing_frame;
	unsigned int outer_passed = passed, side, i;
	bool again = passing == info && frame < passing_frame;
	struct sigaction act;
	struct previous *p;

	memset(&act, 0, sizeof(act));
	act.sa_handler = SIG_DFL;
	passed = again ? passed + 1 : 0;
	passing = info;
	passing_frame = frame;

	side = mc_read_lock();
	p = __atomic_load_n(&previous, __ATOMIC_SEQ_CST);
	for (i = 0; p && i < passed; i++)
		p = p->older;
	if (p && !((p->action.sa_flags & (int)SA_RESETHAND) &&
		   __atomic_exchange_n(&p->spent, true, __ATOMIC_SEQ_CST)))
		act = p->action;
	mc_read_unlock(side);

	if (act.sa_handler == SIG_DFL ||
	    (act.sa_handler == SIG_IGN && !can_be_ignored(info)))
		default_action(info, context);
	else if (act.sa_handler != SIG_IGN)
		call(&act, sig, info, context);

	passing = outer;
	passing_frame = outer_frame;
	passed = outer_passed;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	int err = errno, dealt_with;

	dealt_with = mc_handle(info, context);
	errno = err;
	if (!dealt_with)
		pass_on(sig, info, context);
}

static bool is_ours(const struct sigaction *act)
{
	return (act->sa_flags & SA_SIGINFO) && act->sa_sigaction == on_sigbus;
}

/*
 * While the handler runs, only faults come through; they may be those of a
 * callback. System calls go on as they would without it.
 */
static void install(const struct sigaction *behind, struct sigaction *then)
{
	static const int open[] = { SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT };
	struct sigaction act;
	unsigned int i;

	memset(&act, 0, sizeof(act));
	act.sa_sigaction = on_sigbus;
	act.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
	if (behind->sa_handler != SIG_DFL && behind->sa_handler != SIG_IGN &&
	    !(behind->sa_flags & SA_RESTART))
		act.sa_flags &= ~SA_RESTART;
	sigfillset(&act.sa_mask);
	for (i = 0; i < ARRAY_SIZE(open); i++)
		sigdelset(&act.sa_mask, open[i]);
	sigaction(SIGBUS, &act, then);
}

static bool same_action(const struct sigaction *a, const struct sigaction *b)
{
	return a->sa_handler == b->sa_handler && a->sa_flags == b->sa_flags &&
	       !memcmp(&a->sa_mask, &b->sa_mask, sizeof(a->sa_mask));
}

/* What it would do now */
static struct sigaction action_of(const struct previous *p)
{
	static const struct sigaction dfl = { .sa_handler = SIG_DFL };

	return p->spent ? dfl : p->action;
}

/* Put another handler behind ours; returns what to free, when handlers are gone. */
static struct previous *replace(struct previous *p, const struct sigaction *act)
{
	struct previous *old = previous;

	p->action = *act;
	p->older = old ? old->older : NULL;
	__atomic_store_n(&previous, p, __ATOMIC_SEQ_CST);
	return old;
}

/**
 * mc_init() - Catch SIGBUS
 * @flags: 0
 *
 * Whoever handled it before does so for all that the library does not. Called
 * again, it is only counted; if somebody has taken SIGBUS away meanwhile, it is
 * taken back, and he is behind us. Thread-safe.
 *
 * Return: 0; -EINVAL for unknown flags; -ENOMEM; -EDEADLK in a callback.
 */
int mc_init(unsigned int flags)
{
	struct previous *p, *spare, *old = NULL;
	struct sigaction now, then;
	struct mc_lock lock;

	if (flags)
		return -EINVAL;
	if (mc_reading())
		return -EDEADLK;
	p = calloc(1, sizeof(*p));
	spare = calloc(1, sizeof(*spare));
	if (!p || !spare) {
		free(p);
		free(spare);
		return -ENOMEM;
	}
	mc_lock(&lock);
	users++;
	sigaction(SIGBUS, NULL, &now);
	if (!is_ours(&now)) {
		if (!previous || !same_action(&previous->action, &now) || previous->spent) {
			p->action = now;
			p->older = previous;
			__atomic_store_n(&previous, p, __ATOMIC_SEQ_CST);
			p = NULL;
		}
		install(&now, &then);
		/* Somebody was faster. */
		if (!is_ours(&then) && !same_action(&then, &now)) {
			old = replace(spare, &then);
			spare = NULL;
		}
	}
	mc_unlock(&lock);
	free(p);
	free(spare);
	if (old) {
		mc_wait_for_handlers();
		free(old);
	}
	return 0;
}

/**
 * mc_exit() - Undo an mc_init()
 *
 * The last one gives SIGBUS back to whoever had it. Regions and tables stay.
 *
 * Return: 0; -EINVAL without an mc_init(); -EBUSY if somebody else has caught the
 * signal since: then it stays as it is, for he may pass on to us; -EDEADLK in a
 * callback.
 */
int mc_exit(void)
{
	struct sigaction now;
	struct mc_lock lock;
	int err;

	err = mc_lock(&lock);
	if (err)
		return err;
	if (!users) {
		err = -EINVAL;
	} else if (!--users) {
		sigaction(SIGBUS, NULL, &now);
		if (is_ours(&now)) {
			now = action_of(previous);
			sigaction(SIGBUS, &now, NULL);
		} else {
			err = -EBUSY;
		}
	}
	mc_unlock(&lock);
	return err;
}

/**
 * mc_sigaction() - sigaction(2) of SIGBUS for what comes behind the library
 * @act: what to do with what the library does not deal with, or NULL
 * @old: where to put what was done so far, or NULL
 *
 * Without an mc_init(), it is sigaction(SIGBUS, ...) itself. Thread-safe.
 *
 * Return: 0, or a negative errno value.
 */
int mc_sigaction(const struct sigaction *act, struct sigaction *old)
{
	struct previous *p = NULL, *gone = NULL;
	struct sigaction new, was, then;
	struct mc_lock lock;
	int err;

	if (mc_reading())
		return -EDEADLK;
	if (act) {
		new = *act;
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
	}
	memset(&was, 0, sizeof(was));
	mc_lock(&lock);
	if (!users || !previous) {
		err = sigaction(SIGBUS, act ? &new : NULL, &was) ? -errno : 0;
	} else {
		err = 0;
		was = action_of(previous);
		if (act) {
			gone = replace(p, &new);
			p = NULL;
			sigaction(SIGBUS, NULL, &then);
			if (is_ours(&then))
				install(&new, NULL);
		}
	}
	mc_unlock(&lock);
	free(p);
	if (gone) {
		mc_wait_for_handlers();
		free(gone);
	}
	if (!err && old)
		*old = was;
	return err;
}

/**
 * mc_region_add() - Have a function called for faults in a region
 * @start: first byte
 * @len: how many bytes
 * @fn: the function; it runs in the handler of SIGBUS
 * @arg: its second argument
 *
 * Not from a callback or another signal handler.
 *
 * Return: 0; -EINVAL for no function, no bytes, or more than there are; -EEXIST
 * if it overlaps another region; -ENOMEM; -EDEADLK in a callback.
 */
int mc_region_add(void *start, size_t len, mc_region_fn *fn, void *arg)
{
	uintptr_t first = (uintptr_t)start;
	struct mc_node *node;
	struct mc_lock lock;
	int err;

	if (!fn || !len || first + len < first)
		return -EINVAL;
	if (mc_reading())
		return -EDEADLK;
	node = mc_node_new(first, first + len);
	if (!node)
		return -ENOMEM;
	node->fn = fn;
	node->arg = arg;
	mc_lock(&lock);
	err = mc_ranges_add(&mc_regions, node);
	mc_unlock(&lock);
	if (err)
		free(node);
	return err;
}

/**
 * mc_region_remove() - Forget a region
 * @start: as it was added
 * @len: as it was added
 *
 * When it returns, its callback does not run in any thread, and will not. Not
 * from a callback or another signal handler.
 *
 * Return: 0, -ENOENT if there is no such region, -EDEADLK in a callback.
 */
int mc_region_remove(void *start, size_t len)
{
	uintptr_t first = (uintptr_t)start;
	struct mc_node *node;
	struct mc_lock lock;
	int err;

	err = mc_lock(&lock);
	if (err)
		return err;
	node = mc_ranges_first(&mc_regions, first, first + 1);
	if (node && node->start == first && node->end == first + len)
		mc_ranges_remove(&mc_regions, first);
	else
		node = NULL;
	mc_unlock(&lock);
	if (!node)
		return -ENOENT;
	mc_wait_for_handlers();
	free(node);
	return 0;
}

/**
 * mc_advice() - Have a function called for bad memory that nobody has touched
 * @fn: the function, or NULL for none
 * @arg: its second argument
 *
 * It is asked after the regions that the memory is in. A function that was there
 * before does not run any more when this returns.
 *
 * Return: 0; -ENOMEM; -EDEADLK in a callback.
 */
int mc_advice(mc_region_fn *fn, void *arg)
{
	struct mc_node *node = NULL;
	struct mc_lock lock;

	if (mc_reading())
		return -EDEADLK;
	if (fn) {
		node = mc_node_new(0, 0);
		if (!node)
			return -ENOMEM;
		node->fn = fn;
		node->arg = arg;
	}
	mc_lock(&lock);
	node = __atomic_exchange_n(&advice, node, __ATOMIC_SEQ_CST);
	mc_unlock(&lock);
	if (node) {
		mc_wait_for_handlers();
		free(node);
	}
	return 0;
}

/**
 * mc_enter() - The part of mc_try() that is a function
 * @b: the block, with its end
 *
 * Return: 1
 */
int mc_enter(struct mc_block *b)
{
	b->outer = block;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	block = b;
	return 1;
}

/**
 * mc_leave() - Leave a block, and those inside it that were not left
 * @b: the block
 */
void mc_leave(struct mc_block *b)
{
	block = b->outer;
}

/**
 * mc_call() - Call a function that may be given up
 * @fn: the function
 * @arg: its argument
 * @fault: where to put why it was given up, or NULL
 *
 * Return: 0 if it returned, or the kind of the fault.
 */
int mc_call(void (*fn)(void *arg), void *arg, struct mc_fault *fault)
{
	struct mc_block b;

	if (mc_try(&b)) {
		fn(arg);
		mc_leave(&b);
		return 0;
	}
	if (fault)
		*fault = b.fault;
	return b.fault.kind;
}

/**
 * mc_last() - The last fault of this thread that ended at a landing pad or a block
 * @fault: where to put it
 *
 * Return: 0, or -ENOENT if there was none.
 */
int mc_last(struct mc_fault *fault)
{
	if (!last.kind)
		return -ENOENT;
	*fault = last;
	return 0;
}

static pthread_key_t stack_key;
static pthread_once_t stack_once = PTHREAD_ONCE_INIT;
static size_t stack_size;
static int stack_error;

/* A thread ends; it may have got another stack since. */
static void free_stack(void *base)
{
	stack_t now;

	if (!sigaltstack(NULL, &now) && !(now.ss_flags & SS_DISABLE) &&
	    now.ss_sp == (char *)base + MC_PAGE) {
		now.ss_flags = SS_DISABLE;
		sigaltstack(&now, NULL);
	}
	munmap(base, stack_size + MC_PAGE);
}

static void prepare_stacks(void)
{
	/* A signal's frame holds all of the registers, and callbacks want to work. */
	stack_size = (getauxval(AT_MINSIGSTKSZ) + 65536 + MC_PAGE - 1) & ~(MC_PAGE - 1);
	stack_error = -pthread_key_create(&stack_key, free_stack);
}

/**
 * mc_thread_stack() - Give this thread a stack for its signals
 *
 * If it has one, nothing is done. It is freed when the thread ends.
 *
 * Return: 0, or a negative errno value.
 */
int mc_thread_stack(void)
{
	stack_t stack;
	char *base;
	int err;

	if (sigaltstack(NULL, &stack))
		return -errno;
	if (!(stack.ss_flags & SS_DISABLE))
		return 0;
	pthread_once(&stack_once, prepare_stacks);
	if (stack_error)
		return stack_error;
	base = mmap(NULL, stack_size + MC_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -errno;
	memset(&stack, 0, sizeof(stack));
	stack.ss_sp = base + MC_PAGE;
	stack.ss_size = stack_size;
	if (mprotect(base, MC_PAGE, PROT_NONE)) {
		err = -errno;
		goto unmap;
	}
	err = -pthread_setspecific(stack_key, base);
	if (err)
		goto unmap;
	if (sigaltstack(&stack, NULL)) {
		err = -errno;
		pthread_setspecific(stack_key, NULL);
		goto unmap;
	}
	return 0;
unmap:
	munmap(base, stack_size + MC_PAGE);
	return err;
}
