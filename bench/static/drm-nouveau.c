// The kernel's driver of NVIDIA's GPUs, nouveau, by the structures of its nouveau_drm.h and nvif: what Mesa's NVK asks until it compiles.
// Numbers of the GPU: its chipset, clusters, pairs of multiprocessors, GiB of memory, and of the classes of its units that copy and compute
// the upper bytes.
#include "drm.h"
#include <errno.h>
#include <string.h>

enum { CHIPSET, CLUSTERS, PAIRS, MEMORY, COPIES, COMPUTES };

struct parameter {
  uint64_t which, value;
};

static int answer_parameter(struct parameter *parameter) {
  enum { PCI_DEVICE = 4, GRAPH_UNITS = 13, EXEC_PUSH_MAX = 17, VRAM_BAR_SIZE = 18 };
  switch (parameter->which) {
    case PCI_DEVICE: parameter->value = gpu.device; return 0;
    case GRAPH_UNITS: parameter->value = gpu.of[PAIRS] << 8 | gpu.of[CLUSTERS]; return 0;
    case EXEC_PUSH_MAX: parameter->value = 511; return 0;
    case VRAM_BAR_SIZE: parameter->value = (uint64_t)gpu.of[MEMORY] << 30; return 0;
    default: return EINVAL;
  }
}

// --- objects of the driver: the device, and units of its that a channel leads to ---

struct nvif { // before what each type has
  uint8_t version, type, reserved[4], owner, route;
  uint64_t token, object;
};

struct classes {
  struct nvif head;
  uint8_t version, count, reserved[6];
  struct {
    int32_t class;
    int16_t least, most;
  } list[];
};

struct device_info {
  struct nvif head;
  uint8_t method_version, method, method_reserved[6];
  uint8_t version, platform;
  uint16_t chipset;
  uint8_t revision, family, reserved[2];
  uint64_t bytes, user_bytes;
  char chip[16], name[64];
};

static int write_classes(struct classes *classes) {
  const int32_t copies = gpu.of[COPIES] << 8, computes = gpu.of[COMPUTES] << 8;
  const int32_t units[] = {copies | 0xb5, 0x902d, computes | 0x97, 0xa140, computes | 0xc0};
  const unsigned room = classes->count;
  classes->count = sizeof units / sizeof *units;
  for (unsigned i = 0; i < classes->count && i < room; i++) classes->list[i].class = units[i];
  return 0;
}

static int write_info(struct device_info *info) {
  enum { PCI_EXPRESS = 3 };
  info->platform = PCI_EXPRESS;
  info->chipset = gpu.of[CHIPSET];
  info->bytes = info->user_bytes = (uint64_t)gpu.of[MEMORY] << 30;
  strncpy(info->name, "a GPU that is not there", sizeof info->name);
  return 0;
}

static int answer_nvif(struct nvif *request) {
  enum { CLASSES = 1, NEW, DELETE, METHOD, DEVICE_INFO = 0 };
  switch (request->type) {
    case NEW:
    case DELETE: return 0;
    case CLASSES: return write_classes((struct classes *)request);
    case METHOD: {
      struct device_info *info = (struct device_info *)request;
      return info->method == DEVICE_INFO ? write_info(info) : EINVAL;
    }
    default: return EINVAL;
  }
}

// --- requests ---

struct buffer {
  uint32_t buffer, domain;
  uint64_t bytes, address, map_offset;
};

struct channel {
  uint32_t handles[2];
  int32_t channel;
};

int answer_nouveau(unsigned request, void *argument) {
  enum { GETPARAM = 0x00, CHANNEL_ALLOC = 0x02, CHANNEL_FREE, NVIF = 0x07, VM_INIT = 0x10, VM_BIND, EXEC };
  enum { GEM_NEW = 0x40, GEM_PUSHBUF, GEM_CPU_PREP, GEM_CPU_FINI };
  switch (request) {
    case GETPARAM: return answer_parameter(argument);
    case NVIF: return answer_nvif(argument);
    case CHANNEL_ALLOC: ((struct channel *)argument)->channel = 1; return 0;
    case GEM_NEW: {
      struct buffer *made = argument;
      made->buffer = new_buffer(made->bytes);
      made->map_offset = buffer_offset(made->buffer);
      return made->buffer ? 0 : ENOMEM;
    }
    case CHANNEL_FREE:
    case VM_INIT:
    case VM_BIND:
    case EXEC:
    case GEM_PUSHBUF:
    case GEM_CPU_PREP:
    case GEM_CPU_FINI: return 0;
    default: return EINVAL;
  }
}
