// SPDX-License-Identifier: GPL-2.0
/* Whatever the library does not deal with is as if it were not there. */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "test.h"

static unsigned char *end;
static volatile int calls, others;
static siginfo_t seen;
static sigset_t seen_mask;
static sigjmp_buf env;

static void setup(void)
{
	end = truncated(2, 1, NULL) + PAGE;
}

static void load_it(void *p)
{
	touch(p);
}

/* A process may send itself what the kernel sends. */
static void send_to_self(int code, void *addr)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGBUS;
	info.si_code = code;
	info.si_addr = addr;
	info.si_addr_lsb = 12;
	EQ(0, syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info));
}

static void catch(void (*fn)(int, siginfo_t *, void *), int flags, int also_blocked)
{
	struct sigaction act = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigemptyset(&act.sa_mask);
	if (also_blocked)
		sigaddset(&act.sa_mask, also_blocked);
	EQ(0, sigaction(SIGBUS, &act, NULL));
}

static void jump(int sig, siginfo_t *info, void *uc)
{
	calls++;
	seen = *info;
	sigprocmask(SIG_SETMASK, NULL, &seen_mask);
	siglongjmp(env, 1);
}

static void count(int sig, siginfo_t *info, void *uc)
{
	seen = *info;
	sigprocmask(SIG_SETMASK, NULL, &seen_mask);
	SET(calls, GET(calls) + 1);
}

static int mend(const struct mc_fault *f, void *arg)
{
	others++;
	if (mmap(f->start, f->len, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS,
		 -1, 0) != f->start)
		return MC_PASS;
	return MC_RETRY;
}

/*
 * Of a child that ends by SIGBUS: what the kernel says when it does, and where
 * the thread stood. With the library and without, it has to be the same.
 */
struct death {
	siginfo_t info;
	unsigned long ip;
	int status;
	pid_t pid;
};

static void watch(void (*fn)(void), bool with, struct death *d)
{
	struct user_regs_struct regs;
	int status;
	pid_t pid;

	memset(d, 0, sizeof(*d));
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		if (with)
			EQ(0, mc_init(0));
		raise(SIGSTOP);
		fn();
		_exit(0);
	}
	EQ(pid, waitpid(pid, &status, 0));
	EQ(0, ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACECLONE));
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	for (;;) {
		pid_t tid = waitpid(-1, &status, __WALL);
		int sig = WSTOPSIG(status);

		CHECK(tid > 0);
		if (!WIFSTOPPED(status)) {
			if (tid == pid)
				break;
			continue;
		}
		if (sig == SIGBUS) {
			EQ(0, ptrace(PTRACE_GETSIGINFO, tid, NULL, &d->info));
			EQ(0, ptrace(PTRACE_GETREGS, tid, NULL, &regs));
			d->ip = regs.rip;
		}
		ptrace(PTRACE_CONT, tid, NULL,
		       (void *)(long)(sig == SIGSTOP || sig == SIGTRAP ? 0 : sig));
	}
	d->status = status;
	d->pid = pid;
}

static void same_death(void (*fn)(void))
{
	struct death with, without;

	watch(fn, true, &with);
	watch(fn, false, &without);
	EQ(without.status, with.status);
	EQ(SIGBUS, WIFSIGNALED(with.status) ? WTERMSIG(with.status) : 0);
	EQ(without.info.si_code, with.info.si_code);
	EQ(without.info.si_errno, with.info.si_errno);
	if (with.info.si_code > 0) {
		EQ((uintptr_t)without.info.si_addr, (uintptr_t)with.info.si_addr);
		EQ(without.info.si_addr_lsb, with.info.si_addr_lsb);
	} else {
		EQ(without.info.si_uid, with.info.si_uid);
		EQ(without.pid, without.info.si_pid);
		EQ(with.pid, with.info.si_pid);
	}
	if (without.info.si_code == BUS_ADRERR)
		EQ(without.ip, with.ip);
}

static void die_of_truncation(void)
{
	touch(end + 77);
}

static void die_of_kill(void)
{
	kill(getpid(), SIGBUS);
}

static void die_of_tgkill(void)
{
	raise(SIGBUS);
}

static void die_of_queue(void)
{
	union sigval val = { .sival_int = 7 };

	sigqueue(getpid(), SIGBUS, val);
}

static void die_of_ar(void)
{
	send_to_self(BUS_MCEERR_AR, end);
}

static void die_of_ao(void)
{
	send_to_self(BUS_MCEERR_AO, end);
}

static void die_of_alignment(void)
{
	send_to_self(BUS_ADRALN, end);
}

static void *die_thread(void *arg)
{
	touch(end);
	return NULL;
}

static void die_in_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, die_thread, NULL);
	pthread_join(t, NULL);
}

static void die_with_signal_blocked(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	touch(end);
}

static void die_with_signal_ignored(void)
{
	struct sigaction act = { .sa_handler = SIG_IGN };

	mc_sigaction(&act, NULL);
	touch(end);
}

static void die_in_sigsuspend(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGBUS);
	sigemptyset(&set);
	sigsuspend(&set);
}

/* A handler that is good for one signal. */
static void die_at_second(void)
{
	struct sigaction act = { .sa_sigaction = count, .sa_flags = SA_SIGINFO | SA_RESETHAND };

	mc_sigaction(&act, NULL);
	raise(SIGBUS);
	CHECK(calls == 1);
	raise(SIGBUS);
}

TEST(same_death)
{
	static void (*const deaths[])(void) = {
		die_of_truncation, die_of_kill, die_of_tgkill, die_of_queue, die_of_ar, die_of_ao,
		die_of_alignment, die_in_thread, die_with_signal_blocked, die_with_signal_ignored,
		die_in_sigsuspend, die_at_second,
	};
	unsigned int i;

	setup();
	for (i = 0; i < ARRAY_SIZE(deaths); i++) {
		printf("# death %u\n", i);
		same_death(deaths[i]);
	}
}

/* Who was there before has what is left, with his mask and on his terms. */
TEST(previous_handler)
{
	setup();
	catch(jump, 0, SIGUSR2);
	EQ(0, mc_init(0));
	EQ(MC_TRUNCATED, mc_call(load_it, end, NULL));
	EQ(0, calls);
	if (!sigsetjmp(env, 1)) {
		touch(end + 5);
		CHECK(false);
	}
	EQ(1, calls);
	EQ(BUS_ADRERR, seen.si_code);
	EQ((uintptr_t)end + 5, (uintptr_t)seen.si_addr);
	EQ(1, sigismember(&seen_mask, SIGBUS));
	EQ(1, sigismember(&seen_mask, SIGUSR2));
	EQ(0, sigismember(&seen_mask, SIGUSR1));
	/* He has jumped away, and we have not lost count. */
	if (!sigsetjmp(env, 1)) {
		touch(end + 6);
		CHECK(false);
	}
	EQ(2, calls);
	EQ(0, mc_region_add(end, PAGE, mend, NULL));
	EQ(0, touch(end));
	EQ(1, others);
	EQ(0, mc_region_remove(end, PAGE));
}

TEST(previous_handler_nodefer)
{
	setup();
	catch(jump, SA_NODEFER, 0);
	EQ(0, mc_init(0));
	if (!sigsetjmp(env, 1))
		touch(end);
	EQ(1, calls);
	EQ(0, sigismember(&seen_mask, SIGBUS));
}

/* Without SA_SIGINFO */
static void plain(int sig)
{
	calls += sig;
}

TEST(previous_plain_handler)
{
	struct sigaction act = { .sa_handler = plain };

	sigaction(SIGBUS, &act, NULL);
	EQ(0, mc_init(0));
	raise(SIGBUS);
	EQ(SIGBUS, calls);
	EQ(-EINVAL, mc_init(1));
	EQ(0, mc_exit());
	EQ(0, sigaction(SIGBUS, NULL, &act));
	CHECK(act.sa_handler == plain);
	EQ(-EINVAL, mc_exit());
}

TEST(previous_ignores)
{
	struct sigaction act = { .sa_handler = SIG_IGN };

	setup();
	sigaction(SIGBUS, &act, NULL);
	EQ(0, mc_init(0));
	raise(SIGBUS);
	send_to_self(BUS_MCEERR_AO, end);
	EQ(MC_TRUNCATED, mc_call(load_it, end, NULL));
}

/* sigaction(2) for those who come later. */
TEST(later_handler)
{
	struct sigaction act = { .sa_sigaction = count, .sa_flags = SA_SIGINFO }, old;

	setup();
	EQ(0, mc_sigaction(NULL, &old));
	CHECK(old.sa_handler == SIG_DFL);
	EQ(0, mc_init(0));
	EQ(0, mc_sigaction(&act, &old));
	CHECK(old.sa_handler == SIG_DFL);
	raise(SIGBUS);
	EQ(1, calls);
	EQ(SI_TKILL, seen.si_code);
	EQ(MC_TRUNCATED, mc_call(load_it, end, NULL));
	EQ(0, mc_sigaction(NULL, &old));
	CHECK(old.sa_sigaction == count);
	EQ(1, calls);
	EQ(0, mc_exit());
	EQ(0, sigaction(SIGBUS, NULL, &old));
	CHECK(old.sa_sigaction == count);
}

/* One who does not go through us, takes the signal and passes on to us. */
static struct sigaction theirs;

static void taker(int sig, siginfo_t *info, void *uc)
{
	others++;
	theirs.sa_sigaction(sig, info, uc);
}

TEST(taken_and_passed_on)
{
	struct sigaction act = { .sa_sigaction = taker, .sa_flags = SA_SIGINFO };

	setup();
	catch(count, 0, 0);
	EQ(0, mc_init(0));
	sigaction(SIGBUS, &act, &theirs);
	EQ(MC_TRUNCATED, mc_call(load_it, end, NULL));
	EQ(1, others);
	raise(SIGBUS);
	EQ(2, others);
	EQ(1, calls);
	/* In front of him again: he is asked, asks us, and we ask who was before. */
	EQ(0, mc_init(0));
	EQ(MC_TRUNCATED, mc_call(load_it, end, NULL));
	EQ(2, others);
	raise(SIGBUS);
	EQ(3, others);
	EQ(2, calls);
	raise(SIGBUS);
	EQ(4, others);
	EQ(3, calls);
	EQ(0, mc_exit());
	EQ(0, mc_exit());
}

TEST_ENDS_BY(SIGBUS, taken_and_nobody_before)
{
	struct sigaction act = { .sa_sigaction = taker, .sa_flags = SA_SIGINFO };

	EQ(0, mc_init(0));
	sigaction(SIGBUS, &act, &theirs);
	EQ(0, mc_init(0));
	raise(SIGBUS);
}

TEST(exit_while_taken)
{
	struct sigaction act = { .sa_sigaction = taker, .sa_flags = SA_SIGINFO };

	setup();
	EQ(0, mc_init(0));
	sigaction(SIGBUS, &act, &theirs);
	EQ(-EBUSY, mc_exit());
	EQ(MC_TRUNCATED, mc_call(load_it, end, NULL));
	EQ(1, others);
}

TEST(init_and_exit)
{
	struct sigaction now;
	int i;

	setup();
	for (i = 0; i < 1000; i++) {
		EQ(0, mc_init(0));
		EQ(0, mc_init(0));
		EQ(0, mc_exit());
		EQ(MC_TRUNCATED, mc_call(load_it, end, NULL));
		EQ(0, mc_exit());
		EQ(0, sigaction(SIGBUS, NULL, &now));
		CHECK(now.sa_handler == SIG_DFL);
	}
}

/* One's own handler that asks the library. */
static void asks(int sig, siginfo_t *info, void *uc)
{
	others++;
	if (!mc_handle(info, uc))
		jump(sig, info, uc);
}

TEST(own_handler)
{
	unsigned char buf[64];

	setup();
	catch(asks, 0, 0);
	EQ(40, mc_memcpy(buf, end - 24, 64));
	EQ(MC_TRUNCATED, mc_call(load_it, end, NULL));
	EQ(2, others);
	if (!sigsetjmp(env, 1))
		touch(end);
	EQ(1, calls);
	if (!sigsetjmp(env, 1))
		raise(SIGBUS);
	EQ(2, calls);
}

/* A signal that is blocked and sent stays for sigwait(). */
TEST(sent_and_blocked)
{
	siginfo_t info;
	sigset_t set;

	EQ(0, mc_init(0));
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGBUS);
	EQ(SIGBUS, sigwaitinfo(&set, &info));
	EQ(SI_USER, info.si_code);
}

/* Advice: to the region, to who wants all of it, or to who was there before. */
static int advised(const struct mc_fault *f, void *arg)
{
	others++;
	EQ(MC_ADVICE, f->kind);
	EQ(BUS_MCEERR_AO, f->code);
	EQ((uintptr_t)end, (uintptr_t)f->start);
	EQ(PAGE, f->len);
	return *(int *)arg;
}

static int counted(const struct mc_fault *f, void *arg)
{
	EQ(MC_ADVICE, f->kind);
	calls++;
	return MC_RETRY;
}

TEST(advice)
{
	int what = MC_RETRY;

	setup();
	EQ(0, mc_init(0));
	EQ(0, mc_advice(counted, NULL));
	send_to_self(BUS_MCEERR_AO, end);
	EQ(1, calls);
	EQ(0, mc_region_add(end, 64, advised, &what));
	send_to_self(BUS_MCEERR_AO, end);
	EQ(1, others);
	EQ(1, calls);
	what = MC_PASS;
	send_to_self(BUS_MCEERR_AO, end);
	EQ(2, others);
	EQ(2, calls);
	/* Nothing to be given up for it. */
	what = MC_UNWIND;
	if (sigsetjmp(env, 1))
		CHECK(false);
	send_to_self(BUS_MCEERR_AO, end);
	EQ(3, others);
	EQ(2, calls);
	EQ(0, mc_advice(NULL, NULL));
	EQ(0, mc_region_remove(end, 64));
}

/* Not a block either: nothing was touched. */
TEST_ENDS_BY(SIGBUS, advice_for_nobody)
{
	struct mc_block b;

	setup();
	EQ(0, mc_init(0));
	if (!mc_try(&b))
		_exit(0);
	send_to_self(BUS_MCEERR_AO, end);
}

/* System calls are as interruptible as they were. */
struct kick {
	pthread_t thread;
	pid_t tid;
	int fd;
};

static bool sleeps(pid_t tid)
{
	char path[64], text[256], *name_end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	CHECK(f && fgets(text, sizeof(text), f));
	fclose(f);
	name_end = strrchr(text, ')');
	return name_end && name_end[2] == 'S';
}

static void *kicker(void *arg)
{
	struct kick *k = arg;

	while (!sleeps(k->tid))
		usleep(1000);
	pthread_kill(k->thread, SIGBUS);
	while (!GET(calls))
		usleep(1000);
	usleep(50000);
	EQ(1, write(k->fd, "x", 1));
	return NULL;
}

static void interrupted(int flags, ssize_t want)
{
	struct kick k = { pthread_self(), gettid(), -1 };
	pthread_t t;
	int fds[2];
	char c;

	catch(count, flags, 0);
	EQ(0, mc_init(0));
	EQ(0, pipe(fds));
	k.fd = fds[1];
	pthread_create(&t, NULL, kicker, &k);
	EQ(want, read(fds[0], &c, 1));
	EQ(1, calls);
	pthread_join(t, NULL);
}

TEST(restart)
{
	interrupted(SA_RESTART, 1);
}

TEST(no_restart)
{
	interrupted(0, -1);
	EQ(EINTR, errno);
}

/* errno survives. */
TEST(errno_is_kept)
{
	setup();
	EQ(0, mc_init(0));
	EQ(0, mc_region_add(end, PAGE, mend, NULL));
	errno = 4711;
	touch(end);
	/* As far as the compiler knows, touch() cannot change it. */
	__asm__ volatile("" : : : "memory");
	EQ(4711, errno);
}
