/*
 * MPI 5's standard ABI (libmpi_abi) on top of an MPI that has none: the functions that ranks call, with the ABI's handles and constants,
 * forwarded to the library that $GPT2_TEST_MPI names: Open MPI or MPICH. Nothing else of MPI is here.
 *
 * MPICH's handles are ints where these are pointers: an argument of 64 bits, of which C there reads the lower half, as on x86-64 and Arm.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef intptr_t Handle;

/* Of the ABI: appendix A of MPI 5.0. */
enum { ABI_SUM = 0x21, ABI_WORLD = 0x101, ABI_REQUEST_NULL = 0x180, ABI_INT = 0x209, ABI_FLOAT = 0x210, ABI_BYTE = 0x247 };
enum { ABI_IN_PLACE = 1, ABI_STATUS_IGNORE = 0, ABI_THREAD_STEP = 1024, ABI_THREAD_MULTIPLE = 4096 };

static struct {
  void *library;
  int open_mpi;
  Handle world, byte, float_, int_, sum, request_null, in_place, status_ignore;
} mpi;

static Handle address(const char *name) { return (Handle)dlsym(mpi.library, name); }

static void fail(const char *what) {
  fprintf(stderr, "mpi-abi: %s\n", what);
  abort();
}

__attribute__((constructor)) static void open_library(void) {
  const char *name = getenv("GPT2_TEST_MPI");
  mpi.library = dlopen(name ? name : "", RTLD_NOW | RTLD_GLOBAL);
  if (!mpi.library) fail(dlerror());
  mpi.world = address("ompi_mpi_comm_world");
  mpi.open_mpi = mpi.world != 0;
  if (mpi.open_mpi) {
    mpi.byte = address("ompi_mpi_byte");
    mpi.float_ = address("ompi_mpi_float");
    mpi.int_ = address("ompi_mpi_int");
    mpi.sum = address("ompi_mpi_op_sum");
    mpi.request_null = address("ompi_request_null");
    mpi.in_place = 1;
    mpi.status_ignore = 0;
  } else {
    mpi.world = 0x44000000;
    mpi.byte = 0x4c00010d;
    mpi.float_ = 0x4c00040a;
    mpi.int_ = 0x4c000405;
    mpi.sum = 0x58000003;
    mpi.request_null = 0x2c000000;
    mpi.in_place = -1;
    mpi.status_ignore = 1;
  }
}

static Handle comm_of(Handle comm) { return comm == ABI_WORLD ? mpi.world : comm; }

static Handle op_of(Handle op) {
  if (op != ABI_SUM) fail("wanted MPI_SUM");
  return mpi.sum;
}

static Handle type_of(Handle type) {
  if (type == ABI_BYTE) return mpi.byte;
  if (type == ABI_FLOAT) return mpi.float_;
  if (type == ABI_INT) return mpi.int_;
  fail("wanted MPI_BYTE, MPI_FLOAT or MPI_INT");
  return 0;
}

static Handle buffer_of(Handle buffer) { return buffer == ABI_IN_PLACE ? mpi.in_place : buffer; }

static Handle ignored(Handle status) {
  if (status != ABI_STATUS_IGNORE) fail("wanted MPI_STATUS_IGNORE");
  return mpi.status_ignore;
}

static Handle request_of(Handle request) { return request == ABI_REQUEST_NULL ? mpi.request_null : request; }

/* What the library has written as a handle of its own size. */
static Handle made(Handle handle) {
  if (!mpi.open_mpi) handle = (uint32_t)handle;
  return handle == mpi.request_null ? ABI_REQUEST_NULL : handle;
}

#define CALL(name, ...) (((int (*)())address(name))(__VA_ARGS__))

int MPI_Abi_get_version(int *major, int *minor) {
  *major = 1;
  *minor = 0;
  return 0;
}

int MPI_Init_thread(void *argc, void *argv, int required, int *provided) {
  if (required != ABI_THREAD_MULTIPLE) fail("wanted MPI_THREAD_MULTIPLE");
  int got = 0;
  int code = CALL("MPI_Init_thread", argc, argv, 3, &got);
  *provided = got == 3 ? ABI_THREAD_MULTIPLE : got * ABI_THREAD_STEP;
  return code;
}

int MPI_Comm_rank(Handle comm, int *rank) { return CALL("MPI_Comm_rank", comm_of(comm), rank); }

int MPI_Comm_size(Handle comm, int *size) { return CALL("MPI_Comm_size", comm_of(comm), size); }

int MPI_Comm_dup(Handle comm, Handle *other) {
  Handle native = 0;
  int code = CALL("MPI_Comm_dup", comm_of(comm), &native);
  *other = made(native);
  return code;
}

int MPI_Isend(void *data, int count, Handle type, int to, int tag, Handle comm, Handle *request) {
  Handle native = 0;
  int code = CALL("MPI_Isend", data, count, type_of(type), to, tag, comm_of(comm), &native);
  *request = made(native);
  return code;
}

int MPI_Irecv(void *data, int count, Handle type, int from, int tag, Handle comm, Handle *request) {
  Handle native = 0;
  int code = CALL("MPI_Irecv", data, count, type_of(type), from, tag, comm_of(comm), &native);
  *request = made(native);
  return code;
}

int MPI_Test(Handle *request, int *done, Handle status) {
  Handle native = request_of(*request);
  int code = CALL("MPI_Test", &native, done, ignored(status));
  *request = made(native);
  return code;
}

int MPI_Testsome(int count, Handle *requests, int *done, int *indices, Handle statuses) {
  Handle *native = malloc(count * sizeof *native);
  int32_t *narrow = (int32_t *)native;
  for (int i = 0; i < count; i++) {
    if (mpi.open_mpi) native[i] = request_of(requests[i]);
    else narrow[i] = (int32_t)request_of(requests[i]);
  }
  int code = CALL("MPI_Testsome", count, native, done, indices, ignored(statuses));
  for (int i = 0; i < count; i++) requests[i] = made(mpi.open_mpi ? native[i] : narrow[i]);
  free(native);
  return code;
}

int MPI_Cancel(Handle *request) {
  Handle native = request_of(*request);
  return CALL("MPI_Cancel", &native);
}

int MPI_Request_free(Handle *request) {
  Handle native = request_of(*request);
  int code = CALL("MPI_Request_free", &native);
  *request = made(native);
  return code;
}

int MPI_Bcast(void *data, int count, Handle type, int root, Handle comm) {
  return CALL("MPI_Bcast", data, count, type_of(type), root, comm_of(comm));
}

int MPI_Alltoallv(void *from, int *sizes, int *places, Handle type, void *to, int *their_sizes, int *their_places, Handle their_type,
                  Handle comm) {
  return CALL("MPI_Alltoallv", from, sizes, places, type_of(type), to, their_sizes, their_places, type_of(their_type), comm_of(comm));
}

int MPI_Allgatherv(Handle from, int count, Handle type, void *to, int *sizes, int *places, Handle their_type, Handle comm) {
  return CALL("MPI_Allgatherv", buffer_of(from), count, type_of(type), to, sizes, places, type_of(their_type), comm_of(comm));
}

int MPI_Allreduce(Handle from, void *to, int count, Handle type, Handle op, Handle comm) {
  return CALL("MPI_Allreduce", buffer_of(from), to, count, type_of(type), op_of(op), comm_of(comm));
}

int MPI_Reduce_local(void *from, void *to, int count, Handle type, Handle op) {
  return CALL("MPI_Reduce_local", from, to, count, type_of(type), op_of(op));
}

int MPI_Abort(Handle comm, int code) { return CALL("MPI_Abort", comm_of(comm), code); }

int MPI_Finalize(void) { return CALL("MPI_Finalize"); }
