// SPDX-License-Identifier: GPL-2.0
/*
 * A second mapping of all memory, in which bad pages turn into good ones.
 *
 * A cipher, a checksum, a compressor reads all of a page with loads of its own,
 * in any language, with locks held and vector registers in use. It cannot be
 * stopped half way, and should not have to know. To look for bad lines before is
 * a second pass over the data, and what goes bad between is a panic.
 *
 * So it reads the page through an alias. When a load there raises #MC, the alias
 * of that page is made to lead to another one, of zeroes, and the load is done
 * again. That the result is worth nothing is told when the page is unmapped.
 *
 * The alias is not made for the occasion. It is there all the time, for all of
 * memory, as the direct map is, and at a fixed distance from it: it consists of
 * the direct map's own page tables, hung up in another place. To map a page is to
 * add a number, and to unmap it is to look whether there is any bad page at all.
 * No page table is written and no TLB flushed as long as nothing goes bad; pages
 * of any size, any number of them at once, in any context, by a task that moves
 * between CPUs, are no matter.
 *
 * Only when something goes bad is the way to that page in the alias copied, and
 * its end replaced, for all CPUs and for good. Another CPU, which may still have
 * the old translation, meets the error as well, and then has the new one.
 *
 * What it costs: about 40 instructions to map a page and three to unmap it, as the
 * compiler makes them. To probe a page takes 550 (64 loads), and 60 cycles if it is
 * in the cache; from memory, the probe and a sum of all words behind it take less
 * time than the sum alone, as the loads of a probe do not wait for each other. So
 * what speaks for the alias is not the time, but that it leaves no gap. Slots of
 * kmap_local_page()'s kind, which would have to be pointed to the page each time,
 * need two changes of a page table entry and an INVLPG or two for each page.
 *
 * There is none with KASAN, whose shadow it does not have, with KMSAN, on Xen PV,
 * and on machines with more memory than fits; nor for memory of a device. Then a
 * page is probed when it is mapped, as is one that was replaced and is in use again.
 */
#include <linux/export.h>
#include <linux/hwpoison-alias.h>
#include <linux/hwpoison.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/memblock.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include <asm/cpufeature.h>
#include <asm/hwpoison_alias.h>
#include <asm/pgalloc.h>
#include <asm/ptrace.h>
#include <asm/tlbflush.h>

/* A table of the alias's own, and not one of the direct map's */
#define _PAGE_OWN	_PAGE_SOFTW1

/* From the direct map to the alias; 0 if there is none */
static unsigned long distance __ro_after_init;
static unsigned long alias_start __ro_after_init;
static unsigned long alias_end __ro_after_init;

struct replaced {
	unsigned long	pfn;
	unsigned int	seq;
};

/* Bad pages do not get good again, as a rule. */
#define MAX_REPLACED	256

static struct replaced replaced[MAX_REPLACED];
/* Their number, from which on they are valid */
atomic_t hwpoison_nr_replaced = ATOMIC_INIT(0);
EXPORT_SYMBOL_GPL(hwpoison_nr_replaced);

/* The last of them whose old translation a CPU cannot have any more */
static DEFINE_PER_CPU(unsigned int, flushed);

/*
 * Pages for tables and data: three for the first bad page of a gigabyte. Taken in
 * #MC, filled by a worker.
 */
#define POOL_SIZE	24

static void *pool[POOL_SIZE];
static unsigned int pool_left;

/*
 * Taken in #MC, which comes at any time. Whoever waits for it there can be
 * interrupted by the next machine check, which all CPUs must answer.
 */
static arch_spinlock_t lock = __ARCH_SPIN_LOCK_UNLOCKED;
static int owner = -1;

static bool lock_alias(void)
{
	int cpu = smp_processor_id();

	/* The error is in what is done under the lock. */
	if (READ_ONCE(owner) == cpu)
		return false;
	arch_spin_lock(&lock);
	WRITE_ONCE(owner, cpu);

	return true;
}

static void unlock_alias(void)
{
	WRITE_ONCE(owner, -1);
	arch_spin_unlock(&lock);
}

static void fill_pool(struct work_struct *work)
{
	unsigned long flags;
	void *page;

	do {
		page = (void *)get_zeroed_page(GFP_KERNEL);
		if (!page)
			return;
		local_irq_save(flags);
		if (lock_alias()) {
			if (pool_left < POOL_SIZE) {
				pool[pool_left++] = page;
				page = NULL;
			}
			unlock_alias();
		}
		local_irq_restore(flags);
	} while (!page);

	free_page((unsigned long)page);
}

static DECLARE_WORK(fill_work, fill_pool);

static void queue_fill(struct irq_work *work)
{
	schedule_work(&fill_work);
}

static DEFINE_IRQ_WORK(fill_irq_work, queue_fill);

static struct replaced *find_replaced(unsigned long pfn)
{
	int i, nr = atomic_read(&hwpoison_nr_replaced);

	for (i = 0; i < nr; i++) {
		if (replaced[i].pfn == pfn)
			return &replaced[i];
	}

	return NULL;
}

static pud_t *alias_pud(unsigned long addr)
{
	p4d_t *p4d = p4d_offset(pgd_offset_k(addr), addr);

	return p4d_none(*p4d) ? NULL : pud_offset(p4d, addr);
}

static pud_t *direct_pud(unsigned long addr)
{
	pgd_t *pgd = pgd_offset_k(addr);
	p4d_t *p4d;

	if (pgd_none(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);

	return p4d_none(*p4d) ? NULL : pud_offset(p4d, addr);
}

/* The same translations as those of an entry, one level further down. */
static void copy_pud(pmd_t *table, pud_t pud)
{
	int i;

	if (!pud_leaf(pud)) {
		memcpy(table, pud_pgtable(pud), PAGE_SIZE);
		return;
	}
	for (i = 0; i < PTRS_PER_PMD; i++)
		table[i] = __pmd(pud_val(pud) + i * PMD_SIZE);
}

static void copy_pmd(pte_t *table, pmd_t pmd)
{
	pgprot_t prot;
	int i;

	if (!pmd_leaf(pmd)) {
		memcpy(table, (void *)pmd_page_vaddr(pmd), PAGE_SIZE);
		return;
	}
	prot = pgprot_large_2_4k(pmd_pgprot(pmd));
	for (i = 0; i < PTRS_PER_PTE; i++)
		table[i] = pfn_pte(pmd_pfn(pmd) + i, prot);
}

static unsigned long own_table(void *table)
{
	return __pa(table) | _KERNPG_TABLE | _PAGE_OWN;
}

/* All tables are ready before anybody can see one of them. */
static bool replace(unsigned long addr)
{
	pud_t *pud = alias_pud(addr);
	pmd_t *pmds, *pmd;
	pte_t *ptes;
	bool own_pud, own_pmd;

	if (!pud || pud_none(*pud) || pool_left < 3)
		return false;

	own_pud = pud_val(*pud) & _PAGE_OWN;
	if (own_pud) {
		pmds = pud_pgtable(*pud);
	} else {
		pmds = pool[--pool_left];
		copy_pud(pmds, *pud);
	}

	pmd = pmds + pmd_index(addr);
	own_pmd = pmd_val(*pmd) & _PAGE_OWN;
	if (own_pmd) {
		ptes = (pte_t *)pmd_page_vaddr(*pmd);
	} else {
		ptes = pool[--pool_left];
		copy_pmd(ptes, *pmd);
	}

	set_pte(ptes + pte_index(addr),
		pfn_pte(PHYS_PFN(__pa(pool[--pool_left])), PAGE_KERNEL));
	if (!own_pmd)
		set_pmd(pmd, __pmd(own_table(ptes)));
	if (!own_pud)
		set_pud(pud, __pud(own_table(pmds)));

	return true;
}

/**
 * hwpoison_alias_replace() - let the alias of a bad page lead to a good one
 * @phys:	address of the error
 *
 * The load that has met the error can be repeated then, if it was one through
 * the alias.
 *
 * Context: #MC from kernel mode, NMI-like, banks cleared.
 * Return: false if it was none, or if there is no room.
 */
bool hwpoison_alias_replace(u64 phys)
{
	unsigned long pfn = PHYS_PFN(phys);
	unsigned long addr = PAGE_OFFSET + PFN_PHYS(pfn) + distance;
	struct replaced *r;
	unsigned int nr;
	bool again = false;

	if (!distance || addr >= alias_end || !lock_alias())
		return false;

	nr = atomic_read(&hwpoison_nr_replaced);
	r = find_replaced(pfn);
	if (r) {
		/* Either this CPU has an old translation, or it was no alias. */
		again = this_cpu_read(flushed) < r->seq;
	} else if (nr < MAX_REPLACED && replace(addr)) {
		replaced[nr].pfn = pfn;
		replaced[nr].seq = nr + 1;
		/* Whoever sees the other page sees that it was replaced. */
		smp_wmb();
		atomic_set(&hwpoison_nr_replaced, ++nr);
		again = true;
	}
	unlock_alias();

	if (again) {
		this_cpu_write(flushed, nr);
		/* Of all address spaces, and what leads to it as well */
		__flush_tlb_all();
		irq_work_queue(&fill_irq_work);
	}

	return again;
}

/**
 * hwpoison_alias_in_use() - could an instruction have loaded from the alias?
 * @regs:	registers of the interrupted context
 *
 * Whatever the instruction is, it has an address in a register. Nothing is
 * fetched or decoded for that. If the register is for something else then the
 * error is met again, and is fatal.
 *
 * Context: #MC, banks not cleared.
 * Return: true if a register points there.
 */
bool hwpoison_alias_in_use(const struct pt_regs *regs)
{
	const unsigned long *reg = &regs->r15;

	if (!distance || !regs)
		return false;

	/* The last of them is %rdi; the pointer may be behind what is read. */
	for (; reg <= &regs->di; reg++) {
		if (*reg >= alias_start && *reg <= alias_end)
			return true;
	}

	return false;
}

/**
 * hwpoison_alias_split() - the direct map is not mapped by a huge page any more
 * @address:	in the direct map
 *
 * Attributes of the pages may now change one by one, also in the alias.
 *
 * Context: set_memory.c, under pgd_lock, before the TLBs are flushed.
 */
void hwpoison_alias_split(unsigned long address)
{
	pud_t *pud, *to;
	unsigned long flags;

	if (!distance || address < PAGE_OFFSET || address + distance >= alias_end)
		return;
	pud = direct_pud(address);
	to = alias_pud(address + distance);
	if (!pud || !to)
		return;

	local_irq_save(flags);
	if (lock_alias()) {
		if (!(pud_val(*to) & _PAGE_OWN))
			set_pud(to, *pud);
		unlock_alias();
	}
	local_irq_restore(flags);
}

/* Is there an alias of that? */
static bool has_alias(const void *addr, size_t size)
{
	return distance && addr >= (void *)PAGE_OFFSET &&
	       addr + distance + size <= (void *)alias_end;
}

/**
 * hwpoison_map() - map a page for code that cannot stop
 * @page:	the page; the caller has a reference
 *
 * Not an address that virt_to_page() knows what to do with, nor one to keep.
 *
 * Context: any. May be held while sleeping.
 * Return: an address, good for the page, to be given back with hwpoison_unmap();
 * NULL if it is known that the page has a memory error.
 */
void *hwpoison_map(struct page *page)
{
	void *addr = page_address(page);

	if (hwpoison_known_bad(page))
		return NULL;
	if (likely(has_alias(addr, PAGE_SIZE) && !is_zone_device_page(page) &&
		   !atomic_read(&hwpoison_nr_replaced)))
		return addr + distance;

	return hwpoison_map_object(addr, PAGE_SIZE);
}
EXPORT_SYMBOL_GPL(hwpoison_map);

/**
 * hwpoison_map_object() - hwpoison_map() for what has an address already
 * @object:	in the direct map, within one page or physically contiguous
 * @size:	its length in bytes
 *
 * What is not in the direct map is looked at before instead, and so is an object in
 * a page that has a memory error elsewhere.
 *
 * Context: any. May be held while sleeping.
 * Return: an address for hwpoison_unmap_object(), or NULL.
 */
void *hwpoison_map_object(const void *object, size_t size)
{
	const void *alias = object + distance;
	struct page *page;
	const void *p;

	if (!has_alias(object, size))
		goto probe;
	for (p = object; p < object + size;
	     p = PTR_ALIGN_DOWN(p, PAGE_SIZE) + PAGE_SIZE) {
		page = virt_to_page(p);
		if (is_zone_device_page(page) || hwpoison_known_bad(page))
			goto probe;
	}
	if (likely(!atomic_read(&hwpoison_nr_replaced)) ||
	    !hwpoison_was_replaced(alias, size))
		return (void *)alias;
probe:
	return hwpoison_probe(object, size) ? (void *)object : NULL;
}
EXPORT_SYMBOL_GPL(hwpoison_map_object);

/**
 * hwpoison_was_replaced() - hwpoison_unmap(), once there are bad pages
 * @addr:	an address in the alias; or any other, which never was
 * @size:	bytes from there
 *
 * Context: any.
 * Return: true if a page there was replaced.
 */
bool hwpoison_was_replaced(const void *addr, size_t size)
{
	unsigned long start = (unsigned long)addr, pfn;

	if (!distance || start < alias_start || start >= alias_end)
		return false;
	for (pfn = PHYS_PFN(start - alias_start);
	     pfn <= PHYS_PFN(start + size - 1 - alias_start); pfn++) {
		if (find_replaced(pfn))
			return true;
	}

	return false;
}
EXPORT_SYMBOL_GPL(hwpoison_was_replaced);

/* Hang up the direct map's tables; what is there already stays. */
static int __meminit hang_up(unsigned long start, unsigned long end)
{
	unsigned long addr;
	p4d_t *p4d;
	pud_t *from, *to;

	for (addr = start & PUD_MASK; addr < end; addr += PUD_SIZE) {
		from = direct_pud(addr);
		if (!from || pud_none(*from))
			continue;
		p4d = p4d_alloc(&init_mm, pgd_offset_k(addr + distance), addr + distance);
		to = p4d ? pud_alloc(&init_mm, p4d, addr + distance) : NULL;
		if (!to)
			return -ENOMEM;
		if (pud_none(*to))
			set_pud(to, *from);
	}

	return 0;
}

static bool has_online_page(unsigned long start, unsigned long end)
{
	unsigned long pfn;

	for (pfn = start; pfn < end; pfn += PAGES_PER_SECTION) {
		if (pfn_to_online_page(pfn))
			return true;
	}

	return false;
}

/* The direct map's tables may be freed from now on. */
static void take_down(unsigned long start, unsigned long end)
{
	unsigned long addr, flags;
	pud_t *pud;
	pmd_t *pmd;

	local_irq_save(flags);
	if (!lock_alias())
		goto out;
	for (addr = start; addr < end; addr += PMD_SIZE) {
		pud = alias_pud(addr + distance);
		if (!pud || !(pud_val(*pud) & _PAGE_OWN))
			continue;
		pmd = pud_pgtable(*pud) + pmd_index(addr + distance);
		if (!(pmd_val(*pmd) & _PAGE_OWN))
			pmd_clear(pmd);
	}
	for (addr = start & PUD_MASK; addr < end; addr += PUD_SIZE) {
		pud = alias_pud(addr + distance);
		if (pud && !(pud_val(*pud) & _PAGE_OWN) &&
		    !has_online_page(PHYS_PFN(__pa(addr)), PHYS_PFN(__pa(addr) + PUD_SIZE)))
			pud_clear(pud);
	}
	unlock_alias();
out:
	local_irq_restore(flags);
	flush_tlb_kernel_range(start + distance, end + distance);
}

static int memory_changed(struct notifier_block *nb, unsigned long action, void *data)
{
	struct memory_notify *arg = data;
	unsigned long start = (unsigned long)__va(PFN_PHYS(arg->start_pfn));
	unsigned long end = start + PFN_PHYS(arg->nr_pages);

	if (start + distance >= alias_end)
		return NOTIFY_OK;
	end = min(end, alias_end - distance);
	if (action == MEM_GOING_ONLINE)
		return notifier_from_errno(hang_up(start, end));
	if (action == MEM_OFFLINE)
		take_down(start, end);

	return NOTIFY_OK;
}

static struct notifier_block memory_nb = {
	.notifier_call = memory_changed,
};

static int __init make_alias(void)
{
	unsigned long size = round_up(PFN_PHYS(max_t(u64, max_pfn, max_possible_pfn)),
				      PUD_SIZE);
	struct vm_struct *area;

	if (IS_ENABLED(CONFIG_KASAN_VMALLOC) || IS_ENABLED(CONFIG_KMSAN) ||
	    cpu_feature_enabled(X86_FEATURE_XENPV))
		return 0;
	/* Room that others need as well */
	if (size > (VMALLOC_END - VMALLOC_START) / 4)
		return 0;

	area = __get_vm_area_caller(size, VM_IOREMAP | VM_NO_GUARD, VMALLOC_START,
				    VMALLOC_END, __builtin_return_address(0));
	if (!area || !IS_ALIGNED((unsigned long)area->addr - PAGE_OFFSET, PUD_SIZE))
		return 0;
	fill_pool(NULL);
	if (pool_left < POOL_SIZE)
		return 0;

	distance = (unsigned long)area->addr - PAGE_OFFSET;
	alias_start = (unsigned long)area->addr;
	if (hang_up(PAGE_OFFSET, PAGE_OFFSET + size) ||
	    register_memory_notifier(&memory_nb)) {
		distance = 0;
		return 0;
	}
	alias_end = alias_start + size;

	return 0;
}
subsys_initcall(make_alias);
