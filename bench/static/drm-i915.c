// The kernel's driver of Intel's GPUs, i915, by the structures of its i915_drm.h: what Mesa's ANV asks until it compiles.
// Numbers of the GPU: slices, subslices a slice, execution units a subslice, GiB of its own memory.
#include "drm.h"
#include <errno.h>
#include <string.h>

enum { SLICES, SUBSLICES, UNITS, OWN_MEMORY };

static int answer_parameter(int which, int *value) {
  enum { EXECBUF2 = 9, WAIT_TIMEOUT = 19, MMAP_VERSION = 30, REVISION = 32, SOFTPIN = 37, MMAP_GTT_VERSION = 40, ASYNC = 43 };
  enum { CAPTURE = 45, FENCE_ARRAY = 49, CONTEXT_ISOLATION = 50, TIMESTAMP_FREQUENCY = 51, TIMELINE_FENCES = 55 };
  switch (which) {
    case REVISION: *value = 0; return 0;
    case MMAP_GTT_VERSION: *value = 4; return 0; // buffers have offsets in the device file
    case TIMESTAMP_FREQUENCY: *value = 19200000; return 0;
    case EXECBUF2:
    case WAIT_TIMEOUT:
    case MMAP_VERSION:
    case SOFTPIN:
    case ASYNC:
    case CAPTURE:
    case FENCE_ARRAY:
    case CONTEXT_ISOLATION:
    case TIMELINE_FENCES: *value = 1; return 0;
    default: return EINVAL;
  }
}

// --- queries: what has a length of its own, which is asked for first ---

struct topology {
  uint16_t flags, slices, subslices, units;
  uint16_t subslice_offset, subslice_stride, unit_offset, unit_stride; // bytes within masks
  uint8_t masks[512];
};

struct engine {
  uint16_t class, instance;
  uint32_t reserved;
  uint64_t flags, capabilities, more[4];
};

struct engines {
  uint32_t count, reserved[3];
  struct engine list[2];
};

struct region {
  uint16_t class, instance;
  uint32_t reserved;
  uint64_t bytes, free_bytes, more[8];
};

struct regions {
  uint32_t count, reserved[3];
  struct region list[2];
};

static void set_bits(uint8_t *mask, unsigned count) {
  for (unsigned i = 0; i < count; i++) mask[i / 8] |= 1 << i % 8;
}

static int write_topology(struct topology *topology) {
  const unsigned slices = gpu.of[SLICES], subslices = gpu.of[SUBSLICES], units = gpu.of[UNITS];
  const unsigned subslice_stride = (subslices + 7) / 8, unit_stride = (units + 7) / 8;
  const unsigned subslice_offset = (slices + 7) / 8, unit_offset = subslice_offset + slices * subslice_stride;
  const unsigned bytes = unit_offset + slices * subslices * unit_stride;
  if (bytes > sizeof topology->masks) return -EINVAL;
  *topology = (struct topology){0, slices, subslices, units, subslice_offset, subslice_stride, unit_offset, unit_stride, {0}};
  set_bits(topology->masks, slices);
  for (unsigned i = 0; i < slices; i++) set_bits(topology->masks + subslice_offset + i * subslice_stride, subslices);
  for (unsigned i = 0; i < slices * subslices; i++) set_bits(topology->masks + unit_offset + i * unit_stride, units);
  return sizeof *topology - sizeof topology->masks + bytes;
}

static int write_engines(struct engines *engines) {
  enum { RENDER, COPY };
  *engines = (struct engines){.count = 2, .list = {{.class = RENDER}, {.class = COPY}}};
  return sizeof *engines;
}

static int write_regions(struct regions *regions) {
  enum { SYSTEM, DEVICE };
  const uint64_t system = 16ull << 30, own = (uint64_t)gpu.of[OWN_MEMORY] << 30;
  *regions = (struct regions){
      .count = own ? 2 : 1,
      .list = {{.class = SYSTEM, .bytes = system, .free_bytes = system}, {.class = DEVICE, .bytes = own, .free_bytes = own}},
  };
  return sizeof *regions - (own ? 0 : sizeof *regions->list);
}

struct query_item {
  uint64_t which;
  int32_t length; // in: room, or 0 to ask; out: bytes, or an error, negative
  uint32_t flags;
  uint64_t data;
};

struct query {
  uint32_t count, flags;
  uint64_t items;
};

static void answer_item(struct query_item *item) {
  enum { TOPOLOGY = 1, ENGINES = 2, REGIONS = 4, GEOMETRY = 6 };
  union {
    struct topology topology;
    struct engines engines;
    struct regions regions;
  } made;
  int length = -EINVAL;
  if (item->which == TOPOLOGY || item->which == GEOMETRY) length = write_topology(&made.topology);
  else if (item->which == ENGINES) length = write_engines(&made.engines);
  else if (item->which == REGIONS) length = write_regions(&made.regions);
  if (length > 0 && item->length > 0) {
    if (item->length < length) length = -EINVAL;
    else memcpy((void *)(uintptr_t)item->data, &made, length);
  }
  item->length = length;
}

// --- requests ---

struct parameter {
  int32_t which;
  int *value;
};

struct context_parameter {
  uint32_t context, size;
  uint64_t which, value;
};

struct creation { // the extended one goes on behind it
  uint64_t bytes;
  uint32_t buffer;
};

struct user_memory {
  uint64_t address, bytes;
  uint32_t flags, buffer;
};

struct map_offset {
  uint32_t buffer, reserved;
  uint64_t offset;
};

int answer_i915(unsigned request, void *argument) {
  enum { GETPARAM = 0x06, BUSY = 0x17, CREATE = 0x1b, SET_DOMAIN = 0x1f, SET_TILING = 0x21, GET_TILING = 0x22, MMAP_OFFSET = 0x24 };
  enum { MADVISE = 0x26, EXECUTE = 0x29, WAIT = 0x2c, CONTEXT_CREATE = 0x2d, CONTEXT_DESTROY = 0x2e, SET_CACHING = 0x2f, REG_READ = 0x31 };
  enum { RESET_STATISTICS = 0x32, USERPTR = 0x33, CONTEXT_GETPARAM = 0x34, CONTEXT_SETPARAM = 0x35, QUERY = 0x39, CREATE_EXT = 0x3c };
  enum { ADDRESS_SPACE = 3 };
  switch (request) {
    case GETPARAM: {
      struct parameter *parameter = argument;
      return answer_parameter(parameter->which, parameter->value);
    }
    case QUERY: {
      struct query *query = argument;
      struct query_item *items = (struct query_item *)(uintptr_t)query->items;
      for (uint32_t i = 0; i < query->count; i++) answer_item(&items[i]);
      return 0;
    }
    case CONTEXT_CREATE: *(uint32_t *)argument = 1; return 0;
    case CONTEXT_GETPARAM: {
      struct context_parameter *parameter = argument;
      parameter->value = parameter->which == ADDRESS_SPACE ? 1ull << 48 : 0;
      return 0;
    }
    case CREATE:
    case CREATE_EXT: {
      struct creation *creation = argument;
      creation->buffer = new_buffer(creation->bytes);
      return creation->buffer ? 0 : ENOMEM;
    }
    case USERPTR: {
      struct user_memory *user = argument;
      user->buffer = new_buffer(user->bytes);
      return user->buffer ? 0 : ENOMEM;
    }
    case MMAP_OFFSET: {
      struct map_offset *map = argument;
      map->offset = buffer_offset(map->buffer);
      return 0;
    }
    case BUSY:
    case SET_DOMAIN:
    case SET_TILING:
    case GET_TILING:
    case MADVISE:
    case EXECUTE:
    case WAIT:
    case CONTEXT_DESTROY:
    case CONTEXT_SETPARAM:
    case SET_CACHING:
    case REG_READ:
    case RESET_STATISTICS: return 0;
    default: return EINVAL;
  }
}
