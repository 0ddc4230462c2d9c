/* What test programs have in common. They end with 1 where something is not as it should be, and say where. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "bandpass.h"

#define CHECK(holds) \
  do { \
    if (!(holds)) { \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #holds); \
      exit(1); \
    } \
  } while (0)

/* Whether a call came to this code; null: it was done. */
#define CODE(due, call) \
  do { \
    bandpass_code found_ = call, due_ = due; \
    if (due_ == NULL ? found_ != NULL : found_ == NULL || strcmp(found_, due_) != 0) { \
      fprintf(stderr, "%s:%d: %s: %s, not %s\n", __FILE__, __LINE__, #call, found_ ? found_ : "done", \
              due_ ? due_ : "done"); \
      exit(1); \
    } \
  } while (0)

#define DONE(call) CODE(NULL, call)

static inline bool same(bandpass_view left, bandpass_view right) {
  return left.length == right.length && (left.length == 0 || memcmp(left.data, right.data, left.length) == 0);
}
