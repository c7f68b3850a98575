/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Poisoned guest memory: the line table, and DMA
 *
 * The table says what is poisoned. Who consumes poison, and what that means,
 * is the business of the CPU (target/i386/tcg/system/mem-poison.c) and of each
 * DMA user; who poisons memory is the device (hw/i386/mem-poison.c).
 */
#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "qemu/lockable.h"
#include "qemu/thread.h"
#include "system/mem-poison.h"

#define LINES_PER_PAGE  (MEM_POISON_PAGE_SIZE / MEM_POISON_LINE_SIZE)

unsigned mem_poison_nr_lines;
MemPoisonStats mem_poison_stats;
bool mem_poison_lax;

static QemuMutex lock;
static GHashTable *pages;

static void __attribute__((constructor)) mem_poison_init(void)
{
    qemu_mutex_init(&lock);
    pages = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
}

static unsigned line_of(uint64_t addr)
{
    return (addr % MEM_POISON_PAGE_SIZE) >> MEM_POISON_LINE_BITS;
}

/* The lines of the page of @addr that lie in [@addr, @addr + @len). */
static uint64_t line_mask(uint64_t addr, uint64_t len)
{
    uint64_t room = MEM_POISON_PAGE_SIZE - addr % MEM_POISON_PAGE_SIZE;
    unsigned first = line_of(addr);
    unsigned last = line_of(addr + MIN(len, room) - 1);

    return MAKE_64BIT_MASK(first, last - first + 1);
}

static MemPoisonPage *find_page(ram_addr_t ram)
{
    uint64_t key = ROUND_DOWN(ram, MEM_POISON_PAGE_SIZE);

    return g_hash_table_lookup(pages, &key);
}

static MemPoisonPage *get_page(ram_addr_t ram, hwaddr phys)
{
    MemPoisonPage *page = find_page(ram);

    if (!page) {
        page = g_new0(MemPoisonPage, 1);
        page->ram = ROUND_DOWN(ram, MEM_POISON_PAGE_SIZE);
        page->phys = ROUND_DOWN(phys, MEM_POISON_PAGE_SIZE);
        g_hash_table_insert(pages, &page->ram, page);
    }
    return page;
}

/* Frees the page with its last line. */
static void heal(MemPoisonPage *page, uint64_t lines)
{
    unsigned n = ctpop64(page->lines & lines);

    page->lines &= ~lines;
    mem_poison_stats.healed += n;
    qatomic_sub(&mem_poison_nr_lines, n);
    if (!page->lines) {
        g_hash_table_remove(pages, &page->ram);
    }
}

void mem_poison_add(ram_addr_t ram, hwaddr phys)
{
    QEMU_LOCK_GUARD(&lock);
    MemPoisonPage *page = get_page(ram, phys);
    unsigned line = line_of(ram);

    if (!extract64(page->lines, line, 1)) {
        page->lines |= BIT_ULL(line);
        qatomic_inc(&mem_poison_nr_lines);
    }
    page->stored[line] = 0;
}

bool mem_poison_remove(ram_addr_t ram)
{
    QEMU_LOCK_GUARD(&lock);
    MemPoisonPage *page = find_page(ram);

    if (!page || !extract64(page->lines, line_of(ram), 1)) {
        return false;
    }
    heal(page, BIT_ULL(line_of(ram)));
    return true;
}

void mem_poison_remove_all(void)
{
    QEMU_LOCK_GUARD(&lock);
    g_hash_table_remove_all(pages);
    qatomic_set(&mem_poison_nr_lines, 0);
}

unsigned mem_poison_snapshot(MemPoisonPage **out)
{
    QEMU_LOCK_GUARD(&lock);
    MemPoisonPage *page, *next;
    GHashTableIter iter;

    next = *out = g_new(MemPoisonPage, g_hash_table_size(pages));
    g_hash_table_iter_init(&iter, pages);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&page)) {
        *next++ = *page;
    }
    return next - *out;
}

void mem_poison_restore(const MemPoisonPage *saved, ram_addr_t ram)
{
    QEMU_LOCK_GUARD(&lock);
    MemPoisonPage *page = get_page(ram, saved->phys);

    qatomic_add(&mem_poison_nr_lines, ctpop64(saved->lines & ~page->lines));
    page->lines |= saved->lines;
    memcpy(page->stored, saved->stored, sizeof(page->stored));
}

/* With the lock held. */
static int64_t find(ram_addr_t ram, uint64_t size)
{
    uint64_t done = 0;

    while (done < size) {
        ram_addr_t at = ram + done;
        MemPoisonPage *page = find_page(at);
        uint64_t hit = page ? page->lines & line_mask(at, size - done) : 0;

        if (hit) {
            uint64_t line = page->ram + ctz64(hit) * MEM_POISON_LINE_SIZE;

            return MAX(line, at) - ram;
        }
        done += MEM_POISON_PAGE_SIZE - at % MEM_POISON_PAGE_SIZE;
    }
    return -1;
}

int64_t mem_poison_find(ram_addr_t ram, uint64_t size)
{
    if (!mem_poison_present()) {
        return -1;
    }
    QEMU_LOCK_GUARD(&lock);
    return find(ram, size);
}

bool mem_poison_in_region(MemoryRegion *mr, hwaddr offset, hwaddr len)
{
    return mem_poison_present() && memory_region_is_ram(mr) &&
           mem_poison_find(memory_region_get_ram_addr(mr) + offset, len) >= 0;
}

bool mem_poison_on_page(MemoryRegion *mr, hwaddr offset)
{
    return mem_poison_in_region(mr, ROUND_DOWN(offset, MEM_POISON_PAGE_SIZE),
                                MEM_POISON_PAGE_SIZE);
}

void mem_poison_store(ram_addr_t ram, unsigned size, bool combines)
{
    QEMU_LOCK_GUARD(&lock);

    if (!combines && !mem_poison_lax) {
        return;
    }
    while (size) {
        unsigned offset = ram % MEM_POISON_LINE_SIZE;
        unsigned n = MIN(size, MEM_POISON_LINE_SIZE - offset);
        MemPoisonPage *page = find_page(ram);
        unsigned line = line_of(ram);

        if (page && extract64(page->lines, line, 1)) {
            page->stored[line] |= MAKE_64BIT_MASK(offset, n);
            if (page->stored[line] == UINT64_MAX) {
                heal(page, BIT_ULL(line));
            }
        }
        ram += n;
        size -= n;
    }
}

MemTxResult mem_poison_dma_read(MemoryRegion *mr, hwaddr offset, void *buf,
                                hwaddr len)
{
    ram_addr_t ram, end;
    bool hit = false;
    int64_t skip;

    if (!mem_poison_present() || !memory_region_is_ram(mr)) {
        return MEMTX_OK;
    }
    ram = memory_region_get_ram_addr(mr) + offset;
    end = ram + len;

    QEMU_LOCK_GUARD(&lock);
    while (ram < end && (skip = find(ram, end - ram)) >= 0) {
        ram_addr_t line = ram + skip;
        ram_addr_t next = ROUND_DOWN(line, MEM_POISON_LINE_SIZE) +
                          MEM_POISON_LINE_SIZE;

        next = MIN(next, end);
        memset(buf + len - (end - line), 0xff, next - line);
        ram = next;
        hit = true;
    }
    if (!hit) {
        return MEMTX_OK;
    }
    mem_poison_stats.dma_refused++;
    return MEMTX_ERROR;
}

void mem_poison_dma_write(ram_addr_t ram, hwaddr len)
{
    ram_addr_t at = ROUND_UP(ram, MEM_POISON_LINE_SIZE);
    ram_addr_t end = ROUND_DOWN(ram + len, MEM_POISON_LINE_SIZE);

    if (!mem_poison_present()) {
        return;
    }
    QEMU_LOCK_GUARD(&lock);
    while (at < end) {
        MemPoisonPage *page = find_page(at);

        if (page) {
            heal(page, line_mask(at, end - at));
        }
        at = ROUND_DOWN(at, MEM_POISON_PAGE_SIZE) + MEM_POISON_PAGE_SIZE;
    }
}

bool mem_poison_clip(MemoryRegion *mr, hwaddr offset, hwaddr *len)
{
    ram_addr_t ram;
    int64_t skip;

    if (!mem_poison_present() || !memory_region_is_ram(mr)) {
        return false;
    }
    ram = memory_region_get_ram_addr(mr) + offset;
    skip = mem_poison_find(ram, *len);
    if (skip < 0) {
        return false;
    }
    if (skip > 0) {
        *len = skip;
        return false;
    }
    *len = MIN(*len, MEM_POISON_LINE_SIZE - ram % MEM_POISON_LINE_SIZE);
    return true;
}

bool mem_poison_in_space(AddressSpace *as, hwaddr addr, hwaddr len)
{
    RCU_READ_LOCK_GUARD();

    while (mem_poison_present() && len) {
        hwaddr offset, part = len;
        MemoryRegion *mr = address_space_translate(as, addr, &offset, &part,
                                                   false,
                                                   MEMTXATTRS_UNSPECIFIED);

        if (mem_poison_in_region(mr, offset, part)) {
            return true;
        }
        addr += part;
        len -= part;
    }
    return false;
}

bool mem_poison_in_vector(AddressSpace *as, const hwaddr *addr,
                          const struct iovec *iov, unsigned n)
{
    unsigned i;

    for (i = 0; mem_poison_present() && i < n; i++) {
        if (mem_poison_in_space(as, addr[i], iov[i].iov_len)) {
            return true;
        }
    }
    return false;
}
