// SPDX-License-Identifier: GPL-2.0
/*
 * Consume user memory in contexts that system calls do not offer.
 *
 * A write to debugfs mce_context runs one job, a read says how it went:
 *
 *	CONTEXT ADDRESS LENGTH TIMES STEP [OTHER]
 *
 * copies LENGTH bytes from ADDRESS, then from ADDRESS + STEP, and so on, TIMES
 * times, all within one stay in CONTEXT. OTHER is the CPU for "nmi", whose
 * running task then has the address, and for "nmi-in" the function of the
 * kernel that an NMI shall arrive in. The answer is the number of bytes that
 * were not copied, then of those that were not copied in the NMI of "nmi-in",
 * then how often the copy was tried.
 *
 * "fatal" is another thing: a machine check on all CPUs that nothing survives,
 * with a record on each one. The first CPU's has ADDRESS, the second one's
 * ADDRESS + STEP, and so on.
 */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <asm/apic.h>
#include <asm/mce.h>
#include <asm/nmi.h>

/* A loop that gets nowhere is given up after this time. */
#define PATIENCE	(20 * HZ)

struct job {
	unsigned long	addr;
	unsigned long	len;
	unsigned int	times;
	unsigned long	step;
	char		other[48];

	struct mm_struct *mm;
	unsigned long	left;		/* bytes not copied */
	unsigned long	left_in_nmi;	/* the same, in an NMI within #MC */
	unsigned int	tries;
};

struct context {
	const char	*name;
	int		(*run)(struct job *job);
};

static DEFINE_MUTEX(one_job);
static struct job last;
static struct dentry *file;

static u8 buffer[8192];
static u8 nmi_buffer[64];

/* In any context. */
static void consume(struct job *job)
{
	unsigned int i;

	for (i = 0; i < job->times; i++) {
		job->left += copy_from_user_nmi(buffer,
				(void __user *)(job->addr + i * job->step),
				job->len);
		job->tries++;
	}
}

/* Where a page fault can be served. */
static void consume_sleeping(struct job *job)
{
	unsigned int i;

	for (i = 0; i < job->times; i++) {
		job->left += copy_from_user(buffer,
				(void __user *)(job->addr + i * job->step),
				job->len);
		job->tries++;
		cond_resched();
	}
}

static int task_context(struct job *job)
{
	consume_sleeping(job);
	return 0;
}

static int irqs_off(struct job *job)
{
	unsigned long flags;

	local_irq_save(flags);
	consume(job);
	local_irq_restore(flags);
	return 0;
}

static struct job *atomic_job;
static atomic_t atomic_done;

static void atomic_consume(void)
{
	consume(atomic_job);
	atomic_set_release(&atomic_done, 1);
}

static int wait_atomic(void)
{
	unsigned long end = jiffies + HZ;

	while (!atomic_read_acquire(&atomic_done)) {
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		cpu_relax();
	}
	return 0;
}

static void tasklet_consume(struct tasklet_struct *unused)
{
	atomic_consume();
}

static DECLARE_TASKLET(tasklet, tasklet_consume);

/* Softirqs that were raised while they were off run when they are on again. */
static int softirq(struct job *job)
{
	int ret;

	local_bh_disable();
	tasklet_schedule(&tasklet);
	local_bh_enable();
	ret = wait_atomic();
	tasklet_kill(&tasklet);
	return ret;
}

static void irq_consume(struct irq_work *unused)
{
	atomic_consume();
}

static int hard_irq(struct job *job)
{
	static struct irq_work work;
	int ret;

	work = IRQ_WORK_INIT_HARD(irq_consume);
	preempt_disable();
	irq_work_queue(&work);
	ret = wait_atomic();
	preempt_enable();
	irq_work_sync(&work);
	return ret;
}

/* The CPU whose next NMI is ours, and what is to be done there. */
static atomic_t nmi_cpu = ATOMIC_INIT(-1);
static void (*nmi_function)(void);

static int nmi_handler(unsigned int type, struct pt_regs *regs)
{
	int cpu = smp_processor_id();

	if (atomic_cmpxchg(&nmi_cpu, cpu, -1) != cpu)
		return NMI_DONE;
	nmi_function();
	return NMI_HANDLED;
}

static void send_nmi(int cpu, void (*function)(void))
{
	nmi_function = function;
	atomic_set(&nmi_cpu, cpu);
	__apic_send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
}

static int nmi(struct job *job)
{
	int cpu, ret;

	preempt_disable();
	if (kstrtoint(job->other, 10, &cpu) || cpu >= nr_cpu_ids || !cpu_online(cpu))
		cpu = smp_processor_id();
	send_nmi(cpu, atomic_consume);
	ret = wait_atomic();
	preempt_enable();
	return ret;
}

static int thread(void *data)
{
	struct job *job = data;

	kthread_use_mm(job->mm);
	consume_sleeping(job);
	kthread_unuse_mm(job->mm);
	atomic_set_release(&atomic_done, 1);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* It stays until the next one: exit would settle what the thread met. */
static struct task_struct *kthread;

static void stop_kthread(void)
{
	if (kthread)
		kthread_stop(kthread);
	kthread = NULL;
}

static int in_kthread(struct job *job)
{
	struct task_struct *task;

	stop_kthread();
	task = kthread_run(thread, job, "mce_context");
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread = task;
	while (!atomic_read_acquire(&atomic_done))
		schedule_timeout_uninterruptible(1);
	return 0;
}

static void work_consume(struct work_struct *unused)
{
	kthread_use_mm(atomic_job->mm);
	consume_sleeping(atomic_job);
	kthread_unuse_mm(atomic_job->mm);
}

static int in_workqueue(struct job *job)
{
	static DECLARE_WORK(work, work_consume);

	schedule_work(&work);
	flush_work(&work);
	return 0;
}

static void nmi_consume(void)
{
	struct job *job = atomic_job;
	void __user *from = (void __user *)(job->addr + job->step);

	job->left_in_nmi = copy_from_user_nmi(nmi_buffer, from, sizeof(nmi_buffer));
}

static atomic_t probe_armed;

static int probe_hit(struct kprobe *p, struct pt_regs *regs)
{
	if (atomic_cmpxchg(&probe_armed, 1, 0) == 1)
		send_nmi(smp_processor_id(), nmi_consume);
	return 0;
}

/* An NMI in the midst of the kernel's function OTHER; it consumes as well. */
static int nmi_in(struct job *job)
{
	struct kprobe probe = {
		.symbol_name = job->other,
		.pre_handler = probe_hit,
	};
	int ret;

	job->left_in_nmi = -1UL;
	ret = register_kprobe(&probe);
	if (ret)
		return ret;
	preempt_disable();
	atomic_set(&probe_armed, 1);
	consume(job);
	if (atomic_cmpxchg(&probe_armed, 1, 0) == 1)
		ret = -ESRCH;
	preempt_enable();
	unregister_kprobe(&probe);
	return ret;
}

/*
 * What no code should do: try again until it works. A signal ends it, as it
 * ends most loops in the kernel.
 */
static int forever(struct job *job)
{
	u8 __user *from = (u8 __user *)job->addr;
	unsigned long end = jiffies + PATIENCE;
	u8 byte;

	while (get_user(byte, from)) {
		job->tries++;
		if (signal_pending(current))
			return -EINTR;
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
	}
	return 0;
}

/*
 * The bank that this CPU is going to find is a made-up one. The first CPU calls
 * first and so conducts the others, and its record is the one that all agree on.
 */
static void fatal_here(void *info)
{
	struct mce *bank = this_cpu_ptr(&injectm);
	struct pt_regs regs = {
		.ip = (unsigned long)fatal_here,
		.cs = __KERNEL_CS,
	};
	struct job *job = info;
	int cpu = smp_processor_id();

	memset(bank, 0, sizeof(*bank));
	bank->status = MCI_STATUS_VAL | MCI_STATUS_UC | MCI_STATUS_EN |
		       MCI_STATUS_MISCV | MCI_STATUS_ADDRV | MCI_STATUS_PCC;
	bank->mcgstatus = MCG_STATUS_MCIP | MCG_STATUS_RIPV | MCG_STATUS_EIPV;
	bank->misc = MCI_MISC_ADDR_PHYS << 6 | 6;
	bank->addr = job->addr + cpu * job->step;
	bank->bank = 1;
	/* That is what switches it on. */
	barrier();
	bank->finished = 1;
	mdelay(100 * cpu);
	do_machine_check(&regs);
}

static int fatal(struct job *job)
{
	on_each_cpu(fatal_here, job, true);
	return 0;
}

static const struct context contexts[] = {
	{ "task",	task_context },
	{ "irqs-off",	irqs_off },
	{ "softirq",	softirq },
	{ "irq",	hard_irq },
	{ "nmi",	nmi },
	{ "kthread",	in_kthread },
	{ "workqueue",	in_workqueue },
	{ "nmi-in",	nmi_in },
	{ "forever",	forever },
	{ "fatal",	fatal },
};

static int run_job(const char *name, struct job *job)
{
	unsigned int i;

	if (job->len > sizeof(buffer))
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(contexts); i++) {
		if (strcmp(contexts[i].name, name))
			continue;
		job->mm = current->mm;
		atomic_job = job;
		atomic_set(&atomic_done, 0);
		return contexts[i].run(job);
	}
	return -EINVAL;
}

static ssize_t job_write(struct file *filp, const char __user *text, size_t len,
			 loff_t *pos)
{
	struct job *job = &last;
	char line[160], name[16];
	int ret;

	if (len >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, text, len))
		return -EFAULT;
	line[len] = '\0';

	mutex_lock(&one_job);
	memset(job, 0, sizeof(*job));
	if (sscanf(line, "%15s %lx %lu %u %lu %47s", name, &job->addr, &job->len,
		   &job->times, &job->step, job->other) < 5)
		ret = -EINVAL;
	else
		ret = run_job(name, job);
	mutex_unlock(&one_job);

	return ret ?: len;
}

static ssize_t job_read(struct file *filp, char __user *text, size_t len,
			loff_t *pos)
{
	char line[80];
	int n;

	n = scnprintf(line, sizeof(line), "%ld %ld %u\n", last.left,
		      last.left_in_nmi, last.tries);
	return simple_read_from_buffer(text, len, pos, line, n);
}

static const struct file_operations job_fops = {
	.owner	= THIS_MODULE,
	.write	= job_write,
	.read	= job_read,
};

static int __init mce_context_init(void)
{
	int ret;

	ret = register_nmi_handler(NMI_LOCAL, nmi_handler, 0, "mce_context");
	if (ret)
		return ret;
	file = debugfs_create_file("mce_context", 0600, NULL, NULL, &job_fops);
	return 0;
}
module_init(mce_context_init);

static void __exit mce_context_exit(void)
{
	debugfs_remove(file);
	stop_kthread();
	unregister_nmi_handler(NMI_LOCAL, "mce_context");
}
module_exit(mce_context_exit);

MODULE_DESCRIPTION("Consumes user memory in odd contexts, for the mce selftests");
MODULE_LICENSE("GPL");
