// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that load, store, mprotect, fork, truncate, madvise, splice and exit
 * around bad lines, and a watchdog that tells who hangs where.
 *
 *	mce_stress SEED SECONDS DIR...
 *	mce_stress SEED SECONDS --no-poison DIR...
 *
 * A process with a few threads a CPU has files and anonymous memory mapped.
 * One of the threads poisons a line a time, and all of them go for that page.
 * The process ends every few seconds, with everything under way, and another one
 * takes over, until SECONDS have passed. MCE_SEED and MCE_SECONDS in the
 * environment are for the case of "make check".
 *
 * All the words of a page say which page of which file it is, for ever: a reader
 * gets that, or zero where something was cut, or an error. Anything else is a
 * failure, as are a complaint of the kernel and a thread that makes no progress
 * for HANG_SECONDS. What hangs is not waited for: the program says what it knows,
 * and ends.
 *
 * Nobody frees a page whose line was poisoned and not met yet: it would become
 * the kernel's. As soon as one thread has met it, all may.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif

#define MAX_FILES	4		/* and anonymous memory behind them */
#define NPAGES		32
#define LEN		(NPAGES * MCE_PAGE)
#define THREADS		12
#define HANG_SECONDS	30
/* The poison PC's log of what was consumed, in words. */
#define RECORDS		3
#define CAPACITY	4
#define LOG		256
#define RECORD		4

/* A place with pages: a file, or, without a name, anonymous memory. */
struct place {
	char path[PATH_MAX];
	int fd;
	__u8 *shared, *private;
};

/* What a thread does, for the watchdog. */
struct beat {
	unsigned long count;
	pid_t tid;
	const char *call;
	unsigned int place, page;
};

struct board {
	struct beat beat[THREADS];
	pid_t world;
	unsigned long ops, armed, met, errors, signals, retired;
	unsigned int worlds;
	bool wrong;
	char text[256];
	/* The page that was poisoned just now, plus one */
	unsigned int hot_place, hot_page;
};

static struct board *board;
static struct place places[MAX_FILES + 1];
static unsigned int nr_places;		/* the last one is anonymous */
/* Whoever arms comes first. */
static pthread_rwlock_t freeing = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static long nr_cpus;
static bool poison = true;

#define GET(x)		__atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define SET(x, val)	__atomic_store_n(&(x), val, __ATOMIC_SEQ_CST)
#define ADD(x, val)	__atomic_add_fetch(&(x), val, __ATOMIC_SEQ_CST)

static __thread __u64 dice_state;
static __thread sigjmp_buf env;
static __thread sig_atomic_t guarded;
static __thread struct beat *me;

static __u64 mix(__u64 x)
{
	x = (x ^ (x >> 31)) * 0x7fb5d329728ea185ULL;
	x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44dULL;
	return x ^ (x >> 33);
}

static unsigned int dice(unsigned int sides)
{
	dice_state += 0x9e3779b97f4a7c15ULL;
	return mix(dice_state) % sides;
}

static __u64 word_of(unsigned int place, unsigned int page)
{
	return mix(0x5000 + place * 1000 + page) | 1;
}

static void __printf(1, 2) wrong(const char *fmt, ...)
{
	va_list ap;

	if (__atomic_exchange_n(&board->wrong, true, __ATOMIC_SEQ_CST))
		return;
	va_start(ap, fmt);
	vsnprintf(board->text, sizeof(board->text), fmt, ap);
	va_end(ap);
}

/* A load may come while the word is written, byte by byte, where zeroes were. */
static bool could_be(__u64 got, __u64 word)
{
	__u64 mask;

	for (mask = 0xff; mask; mask <<= 8) {
		if (got & mask && (got ^ word) & mask)
			return false;
	}
	return true;
}

static void check(const char *what, unsigned int place, const void *data, off_t off, size_t len)
{
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		unsigned int page = (off + i) / MCE_PAGE;
		__u64 got;

		memcpy(&got, (const __u8 *)data + i, sizeof(got));
		if (!could_be(got, word_of(place, page))) {
			wrong("%s of place %u, page %u, byte %zu: %016llx, not %016llx", what,
			      place, page, (off + i) % MCE_PAGE, (unsigned long long)got,
			      (unsigned long long)word_of(place, page));
			return;
		}
	}
}

/* --- what may die of a signal ----------------------------------------------- */

static void on_signal(int sig, siginfo_t *si, void *ucontext)
{
	(void)ucontext;
	if (GET(guarded))
		siglongjmp(env, sig);
	/* For information. */
	if (sig == SIGBUS && si->si_code == BUS_MCEERR_AO)
		return;
	/* It would come again and again. */
	wrong("signal %d out of the blue, %s, address %p, in %s", sig, mce_codename(si->si_code),
	      si->si_addr, me && me->call ? me->call : "nothing");
	_exit(1);
}

static void catch_signals(void)
{
	struct sigaction act = { .sa_sigaction = on_signal };

	act.sa_flags = SA_SIGINFO;
	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
}

/* Returns the signal that a load or store got, or 0. */
static int access_page(unsigned int place, unsigned int page, __u8 *map, bool store, bool verify)
{
	__u64 *at = (__u64 *)(map + page * MCE_PAGE);
	__u64 got[MCE_PAGE / 8];
	unsigned int i;
	int sig;

	sig = sigsetjmp(env, 1);
	if (sig) {
		SET(guarded, 0);
		ADD(board->signals, 1);
		return sig;
	}
	SET(guarded, 1);
	if (store) {
		SET(at[mix(page) % (MCE_PAGE / 8)], word_of(place, page));
	} else {
		for (i = 0; i < MCE_PAGE / 8; i++)
			got[i] = GET(at[i]);
	}
	SET(guarded, 0);
	if (!store && verify)
		check("load", place, got, page * MCE_PAGE, MCE_PAGE);
	return 0;
}

/* --- jobs ------------------------------------------------------------------- */

static void page_of_words(void *buf, unsigned int place, unsigned int page)
{
	__u64 *words = buf;
	unsigned int i;

	for (i = 0; i < MCE_PAGE / 8; i++)
		words[i] = word_of(place, page);
}

static void job_pread(unsigned int place, unsigned int page)
{
	__u8 buf[3 * MCE_PAGE];
	size_t len = (1 + dice(3)) * MCE_PAGE;
	ssize_t ret;

	ret = pread(places[place].fd, buf, len, page * MCE_PAGE);
	if (ret > 0)
		check("pread", place, buf, page * MCE_PAGE, ret);
	else if (ret < 0)
		ADD(board->errors, 1);
}

/* A whole page: it is good again, if it was lost. */
static void job_pwrite(unsigned int place, unsigned int page)
{
	__u8 buf[MCE_PAGE];

	page_of_words(buf, place, page);
	if (pwrite(places[place].fd, buf, MCE_PAGE, page * MCE_PAGE) < 0)
		ADD(board->errors, 1);
}

static void job_splice(unsigned int place, unsigned int page)
{
	__u8 buf[4 * MCE_PAGE];
	off_t off = page * MCE_PAGE, at = off;
	int pipes[2];
	ssize_t ret;

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return;
	if (splice(places[place].fd, &off, pipes[1], NULL, sizeof(buf), 0) < 0)
		ADD(board->errors, 1);
	sched_yield();
	/* Where an error took a buffer's place, it is not known what comes next. */
	while ((ret = read(pipes[0], buf, sizeof(buf))) > 0) {
		check("splice", place, buf, at, ret);
		at += ret;
	}
	if (ret < 0 && errno != EAGAIN)
		ADD(board->errors, 1);
	close(pipes[0]);
	close(pipes[1]);
}

static void job_fork(unsigned int place, unsigned int page)
{
	unsigned int i;
	pid_t pid;

	/* Not while a page is chosen: see arm(). */
	pthread_rwlock_rdlock(&freeing);
	pid = fork();
	if (pid)
		pthread_rwlock_unlock(&freeing);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (i = 0; i < 4; i++) {
			access_page(place, (page + i) % NPAGES, places[place].private, false, true);
			access_page(place, (page + i) % NPAGES, places[place].shared, false, true);
		}
		/* A copy of the page is made. */
		access_page(place, page, places[place].private, true, false);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* So many bytes from @page on, within the place. */
static size_t some_len(unsigned int page)
{
	unsigned int n = 1 + dice(4);

	return (page + n > NPAGES ? NPAGES - page : n) * MCE_PAGE;
}

static void job_mprotect(unsigned int place, unsigned int page)
{
	__u8 *map = dice(2) ? places[place].shared : places[place].private;

	mprotect(map + page * MCE_PAGE, some_len(page), PROT_READ);
	sched_yield();
	mprotect(map, LEN, PROT_READ | PROT_WRITE);
}

/* Those that free pages stay away from one that nobody has met. */
static bool may_free(unsigned int place)
{
	pthread_rwlock_rdlock(&freeing);
	if (GET(board->hot_place) != place + 1)
		return true;
	pthread_rwlock_unlock(&freeing);
	return false;
}

static void job_truncate(unsigned int place, unsigned int page)
{
	unsigned int i;

	if (!may_free(place))
		return;
	if (dice(2)) {
		fallocate(places[place].fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  page * MCE_PAGE + dice(2) * 512, 2 * MCE_PAGE);
	} else {
		if (ftruncate(places[place].fd, page * MCE_PAGE + dice(2) * 1000))
			ADD(board->errors, 1);
		if (ftruncate(places[place].fd, LEN))
			ADD(board->errors, 1);
	}
	pthread_rwlock_unlock(&freeing);
	for (i = 0; i < 3 && page + i < NPAGES; i++)
		job_pwrite(place, page + i);
}

static void job_madvise(unsigned int place, unsigned int page)
{
	static const int advice[] = { MADV_DONTNEED, MADV_DONTNEED, MADV_PAGEOUT, MADV_COLD,
				      MADV_WILLNEED };
	__u8 *map = dice(2) ? places[place].shared : places[place].private;

	if (!may_free(place))
		return;
	madvise(map + page * MCE_PAGE, some_len(page), advice[dice(ARRAY_SIZE(advice))]);
	pthread_rwlock_unlock(&freeing);
}

static void job_remap(unsigned int place, unsigned int page)
{
	bool private = dice(2);
	__u8 *map = private ? places[place].private : places[place].shared;
	int flags = MAP_FIXED | (private ? MAP_PRIVATE : MAP_SHARED);

	(void)page;
	if (places[place].fd < 0 || !may_free(place))
		return;
	if (mmap(map, LEN, PROT_READ | PROT_WRITE, flags, places[place].fd, 0) != map)
		wrong("mmap: %s", strerror(errno));
	pthread_rwlock_unlock(&freeing);
}

static void job_sync(unsigned int place, unsigned int page)
{
	if (dice(2) ? fsync(places[place].fd) :
		      sync_file_range(places[place].fd, page * MCE_PAGE, MCE_PAGE, 7))
		ADD(board->errors, 1);
}

static void job_drop(unsigned int place, unsigned int page)
{
	(void)page;
	if (dice(10) || !may_free(place))
		return;
	/* Of all places. */
	if (!GET(board->hot_place))
		mce_put("/proc/sys/vm/drop_caches", "7");
	pthread_rwlock_unlock(&freeing);
}

static void job_load(unsigned int place, unsigned int page)
{
	access_page(place, page, places[place].shared, false, true);
}

static void job_load_private(unsigned int place, unsigned int page)
{
	access_page(place, page, places[place].private, false, true);
}

static void job_store(unsigned int place, unsigned int page)
{
	access_page(place, page, places[place].shared, true, false);
}

static void job_store_private(unsigned int place, unsigned int page)
{
	access_page(place, page, places[place].private, true, false);
}

static void *short_life(void *arg)
{
	unsigned long n = (unsigned long)arg;

	access_page(n / NPAGES, n % NPAGES, places[n / NPAGES].shared, false, true);
	return NULL;
}

static void job_thread(unsigned int place, unsigned int page)
{
	unsigned long n = place * NPAGES + page;
	pthread_t thread;

	if (!pthread_create(&thread, NULL, short_life, (void *)n))
		pthread_join(thread, NULL);
}

static const struct job {
	const char *name;
	void (*fn)(unsigned int place, unsigned int page);
	unsigned int weight;
	bool file;		/* not for anonymous memory */
} jobs[] = {
	{ "load", job_load, 20 },
	{ "load, private", job_load_private, 10 },
	{ "store", job_store, 8 },
	{ "store, private", job_store_private, 8 },
	{ "pread", job_pread, 16, true },
	{ "pwrite", job_pwrite, 10, true },
	{ "splice", job_splice, 8, true },
	{ "fork", job_fork, 4 },
	{ "mprotect", job_mprotect, 10 },
	{ "truncate", job_truncate, 4, true },
	{ "madvise", job_madvise, 8 },
	{ "mmap", job_remap, 3, true },
	{ "fsync", job_sync, 3, true },
	{ "drop_caches", job_drop, 1, true },
	{ "thread", job_thread, 3 },
};

/* --- threads ---------------------------------------------------------------- */

static void pin(unsigned int n)
{
	mce_pin(n % nr_cpus);
}

static void *worker(void *arg)
{
	unsigned int total = 0, n, i, place, page, hot;

	me = arg;
	dice_state = mix(dice_state + (me - board->beat) * 7919 + board->worlds * 104729);
	SET(me->tid, syscall(SYS_gettid));
	pin(me - board->beat);
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		total += jobs[i].weight;
	for (;;) {
		n = dice(total);
		for (i = 0; n >= jobs[i].weight; i++)
			n -= jobs[i].weight;
		place = dice(nr_places);
		page = dice(NPAGES);
		hot = GET(board->hot_place);
		if (hot && dice(8)) {
			place = hot - 1;
			page = GET(board->hot_page);
		}
		if (jobs[i].file && places[place].fd < 0)
			continue;
		me->place = place;
		me->page = page;
		SET(me->call, jobs[i].name);
		jobs[i].fn(place, page);
		SET(me->call, NULL);
		ADD(me->count, 1);
		ADD(board->ops, 1);
	}
	return NULL;
}

static __u64 records(void)
{
	const __u64 *regs = mce_poisonpc();

	return regs ? GET(regs[RECORDS]) : 0;
}

/* Has anybody met the line, says the log from @from on, or is its page out of use? */
static bool was_met(__u64 phys, __u64 from)
{
	const __u64 *regs = mce_poisonpc();
	__u64 to = records(), capacity = regs ? GET(regs[CAPACITY]) : 0;

	if (mce_page_offlined(phys))
		return true;
	if (capacity && to - from > capacity)
		from = to - capacity;
	for (; capacity && from < to; from++)
		if (GET(regs[LOG + from % capacity * RECORD]) / MCE_LINE == phys / MCE_LINE)
			return true;
	return false;
}

static void hard_offline(__u64 phys)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)phys);
	mce_put("/sys/devices/system/memory/hard_offline_page", text);
	ADD(board->retired, 1);
}

/* Poison a line of a page that is there, and let all of them know. */
static bool arm(unsigned int place, unsigned int page, __u64 *phys)
{
	__u8 *map = places[place].shared + page * MCE_PAGE;
	bool did = false;
	__u64 now;

	/*
	 * Anonymous memory may be shared with a child: one that is copied meanwhile
	 * is the child's alone, and anybody's once that ends. Have it copied now.
	 */
	pthread_rwlock_wrlock(&freeing);
	if (!madvise(map, MCE_PAGE, places[place].fd < 0 ? MADV_POPULATE_WRITE :
							   MADV_POPULATE_READ) &&
	    !mce_phys(map, phys) && !mce_page_offlined(*phys)) {
		*phys += dice(64) * MCE_LINE;
		SET(board->hot_page, page);
		did = !mce_arm_phys(*phys);
		if (did && (mce_phys(map, &now) || now / MCE_PAGE != *phys / MCE_PAGE)) {
			hard_offline(*phys);
			did = false;
		}
		if (did)
			SET(board->hot_place, place + 1);
	}
	pthread_rwlock_unlock(&freeing);
	return did;
}

static void cool(void)
{
	pthread_rwlock_wrlock(&freeing);
	SET(board->hot_place, 0);
	pthread_rwlock_unlock(&freeing);
}

static void armer(unsigned long ms)
{
	unsigned int place, page, tries;
	struct timespec now, end;
	__u64 phys, before;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += ms / 1000;
	me = &board->beat[0];
	SET(me->tid, getpid());
	dice_state = mix(dice_state + board->worlds);
	do {
		place = dice(nr_places);
		page = dice(NPAGES);
		me->place = place;
		me->page = page;
		SET(me->call, "arm");
		before = records();
		if (poison && arm(place, page, &phys)) {
			ADD(board->armed, 1);
			SET(me->call, "wait until it is met");
			for (tries = 0; tries < 400 && !was_met(phys, before); tries++)
				usleep(500);
			if (tries < 400)
				ADD(board->met, 1);
			else
				hard_offline(phys);
			cool();
			/* All of it is under way now; in the end it must be out of use. */
			SET(me->call, "wait until it is out of use");
			for (tries = 0; tries < 200 && !mce_page_offlined(phys); tries++)
				usleep(1000);
			if (tries == 200)
				hard_offline(phys);
			/* What is lost in anonymous memory is for somebody to give up. */
			if (places[place].fd < 0)
				madvise(places[place].shared + page * MCE_PAGE, MCE_PAGE,
					MADV_DONTNEED);
			else if (dice(4))
				job_pwrite(place, page);
		}
		SET(me->call, NULL);
		ADD(me->count, 1);
		usleep(dice(5000));
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec && !GET(board->wrong));
}

static int map_place(struct place *p)
{
	int flags = p->fd < 0 ? MAP_ANONYMOUS : 0;

	p->private = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | flags, p->fd, 0);
	if (p->private == MAP_FAILED)
		return -1;
	/* Anonymous memory is one mapping: private to this process. */
	p->shared = p->fd < 0 ? p->private :
		    mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
	return p->shared == MAP_FAILED ? -1 : 0;
}

/* One process with its threads; it ends while they are at it. */
static void world(__u64 seed)
{
	pthread_t thread;
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	catch_signals();
	dice_state = seed;
	for (i = 0; i < nr_places; i++)
		if (map_place(&places[i]))
			_exit(2);
	for (i = 0; i < NPAGES; i++)
		page_of_words(places[nr_places - 1].private + i * MCE_PAGE, nr_places - 1, i);
	for (i = 1; i < THREADS; i++)
		if (pthread_create(&thread, NULL, worker, &board->beat[i]))
			_exit(2);
	armer(1000 + dice(3) * 1000);
	/* Nothing is left unmet, and nobody frees anything from here. */
	pthread_rwlock_wrlock(&freeing);
	_exit(0);
}

/* --- the watchdog ----------------------------------------------------------- */

static void tell_file(const char *dir, const char *name)
{
	char path[PATH_MAX], text[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "re");
	while (file && fgets(text, sizeof(text), file))
		printf("#     %s: %s%s", name, text, strchr(text, '\n') ? "" : "\n");
	if (file)
		fclose(file);
}

static void tell_task(pid_t pid, pid_t tid)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/proc/%d/task/%d", pid, tid);
	tell_file(dir, "wchan");
	tell_file(dir, "syscall");
	tell_file(dir, "stack");
}

static const char *name_of(const struct beat *b)
{
	return b->call ? b->call : "nothing";
}

static void tell_all(void)
{
	char path[64], text[512], *p;
	struct dirent *d;
	struct beat *b;
	int pid, ppid;
	FILE *file;
	DIR *dir;

	for (b = board->beat; b < board->beat + THREADS; b++) {
		printf("#   thread %d: %s, place %u (%s), page %u\n", b->tid,
		       name_of(b), b->place, places[b->place].path,
		       b->page);
		tell_task(board->world, b->tid);
	}
	/* And their children. */
	dir = opendir("/proc");
	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%.20s/stat", d->d_name);
		file = fopen(path, "re");
		p = file && fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
		if (p && sscanf(p, ") %*c %d", &ppid) == 1 && ppid == board->world) {
			pid = atoi(d->d_name);
			printf("#   child %d\n", pid);
			tell_task(pid, pid);
		}
		if (file)
			fclose(file);
	}
	if (dir)
		closedir(dir);
	mce_put("/proc/sysrq-trigger", "w");
	fflush(stdout);
}

/* Waits for the world to end. 0; or -1 if it does not. */
static int watch_world(void)
{
	unsigned long counts[THREADS] = { 0 };
	time_t moved[THREADS], now;
	unsigned int i;
	int status;
	pid_t pid;

	for (i = 0; i < THREADS; i++)
		moved[i] = time(NULL);
	for (;;) {
		pid = waitpid(board->world, &status, WNOHANG);
		if (pid == board->world)
			break;
		usleep(50000);
		now = time(NULL);
		for (i = 0; i < THREADS; i++) {
			if (GET(board->beat[i].count) != counts[i]) {
				counts[i] = GET(board->beat[i].count);
				moved[i] = now;
			}
			if (now - moved[i] < HANG_SECONDS)
				continue;
			wrong("hang: thread %d in %s, place %u, page %u", board->beat[i].tid,
			      name_of(&board->beat[i]), board->beat[i].place,
			      board->beat[i].page);
			tell_all();
			kill(board->world, SIGKILL);
			return -1;
		}
	}
	/* SIGBUS is a death by lost data, of a stack say; it is caught elsewhere. */
	if (WIFSIGNALED(status))
		wrong("the process died of signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		wrong("the process ended with status %d", WEXITSTATUS(status));
	return 0;
}

static int all_worlds(__u64 seed, unsigned int seconds, char **dirs, unsigned int nr_dirs)
{
	struct mce_watch w;
	time_t end = time(NULL) + seconds;
	unsigned int i, j;
	__u8 page[MCE_PAGE];
	int hung = 0;
	pid_t pid;

	nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (board == MAP_FAILED)
		return -1;
	/* The registers are mapped once, for all that come. */
	mce_poisonpc();
	nr_places = nr_dirs > MAX_FILES ? MAX_FILES : nr_dirs;
	for (i = 0; i < nr_places; i++) {
		struct place *p = &places[i];

		snprintf(p->path, sizeof(p->path), "%s/mce-stress-%d", dirs[i], getpid());
		p->fd = open(p->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (p->fd < 0)
			return -1;
		for (j = 0; j < NPAGES; j++) {
			page_of_words(page, i, j);
			if (pwrite(p->fd, page, MCE_PAGE, j * MCE_PAGE) != MCE_PAGE)
				return -1;
		}
		fsync(p->fd);
	}
	places[nr_places].fd = -1;
	snprintf(places[nr_places].path, sizeof(places[0].path), "anonymous");
	nr_places++;

	mce_watch_start(&w);
	while (time(NULL) < end && !board->wrong && !hung) {
		board->worlds++;
		board->hot_place = 0;
		memset(board->beat, 0, sizeof(board->beat));
		fflush(stdout);
		pid = fork();
		if (!pid)
			world(mix(seed + board->worlds));
		board->world = pid;
		hung = watch_world();
	}
	mce_watch_log(&w);
	if (w.log[0])
		wrong("the kernel says: %s", w.log);
	for (i = 0; !hung && i < nr_places - 1; i++) {
		close(places[i].fd);
		unlink(places[i].path);
	}
	if (board->wrong)
		printf("# seed %llu: %s\n", (unsigned long long)seed, board->text);
	mce_outcome("%lu calls, %u processes, %lu poisoned, %lu met, %lu retired, %lu/%lu told",
		    board->ops, board->worlds, board->armed, board->met, board->retired,
		    board->errors, board->signals);
	return board->wrong;
}

static int alone(int argc, char **argv)
{
	poison = strcmp(argv[3], "--no-poison");
	if (poison && mce_missing()) {
		printf("# %s\n", mce_missing());
		return KSFT_SKIP;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	return all_worlds(strtoull(argv[1], NULL, 0), atoi(argv[2]), argv + 3 + !poison,
			  argc - 3 - !poison) ? 1 : 0;
}

FIXTURE(stress)
{
	char dir[3][PATH_MAX];
	char *dirs[3];
	unsigned int nr;
};

FIXTURE_SETUP(stress)
{
	static const unsigned long magic[] = { MCE_FS_EXT4, MCE_FS_XFS, MCE_FS_TMPFS };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(magic); i++) {
		if (!mce_dir_on(magic[i], self->dir[self->nr], PATH_MAX))
			continue;
		self->dirs[self->nr] = self->dir[self->nr];
		self->nr++;
	}
}

FIXTURE_TEARDOWN(stress)
{
	mce_retire();
}

TEST_F_TIMEOUT(stress, ext4_xfs_tmpfs, 120)
{
	const char *seed = getenv("MCE_SEED"), *seconds = getenv("MCE_SECONDS");

	EXPECT_EQ(0, all_worlds(seed ? strtoull(seed, NULL, 0) : 1,
				seconds ? atoi(seconds) : 10, self->dirs, self->nr));
}

#define main mce_harness_main
TEST_HARNESS_MAIN
#undef main

int main(int argc, char **argv)
{
	if (argc >= 4 && argv[1][0] >= '0' && argv[1][0] <= '9')
		return alone(argc, argv);
	return mce_main(argc, argv, mce_harness_main);
}
