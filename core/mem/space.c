/*
 * An address space: creation, the vCPUs that use it, names, layout and the table that plugins
 * call. The machine owns the space; its lock makes every call good on any thread.
 */
#include "mem/space.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "mem/internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "page tables are little-endian");

/* Linear memory chooses below where Linux puts executables, their heaps and shared objects, and
 * below what sanitizers take; paged memory chooses as Linux does, with room for the stack. */
#define LINEAR_HIGH UINT64_C(0x4ff000000000)
#define PAGED_HIGH  UINT64_C(0x7fff00000000)
#define MIN_DEFAULT UINT64_C(0x10000)

static uint64_t host_min_addr(void) {
    unsigned long long n = MIN_DEFAULT;
    FILE *f = fopen("/proc/sys/vm/mmap_min_addr", "re");
    if (f) {
        if (fscanf(f, "%llu", &n) != 1)
            n = MIN_DEFAULT;
        fclose(f);
    }
    /* Page 0 is never the guest's: a null pointer faults. */
    n = PAGE_UP(n);
    return n ? n : BLINK_PAGE_SIZE;
}

/* End of the addresses that the host gives to a process: 47 bits on x86-64; kernels for small
 * machines have 39. */
static uint64_t host_top(void) {
#if defined(__SANITIZE_THREAD__)
    /* The next addresses are its own, and it stops a program that maps something there. */
    return UINT64_C(1) << 39;
#endif
    for (uint32_t bits = 47; bits > 36; bits--) {
        uint64_t end = (UINT64_C(1) << bits) - BLINK_PAGE_SIZE;
        void *at = (void *)(uintptr_t)(end - BLINK_PAGE_SIZE);
        void *p = mmap(at, BLINK_PAGE_SIZE, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (p == MAP_FAILED && errno == EEXIST)
            return end;
        if (p == MAP_FAILED)
            continue;
        munmap(p, BLINK_PAGE_SIZE);
        if (p == at)
            return end;
    }
    return UINT64_C(1) << 36;
}

static int layout_linear(struct blink_mem *mem, uint64_t bias) {
    int64_t shift = (int64_t)bias;
    if ((bias & PAGE_MASK) || shift >= (int64_t)MEM_GUEST_TOP || shift <= -(int64_t)MEM_GUEST_TOP)
        return -EINVAL;
    uint64_t low = host_min_addr(), high = host_top();
    mem->bias = bias;
    /* In both worlds an address must be above what null pointers reach. */
    mem->min = shift < 0 ? low + (uint64_t)-shift : low;
    mem->top = high - bias < MEM_GUEST_TOP ? high - bias : MEM_GUEST_TOP;
    if (shift > 0 && bias >= high)
        return -EINVAL;
    mem->map_low = mem->min;
    mem->map_high = mem->top < LINEAR_HIGH || mem->min > LINEAR_HIGH / 2 ? mem->top : LINEAR_HIGH;
    return mem->min < mem->top ? 0 : -EINVAL;
}

static int layout_paged(struct blink_mem *mem, uint64_t physical_size) {
    int rc = backing_create(mem, physical_size);
    mem->min = MIN_DEFAULT;
    mem->top = MEM_GUEST_TOP;
    mem->map_low = mem->min;
    mem->map_high = PAGED_HIGH;
    if (mem->system)
        mem->top = mem->phys_size;
    else if (rc == 0)
        rc = walk_create_root(mem);
    return rc;
}

int mem_create(const struct mem_options *o, struct blink_mem **out) {
    bool user = o->strategy == MEM_LINEAR || !o->system;
    /* Regions are mappings of the host, in pages of the guest. */
    if (user && sysconf(_SC_PAGESIZE) != BLINK_PAGE_SIZE)
        return -ENOTSUP;
    struct blink_mem *mem = calloc(1, sizeof *mem);
    if (!mem)
        return -ENOMEM;
    pthread_mutex_init(&mem->lock, NULL);
    mem->strategy = o->strategy;
    mem->system = o->strategy == MEM_PAGED && o->system;
    mem->hooks = o->hooks;
    mem->map_default = true;
    int rc = o->strategy == MEM_LINEAR ? layout_linear(mem, o->bias)
                                       : layout_paged(mem, o->physical_size);
    if (rc) {
        mem_destroy(mem);
        return rc;
    }
    *out = mem;
    return 0;
}

void mem_destroy(struct blink_mem *mem) {
    if (!mem)
        return;
    backing_destroy(mem);
    region_finish(&mem->regions);
    code_finish(&mem->code);
    free(mem->pins);
    free(mem->cpus);
    pthread_mutex_destroy(&mem->lock);
    free(mem);
}

enum mem_strategy mem_strategy_of(const struct blink_mem *mem) {
    return mem->strategy;
}

void mem_set_guarded_copy(struct blink_mem *mem, mem_guarded_copy *copy) {
    mem->guarded = copy;
}

int mem_attach(struct blink_mem *mem, struct blink_cpu *cpu) {
    mem_lock(mem);
    if (mem->cpu_count == mem->cpu_capacity) {
        size_t n = mem->cpu_capacity ? mem->cpu_capacity * 2 : 4;
        struct blink_cpu **v = realloc(mem->cpus, n * sizeof *v);
        if (!v) {
            mem_unlock(mem);
            return -ENOMEM;
        }
        mem->cpus = v;
        mem->cpu_capacity = n;
    }
    cpu->mem = mem;
    cpu->bias = mem->bias;
    cpu->mode &= ~BLINK_MODE_PAGED;
    if (mem->strategy == MEM_PAGED)
        cpu->mode |= BLINK_MODE_PAGED;
    if (mem->strategy == MEM_PAGED && !mem->system)
        cpu->cr3 = mem->cr3;
    mem_tlb_flush(cpu);
    mem->cpus[mem->cpu_count] = cpu;
    __atomic_store_n(&mem->cpu_count, mem->cpu_count + 1, __ATOMIC_SEQ_CST);
    mem_unlock(mem);
    return 0;
}

void mem_detach(struct blink_mem *mem, struct blink_cpu *cpu) {
    mem_lock(mem);
    for (uint32_t k = 0; k < mem->cpu_count; k++) {
        if (mem->cpus[k] != cpu)
            continue;
        memmove(&mem->cpus[k], &mem->cpus[k + 1],
                (mem->cpu_count - k - 1) * sizeof(struct blink_cpu *));
        __atomic_store_n(&mem->cpu_count, mem->cpu_count - 1, __ATOMIC_SEQ_CST);
        mem_tlb_flush(cpu);
        cpu->mem = NULL;
        break;
    }
    mem_unlock(mem);
}

struct mutation {
    struct blink_mem *mem;
    int (*work)(struct blink_mem *mem, void *arg);
    void *arg;
    int rc;
};

static void mutate(void *arg) {
    struct mutation *m = arg;
    mem_lock(m->mem);
    __atomic_fetch_add(&m->mem->changes, 1, __ATOMIC_SEQ_CST);
    m->rc = m->work(m->mem, m->arg);
    mem_unlock(m->mem);
}

int mem_mutate(struct blink_mem *mem, bool shootdown, int (*work)(struct blink_mem *mem, void *arg),
               void *arg) {
    struct mutation m = {mem, work, arg, 0};
    bool others = __atomic_load_n(&mem->cpu_count, __ATOMIC_SEQ_CST) > 1;
    if (mem->strategy == MEM_PAGED && shootdown && others && mem->hooks.exclusive)
        mem->hooks.exclusive(mem->hooks.arg, mutate, &m);
    else
        mutate(&m);
    return m.rc;
}

void mem_before_fork(struct blink_mem *mem) {
    mem_lock(mem);
}

void mem_fork_parent(struct blink_mem *mem) {
    mem_unlock(mem);
}

void mem_after_fork(struct blink_mem *mem) {
    /* This thread locked it; those that waited are not in this process. */
    mem->pin_count = 0;
    backing_flush_limbo(mem);
    mem_unlock(mem);
}

static int mem_query(struct blink_mem *mem, uint64_t address, struct blink_mem_region *out) {
    mem_lock(mem);
    const struct region_set *set = &mem->regions;
    size_t k = region_index(set, address);
    if (k == set->count) {
        mem_unlock(mem);
        return -ENOENT;
    }
    /* The guest sees one mapping where the host needs several. */
    size_t first = k, last = k;
    while (first > 0 && region_alike(&set->v[first - 1], &set->v[first]))
        first--;
    while (last + 1 < set->count && region_alike(&set->v[last], &set->v[last + 1]))
        last++;
    const struct region *r = &set->v[first];
    struct blink_mem_region found = {
        .struct_size = sizeof found,
        .prot = r->prot,
        .start = r->start,
        .end = set->v[last].end,
        .offset = r->offset,
        .flags = r->flags & (BLINK_MAP_SHARED | BLINK_MAP_ANON | BLINK_MAP_GROWSDOWN),
    };
    if (r->object) {
        bool file = !(r->flags & BLINK_MAP_ANON);
        found.inode = file ? r->object->inode : 0;
        found.device = file ? r->object->device : 0;
        memcpy(found.name, r->object->name, sizeof found.name);
    }
    mem_unlock(mem);
    size_t room = out->struct_size ? out->struct_size : sizeof found;
    uint32_t keep = out->struct_size;
    memcpy(out, &found, room < sizeof found ? room : sizeof found);
    out->struct_size = keep ? keep : (uint32_t)sizeof found;
    return 0;
}

static int name_locked(struct blink_mem *mem, uint64_t start, uint64_t end, const char *name) {
    if (!region_all(&mem->regions, start, end))
        return -ENOMEM;
    int rc = region_reserve(&mem->regions, 2);
    if (rc)
        return rc;
    region_split(&mem->regions, start);
    region_split(&mem->regions, end);
    for (size_t k = region_index(&mem->regions, start);
         k < mem->regions.count && mem->regions.v[k].start < end; k++) {
        struct region *r = &mem->regions.v[k];
        struct region_object *o = region_object_new(r->object ? r->object->inode : 0,
                                                    r->object ? r->object->device : 0, name);
        if (!o) {
            rc = -ENOMEM;
            break;
        }
        region_object_unref(r->object);
        r->object = o;
    }
    region_join(&mem->regions, start, end);
    return rc;
}

static int mem_set_name(struct blink_mem *mem, uint64_t address, uint64_t size, const char *name) {
    uint64_t whole = PAGE_UP(size);
    if (whole == 0 || mem_check_range(mem, address, whole))
        return -EINVAL;
    mem_lock(mem);
    int rc = name_locked(mem, address, address + whole, name);
    mem_unlock(mem);
    return rc;
}

static int mem_set_layout(struct blink_mem *mem, uint64_t map_low, uint64_t map_high) {
    if ((map_low & PAGE_MASK) || (map_high & PAGE_MASK) || map_low >= map_high ||
        map_high > mem->top)
        return -EINVAL;
    mem_lock(mem);
    mem->map_low = map_low < mem->min ? mem->min : map_low;
    mem->map_high = map_high;
    mem->map_default = false;
    mem_unlock(mem);
    return 0;
}

static void mem_get_layout(struct blink_mem *mem, uint64_t *map_low, uint64_t *map_high,
                           uint64_t *top) {
    mem_lock(mem);
    *map_low = mem->map_low;
    *map_high = mem->map_high;
    *top = mem->top;
    mem_unlock(mem);
}

const struct blink_mem_iface mem_iface = {
    .struct_size = sizeof(struct blink_mem_iface),
    .map = mem_map,
    .unmap = mem_unmap,
    .protect = mem_protect,
    .remap = mem_remap,
    .advise = mem_advise,
    .sync = mem_sync,
    .query = mem_query,
    .set_name = mem_set_name,
    .copy_in = mem_copy_in,
    .copy_out = mem_copy_out,
    .copy_string = mem_copy_string,
    .pin = mem_pin,
    .unpin = mem_unpin,
    .set_layout = mem_set_layout,
    .get_layout = mem_get_layout,
};
